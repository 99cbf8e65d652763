//! The built-in pitched model: what its weights file says.
//!
//! The definition it follows is `train/hitscribe_train/pitch_model.py`; the file is written by
//! `train/hitscribe_train/pitch_export.py`. Sizes, taps and harmonics are read from the file's metadata
//! and checked against its tensors.

use burn::tensor::backend::Backend;
use serde::Deserialize;

use crate::frame::weights_file::{NetworkConfig, WeightsFile, broken};
use crate::frame::{Architecture, StreamModel, StreamState, StreamStep};
use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::FrontEndConfig;

mod network;

pub use network::Network;

/// The kind of network in this module.
pub struct Pitched;

impl Architecture for Pitched {
    type Config = PitchedConfig;
    type Network<B: Backend> = Network<B>;
}

/// The pitched model on one device. Its outputs in one frame: [`VALUES_PER_KEY`] for each key.
pub type PitchedModel = StreamModel<Pitched>;
/// What the pitched model remembers of one source.
pub type PitchedState = StreamState<Pitched>;
/// One source's part of a batch of the pitched model.
pub type PitchedStep<'a> = StreamStep<'a, Pitched>;
/// A weights file of the pitched model.
pub type PitchedWeights<'a> = WeightsFile<'a, PitchedConfig>;

/// The weights that come with the engine.
pub const PITCHED_WEIGHTS: &[u8] = include_bytes!("../../weights/builtin_pitch.safetensors");

/// Values per key in an output frame: onset logit, logit of sounding, velocity logit, shift in frames.
pub const VALUES_PER_KEY: usize = 4;

const FORMAT: u32 = 1;
/// Every convolution has three taps over keys and three over time.
const TAPS: usize = 3;

/// One residual block over keys and time: tap `i` looks at frame `t + (i - past_taps) * dilation`, and
/// `keys` keys below, at and above its own.
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
    fn context_frames(&self) -> usize {
        (TAPS - 1) * self.dilation
    }

    fn past_frames(&self) -> usize {
        self.past_taps * self.dilation
    }
}

/// Everything about the model that is not a tensor; the JSON under `config` in the weights file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PitchedConfig {
    /// Version of the file's layout.
    pub format: u32,
    /// From audio to features.
    pub front_end: FrontEndConfig,
    /// MIDI key of the lowest key.
    pub lowest_key: u8,
    /// Number of keys.
    pub keys: usize,
    /// Bands from one key to the next.
    pub bands_per_semitone: usize,
    /// Bands around a harmonic that the network looks at.
    pub window_bands: usize,
    /// First band of the window around each harmonic of the lowest key; may lie outside of the bands.
    pub harmonics: Vec<i32>,
    /// Channels of every key.
    pub channels: usize,
    /// The residual blocks.
    pub blocks: Vec<KeyBlockConfig>,
    /// Probability from which a peak is an onset, between 0 and 1.
    pub onset_threshold: f32,
    /// Probability below which a note has ended, between 0 and 1.
    pub sounding_threshold: f32,
}

impl PitchedConfig {
    /// Values that describe one key in one frame.
    fn key_inputs(&self) -> usize {
        self.harmonics.len() * self.window_bands * self.front_end.fft_sizes.len()
    }
}

impl NetworkConfig for PitchedConfig {
    fn front_end(&self) -> &FrontEndConfig {
        &self.front_end
    }

    fn past_frames(&self) -> usize {
        let blocks = self.blocks.iter().map(KeyBlockConfig::past_frames);
        TAPS / 2 + blocks.sum::<usize>()
    }

    fn future_frames(&self) -> usize {
        let future = |b: &KeyBlockConfig| b.context_frames() - b.past_frames();
        TAPS / 2 + self.blocks.iter().map(future).sum::<usize>()
    }

    fn check(&self) -> Result<()> {
        if self.format != FORMAT {
            return Err(broken(format!("format {} is not {FORMAT}", self.format)));
        }
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
            return Err(broken("its shape makes no sense"));
        }
        self.front_end.check().map_err(broken)
    }
}
