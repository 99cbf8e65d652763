//! FFTs and sample-rate conversion for the sample types that the engine uses.
//!
//! rustfft, realfft and rubato are generic: each crate that names their planners compiles them
//! again, and its tests once more. This crate does it once; the others get trait objects.

use std::sync::Arc;

pub use realfft::{ComplexToReal, RealToComplex};
use rubato::FftFixedInOut;
pub use rubato::VecResampler;
pub use rustfft::Fft;
use rustfft::FftDirection;
use rustfft::algorithm::Radix4;
pub use rustfft::num_complex::Complex;

/// Plans real FFTs, and keeps what they have in common.
#[derive(Default)]
pub struct RealFftPlanner {
    inner: realfft::RealFftPlanner<f32>,
}

impl RealFftPlanner {
    /// A planner without plans.
    pub fn new() -> Self {
        Self::default()
    }

    /// The FFT of `size` real samples to `size / 2 + 1` bins, not normalised.
    pub fn plan_fft_forward(&mut self, size: usize) -> Arc<dyn RealToComplex<f32>> {
        self.inner.plan_fft_forward(size)
    }

    /// The inverse, `size` times as large as the samples were.
    pub fn plan_fft_inverse(&mut self, size: usize) -> Arc<dyn ComplexToReal<f32>> {
        self.inner.plan_fft_inverse(size)
    }
}

/// Plans the FFT of `size` real samples to `size / 2 + 1` bins, not normalised.
pub fn real_fft(size: usize) -> Arc<dyn RealToComplex<f32>> {
    RealFftPlanner::new().plan_fft_forward(size)
}

/// Plans the complex FFT of `size` values in 64-bit floats, a power of two, not normalised.
///
/// # Panics
/// If `size` is not a power of two.
pub fn complex_fft_f64(size: usize) -> Arc<dyn Fft<f64>> {
    Arc::new(Radix4::new(size, FftDirection::Forward))
}

/// A converter of one channel that takes and gives blocks of a fixed length, the shortest of at
/// least `block` input samples.
///
/// # Errors
/// A message, if a rate is 0.
pub fn block_resampler(
    from_hz: usize,
    to_hz: usize,
    block: usize,
) -> Result<Box<dyn VecResampler<f32>>, String> {
    match FftFixedInOut::new(from_hz, to_hz, block, 1) {
        Ok(resampler) => Ok(Box::new(resampler)),
        Err(error) => Err(error.to_string()),
    }
}
