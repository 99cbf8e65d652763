//! The configuration of the network with windows around harmonics.

use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::LogBandsConfig;
use serde::Deserialize;

use crate::frame::weights_file::{NetworkConfig, broken};

/// Values per key in an output frame: onset logit, activity logit, velocity logit, time shift in
/// frames.
pub const VALUES_PER_KEY: usize = 4;

pub(in crate::frame::pitched) const FORMAT: u32 = 1;
/// Taps of every convolution over keys, and over time.
pub(super) const TAPS: usize = 3;

/// One residual block over keys and time. Tap `i` over time is at frame `t + (i - past_taps) *
/// dilation`; the taps over keys are `keys` below, at and `keys` above the key.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct KeyBlockConfig {
    /// Keys between taps.
    pub keys: usize,
    /// Frames between taps.
    pub dilation: usize,
    /// Taps before the frame itself.
    pub past_taps: usize,
}

impl KeyBlockConfig {
    pub(super) fn context_frames(&self) -> usize {
        (TAPS - 1) * self.dilation
    }

    pub(super) fn past_frames(&self) -> usize {
        self.past_taps * self.dilation
    }
}

/// The network without its tensors.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct WindowedConfig {
    /// The front end that computes the features.
    pub front_end: LogBandsConfig,
    /// MIDI key of the lowest key.
    pub lowest_key: u8,
    /// Number of keys.
    pub keys: usize,
    /// Bands per semitone.
    pub bands_per_semitone: usize,
    /// Bands around each harmonic that are inputs of a key.
    pub window_bands: usize,
    /// First band of the window around each harmonic of the lowest key. May be outside the bands.
    pub harmonics: Vec<i32>,
    /// Channels per key.
    pub channels: usize,
    /// The residual blocks.
    pub blocks: Vec<KeyBlockConfig>,
    /// Least probability of an onset at a peak, between 0 and 1.
    pub onset_threshold: f32,
    /// Activity probability below which a note ends, between 0 and 1.
    pub sounding_threshold: f32,
}

impl WindowedConfig {
    /// Input values of a key in a frame.
    pub(super) fn key_inputs(&self) -> usize {
        self.harmonics.len() * self.window_bands * self.front_end.fft_sizes.len()
    }
}

impl NetworkConfig for WindowedConfig {
    fn front_end(&self) -> &LogBandsConfig {
        &self.front_end
    }

    fn lead_in_frames(&self) -> usize {
        let blocks = self.blocks.iter().map(KeyBlockConfig::past_frames);
        TAPS / 2 + blocks.sum::<usize>()
    }

    fn delay_frames(&self) -> usize {
        let future = |b: &KeyBlockConfig| b.context_frames() - b.past_frames();
        TAPS / 2 + self.blocks.iter().map(future).sum::<usize>()
    }

    fn check(&self) -> Result<()> {
        let blocks_valid = self.blocks.iter().all(|b| {
            (1..=128).contains(&b.keys) && (1..=4096).contains(&b.dilation) && b.past_taps < TAPS
        });
        let keys_valid =
            (1..=128).contains(&self.keys) && usize::from(self.lowest_key) + self.keys <= 128;
        let bands_valid = (1..=64).contains(&self.bands_per_semitone)
            && (1..=64).contains(&self.window_bands)
            && (1..=64).contains(&self.harmonics.len())
            && self.harmonics.iter().all(|h| h.unsigned_abs() <= 4096);
        let thresholds_valid = [self.onset_threshold, self.sounding_threshold]
            .iter()
            .all(|&t| t > 0.0 && t < 1.0);
        let channels_valid = (1..=4096).contains(&self.channels);
        if !(blocks_valid && keys_valid && bands_valid && thresholds_valid && channels_valid) {
            return Err(broken("its layer sizes are out of range"));
        }
        self.front_end.validate().map_err(broken)
    }
}
