//! The Fourier transform.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

/// A plan for the transform of `window_samples` real samples to `window_samples / 2 + 1` bins, not
/// normalised.
///
/// Other crates take their plans here: with a planner of their own they would compile rustfft again,
/// which is generic.
pub fn real_fft(window_samples: usize) -> Arc<dyn RealToComplex<f32>> {
    RealFftPlanner::<f32>::new().plan_fft_forward(window_samples)
}
