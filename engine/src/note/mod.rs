//! Notes: peak picking, exact onsets, velocities, leakage filters, metrics.

pub mod leakage;
pub mod levels;
pub mod loudness;
pub mod metrics;
pub mod openness;
pub mod pick;
pub mod pick_keys;
pub mod refine;
pub mod take;
pub mod velocity;
