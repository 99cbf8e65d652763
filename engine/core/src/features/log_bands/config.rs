//! Parameters of the front end.

use serde::Deserialize;

use crate::features::dsp::{mel, mel_to_hz};

/// Spacing of the bands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BandScale {
    /// Even on the HTK mel scale.
    #[default]
    Mel,
    /// Even in pitch: a constant ratio of frequencies.
    Pitch,
}

impl BandScale {
    /// Position of a frequency on the scale.
    pub(super) fn position(self, hz: f64) -> f64 {
        match self {
            Self::Mel => mel(hz),
            Self::Pitch => hz.log2(),
        }
    }

    /// Frequency at a position on the scale, in Hz.
    pub(super) fn hz(self, position: f64) -> f64 {
        match self {
            Self::Mel => mel_to_hz(position),
            Self::Pitch => position.exp2(),
        }
    }
}

/// Parameters of the front end, stored in the weights file of a model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct LogBandsConfig {
    /// Sample rate of the input in Hz.
    pub sample_rate_hz: u32,
    /// Samples between frames.
    pub hop_samples: usize,
    /// Number of bands.
    pub bands: usize,
    /// Their spacing.
    #[serde(default)]
    pub scale: BandScale,
    /// Length of each FFT in samples, even. Each FFT gives one feature per band.
    pub fft_sizes: Vec<usize>,
    /// Lower edge of the lowest band in Hz.
    pub lowest_hz: f64,
    /// Upper edge of the highest band in Hz.
    pub highest_hz: f64,
    /// Frames before a frame that its level reference averages.
    pub level_past_frames: usize,
    /// Frames after a frame that its level reference averages.
    pub level_future_frames: usize,
    /// Added to the level reference, which is a mean square.
    pub level_floor: f32,
    /// Added to the power of a band divided by the level reference.
    pub floor: f32,
    /// Added to the decimal logarithm.
    pub log_offset: f32,
    /// Multiplies the result.
    pub log_scale: f32,
}

impl LogBandsConfig {
    /// Number of values in a frame, which is `[bands, fft_sizes]`.
    pub fn frame_len(&self) -> usize {
        self.bands * self.fft_sizes.len()
    }

    /// The value of all features of a silent frame.
    pub fn silent_value(&self) -> f32 {
        (self.floor.log10() + self.log_offset) * self.log_scale
    }

    /// Number of samples, from the centre of a frame on, that its features depend on.
    pub fn lookahead_samples(&self) -> usize {
        let window = self.fft_sizes.iter().max().map_or(0, |n| n / 2);
        window.max((self.level_future_frames + 1) * self.hop_samples)
    }

    /// Checks that all parameters are usable.
    ///
    /// # Errors
    /// One line that names the invalid parameters.
    pub fn validate(&self) -> Result<(), String> {
        let nyquist = f64::from(self.sample_rate_hz) / 2.0;
        let sizes_valid = (1..=8).contains(&self.fft_sizes.len())
            && self
                .fft_sizes
                .iter()
                .all(|n| n % 2 == 0 && (4..=65_536).contains(n));
        let counts_valid = (1..=65_536).contains(&self.hop_samples)
            && (1..=4096).contains(&self.bands)
            && (1_000..=768_000).contains(&self.sample_rate_hz)
            && self.level_past_frames.max(self.level_future_frames) <= 1_000_000;
        let lowest_valid = match self.scale {
            BandScale::Mel => self.lowest_hz >= 0.0,
            BandScale::Pitch => self.lowest_hz >= 1.0,
        };
        let edges_valid =
            lowest_valid && self.lowest_hz < self.highest_hz && self.highest_hz <= nyquist;
        let levels_valid = self.level_floor > 0.0
            && self.floor > 0.0
            && self.log_offset.is_finite()
            && self.log_scale.is_finite();
        for (is_valid, names) in [
            (sizes_valid, "FFT sizes"),
            (counts_valid, "sample rate, hop, band or level frame counts"),
            (edges_valid, "band edges"),
            (levels_valid, "floors or log scaling"),
        ] {
            if !is_valid {
                return Err(format!("its front end has invalid {names}"));
            }
        }
        Ok(())
    }
}
