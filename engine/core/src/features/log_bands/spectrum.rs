//! Band powers of one frame.

use std::sync::Arc;

use hitscribe_dsp::{Complex, RealToComplex, real_fft};

use crate::features::dsp::hann;
use crate::features::log_bands::config::LogBandsConfig;

/// Triangular filters of unit sum. A triangle narrower than a bin is widened to one bin on each
/// side, so that it interpolates between bins.
struct FilterBank {
    /// For each band its first bin and the weights from there on.
    bands: Vec<(usize, Vec<f32>)>,
}

impl FilterBank {
    fn new(config: &LogBandsConfig, fft_size: usize) -> Self {
        let scale = config.scale;
        let (low, high) = (
            scale.position(config.lowest_hz),
            scale.position(config.highest_hz),
        );
        let edge = |i: usize| scale.hz(low + (high - low) * i as f64 / (config.bands + 1) as f64);
        let width = f64::from(config.sample_rate_hz) / fft_size as f64;
        let bands = (0..config.bands).map(|band| {
            let centre = edge(band + 1);
            let low = edge(band).min(centre - width);
            let high = edge(band + 2).max(centre + width);
            let weight = |bin: usize| {
                let f = bin as f64 * width;
                ((f - low) / (centre - low))
                    .min((high - f) / (high - centre))
                    .max(0.0)
            };
            let first = (low / width).floor().max(0.0) as usize;
            let last = ((high / width).ceil() as usize).min(fft_size / 2);
            let weights: Vec<f64> = (first..=last).map(weight).collect();
            let sum: f64 = weights.iter().sum();
            (first, weights.iter().map(|w| (w / sum) as f32).collect())
        });
        Self {
            bands: bands.collect(),
        }
    }
}

/// One FFT with its window and filters.
pub(super) struct Analysis {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// One over the sum of the squared window.
    power_scale: f32,
    filters: FilterBank,
}

impl Analysis {
    fn new(config: &LogBandsConfig, size: usize) -> Self {
        let window: Vec<f32> = hann(size).map(|weight| weight as f32).collect();
        Self {
            fft: real_fft(size),
            power_scale: 1.0 / window.iter().map(|w| w * w).sum::<f32>(),
            window,
            filters: FilterBank::new(config, size),
        }
    }

    /// Length of the FFT in samples.
    pub(super) fn size(&self) -> usize {
        self.window.len()
    }

    /// Computes the power of each band from the first [`size`](Self::size) samples of `audio`, and
    /// passes it to `write` with the index of the band.
    pub(super) fn band_powers(
        &self,
        audio: &[f32],
        scratch: &mut Scratch,
        mut write: impl FnMut(usize, f32),
    ) {
        let size = self.size();
        let windowed = &mut scratch.windowed[..size];
        for ((out, x), w) in windowed.iter_mut().zip(audio).zip(&self.window) {
            *out = x * w;
        }
        let spectrum = &mut scratch.spectrum[..size / 2 + 1];
        let fft_scratch = &mut scratch.fft[..self.fft.get_scratch_len()];
        if self
            .fft
            .process_with_scratch(windowed, spectrum, fft_scratch)
            .is_err()
        {
            // The only error is a wrong buffer length, and the lengths come from the plan.
            unreachable!("buffer lengths match the FFT");
        }
        let power = &mut scratch.power[..size / 2 + 1];
        for (out, x) in power.iter_mut().zip(spectrum.iter()) {
            *out = x.norm_sqr() * self.power_scale;
        }
        for (band, (first, weights)) in self.filters.bands.iter().enumerate() {
            let sum: f32 = weights
                .iter()
                .zip(&power[*first..])
                .map(|(w, p)| w * p)
                .sum();
            write(band, sum);
        }
    }
}

/// Buffers of [`Analysis::band_powers`], large enough for every FFT of a front end.
pub(super) struct Scratch {
    windowed: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    fft: Vec<Complex<f32>>,
    power: Vec<f32>,
}

impl Scratch {
    pub(super) fn new(front_end: &LogBands) -> Self {
        let longest = front_end.longest_fft();
        let fft = front_end.analyses.iter().map(|a| a.fft.get_scratch_len());
        Self {
            windowed: vec![0.0; longest],
            spectrum: vec![Complex::default(); longest / 2 + 1],
            fft: vec![Complex::default(); fft.max().unwrap_or(0)],
            power: vec![0.0; longest / 2 + 1],
        }
    }
}

/// The planned front end of a model. Immutable: its streams share it, on any thread.
pub struct LogBands {
    pub(super) config: LogBandsConfig,
    pub(super) analyses: Vec<Analysis>,
}

impl LogBands {
    /// Plans the FFTs and filters of `config`, which must be [valid](LogBandsConfig::validate).
    pub fn new(config: LogBandsConfig) -> Self {
        let analyses = config
            .fft_sizes
            .iter()
            .map(|&size| Analysis::new(&config, size))
            .collect();
        Self { config, analyses }
    }

    /// The parameters.
    pub fn config(&self) -> &LogBandsConfig {
        &self.config
    }

    /// Length of the longest FFT in samples.
    pub(super) fn longest_fft(&self) -> usize {
        self.config.fft_sizes.iter().copied().max().unwrap_or(0)
    }
}
