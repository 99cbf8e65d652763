//! Formulas that both front ends use.

use std::f64::consts::PI;

/// Frequency in Hz to HTK mel.
pub(super) fn mel(hz: f64) -> f64 {
    2595.0 * (1.0 + hz / 700.0).log10()
}

/// HTK mel to frequency in Hz.
pub(super) fn mel_to_hz(mel: f64) -> f64 {
    700.0 * (10f64.powf(mel / 2595.0) - 1.0)
}

/// A periodic Hann window of `size` samples.
pub(super) fn hann(size: usize) -> impl Iterator<Item = f64> {
    (0..size).map(move |n| 0.5 - 0.5 * (2.0 * PI * n as f64 / size as f64).cos())
}
