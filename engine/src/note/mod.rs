//! Notes: peak picking, velocities, leakage filters, metrics.
pub mod leakage;
pub mod metrics;
pub mod pick;
pub mod take;
pub mod velocity;
