//! Front ends: from audio to what a network reads.

pub mod fft;
pub mod log_bands;
pub mod mt3_family;
