//! Plans of the real FFT.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

/// Plans the FFT of `size` real samples to `size / 2 + 1` bins, not normalised.
///
/// Other crates use this function instead of a planner, which is generic: each crate that names it
/// compiles rustfft again.
pub fn real_fft(size: usize) -> Arc<dyn RealToComplex<f32>> {
    RealFftPlanner::<f32>::new().plan_fft_forward(size)
}
