//! Audio: files, resampling, front ends, segments.

pub mod spectral;
