//! Front ends: from audio samples to the features that the networks take.

mod dsp;
pub mod log_bands;
pub mod mt3_family;
