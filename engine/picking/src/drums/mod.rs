//! From the outputs of the drum network to hits: peak picking, onsets, selection with the loudness
//! gate, velocities.
//!
//! `DrumPipeline` in `pipeline/drums.rs` runs these steps in order, for files and live.

pub mod band_levels;
pub mod candidate;
pub mod hihat_openness;
pub mod joint_picking;
pub mod loudness_gate;
pub mod onset_refinement;
pub mod peak_picking;
pub mod rivals;
pub mod selection;
pub mod velocity;
