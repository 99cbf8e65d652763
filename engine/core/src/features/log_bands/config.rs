//! Parameters of the front end.

use serde::Deserialize;

use crate::features::dsp::{mel, mel_to_hz};

/// Values of a frame beside those of its bands, with [`Reference::Loudest`].
pub(super) const LOUDEST_SCALARS: usize = 2;

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
    /// What the powers are compared with.
    #[serde(flatten)]
    pub reference: Reference,
    /// Frames of silence that are analysed after the end, for networks that look ahead.
    #[serde(default)]
    pub tail_frames: usize,
}

/// What the powers of a frame are compared with.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Reference {
    /// The mean level around the frame. A frame of features is `[bands, fft_sizes]`.
    Mean(MeanReference),
    /// The loudest level so far and the usual power of each band: nothing after the frame. A frame
    /// of features is `[bands, fft_sizes + 1]`, then the reference and the level below it.
    Loudest(LoudestReference),
}

/// Parameters of [`Reference::Mean`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MeanReference {
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

/// Parameters of [`Reference::Loudest`]. Levels are decimal logarithms of power.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct LoudestReference {
    /// Added to the power of a band.
    pub power_floor: f32,
    /// Added to the power of a band divided by the reference.
    pub relative_floor: f32,
    /// How the reference follows the level.
    #[serde(rename = "reference")]
    pub follower: Follower,
    /// Frames that the mean of a band's usual power spans.
    pub usual_frames: u32,
    /// Frames whose level is below this do not count in that mean.
    pub silence: f32,
}

/// How the reference follows the level from frame to frame.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Follower {
    /// Before the first frame, and the least value.
    pub start: f32,
    /// Most that it rises in a frame.
    pub rise: f32,
    /// Most that it falls in a frame.
    pub fall: f32,
}

impl LogBandsConfig {
    /// Number of values in a frame.
    pub fn frame_len(&self) -> usize {
        match &self.reference {
            Reference::Mean(_) => self.bands * self.fft_sizes.len(),
            Reference::Loudest(_) => self.bands * (self.fft_sizes.len() + 1) + LOUDEST_SCALARS,
        }
    }

    /// The value of all features of a silent frame; none if they depend on what was before.
    pub fn silent_value(&self) -> Option<f32> {
        match &self.reference {
            Reference::Mean(mean) => Some((mean.floor.log10() + mean.log_offset) * mean.log_scale),
            Reference::Loudest(_) => None,
        }
    }

    /// Number of samples, from the centre of a frame on, that its features depend on.
    pub fn lookahead_samples(&self) -> usize {
        let window = self.fft_sizes.iter().max().map_or(0, |n| n / 2);
        match &self.reference {
            Reference::Mean(mean) => window.max((mean.level_future_frames + 1) * self.hop_samples),
            Reference::Loudest(_) => window,
        }
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
            && self.tail_frames <= 1_000_000
            && self.reference.has_valid_counts();
        let lowest_valid = match self.scale {
            BandScale::Mel => self.lowest_hz >= 0.0,
            BandScale::Pitch => self.lowest_hz >= 1.0,
        };
        let edges_valid =
            lowest_valid && self.lowest_hz < self.highest_hz && self.highest_hz <= nyquist;
        let levels_valid = self.reference.has_valid_levels();
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

impl Reference {
    fn has_valid_counts(&self) -> bool {
        match self {
            Self::Mean(mean) => mean.level_past_frames.max(mean.level_future_frames) <= 1_000_000,
            Self::Loudest(loudest) => (1..=1_000_000).contains(&loudest.usual_frames),
        }
    }

    fn has_valid_levels(&self) -> bool {
        match self {
            Self::Mean(mean) => {
                mean.level_floor > 0.0
                    && mean.floor > 0.0
                    && mean.log_offset.is_finite()
                    && mean.log_scale.is_finite()
            }
            Self::Loudest(loudest) => {
                let follower = &loudest.follower;
                loudest.power_floor > 0.0
                    && loudest.relative_floor > 0.0
                    && follower.start.is_finite()
                    && follower.rise > 0.0
                    && follower.fall > 0.0
                    && loudest.silence.is_finite()
            }
        }
    }
}
