//! Audio: files, resampling, front ends, segments.

pub mod mel;
pub mod resample;
pub mod spectral;
