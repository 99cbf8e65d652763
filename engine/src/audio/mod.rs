//! Audio: files, resampling, front ends, segments.
