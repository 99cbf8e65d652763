//! The built-in drum model: what its weights file says, and the network on the chosen device.
//!
//! The definition it follows is `train/hitscribe_train/model.py`; the file is written by
//! `train/hitscribe_train/export.py`. Nothing of the architecture is repeated here: sizes, taps and
//! classes are read from the file's metadata and checked against its tensors.

use burn::tensor::backend::Backend;
use serde::Deserialize;

use crate::frame::weights_file::{NetworkConfig, WeightsFile, broken};
use crate::frame::{Architecture, StreamModel, StreamState, StreamStep};
use hitscribe_core::DrumClass;
use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::FrontEndConfig;

mod network;

pub use network::Network;

/// The kind of network in this module.
pub struct Drums;

impl Architecture for Drums {
    type Config = DrumConfig;
    type Network<B: Backend> = Network<B>;
}

/// The drum model on one device.
pub type DrumModel = StreamModel<Drums>;
/// What the drum model remembers of one source.
pub type DrumState = StreamState<Drums>;
/// One source's part of a batch of the drum model.
pub type DrumStep<'a> = StreamStep<'a, Drums>;
/// A weights file of the drum model.
pub type DrumWeights<'a> = WeightsFile<'a, DrumConfig>;

/// The weights that come with the engine.
pub const DRUM_WEIGHTS: &[u8] = include_bytes!("../../weights/builtin.safetensors");

/// Values per class in an output frame: onset logit, shift in frames.
pub const VALUES_PER_CLASS: usize = 2;

const FORMAT: u32 = 1;
/// The stem's convolutions look one frame to each side; so does the projection.
const STEM_TAPS: usize = 3;

/// One convolution of the stem: 3 x 3, batch norm folded in, ReLU.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StemLayer {
    /// Output channels.
    pub outputs: usize,
    /// Step over bands.
    pub stride: usize,
    /// Whether neighbouring bands are joined by their maximum afterwards.
    pub pooled: bool,
}

/// One residual block over time. Tap `i` looks at frame `t + (i - past_taps) * dilation`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BlockConfig {
    /// Number of taps.
    pub taps: usize,
    /// Frames between taps.
    pub dilation: usize,
    /// Taps before the frame itself.
    pub past_taps: usize,
}

impl BlockConfig {
    /// Frames that a block reaches over, without the frame itself.
    pub fn context_frames(&self) -> usize {
        (self.taps - 1) * self.dilation
    }

    /// The part of the context that lies in the past.
    pub fn past_frames(&self) -> usize {
        self.past_taps * self.dilation
    }
}

/// Everything about the model that is not a tensor; the JSON under `config` in the weights file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DrumConfig {
    /// Version of the file's layout.
    pub format: u32,
    /// From audio to features.
    pub front_end: FrontEndConfig,
    /// The convolutions over bands and time.
    pub stem: Vec<StemLayer>,
    /// Channels after the stem.
    pub channels: usize,
    /// The residual blocks.
    pub blocks: Vec<BlockConfig>,
    /// Keys of the drum classes, in the order of the outputs; always [`DrumClass::ALL`].
    pub classes: Vec<String>,
    /// Calibrated probability threshold of each class, between 0 and 1.
    pub thresholds: Vec<f32>,
}

impl DrumConfig {
    /// Values in one output frame: [`VALUES_PER_CLASS`] groups of one value per class.
    pub fn outputs(&self) -> usize {
        VALUES_PER_CLASS * self.classes.len()
    }
}

impl NetworkConfig for DrumConfig {
    fn front_end(&self) -> &FrontEndConfig {
        &self.front_end
    }

    fn past_frames(&self) -> usize {
        let blocks = self.blocks.iter().map(BlockConfig::past_frames);
        self.stem.len() + 1 + blocks.sum::<usize>()
    }

    fn future_frames(&self) -> usize {
        let blocks: usize = self
            .blocks
            .iter()
            .map(|b| b.context_frames() - b.past_frames())
            .sum();
        self.stem.len() + 1 + blocks
    }

    fn check(&self) -> Result<()> {
        let ours = DrumClass::ALL.map(DrumClass::key);
        if self.format != FORMAT {
            return Err(broken(format!("format {} is not {FORMAT}", self.format)));
        }
        if self.classes != ours {
            return Err(broken("its drum classes are not those of this engine"));
        }
        if self.thresholds.len() != ours.len()
            || self.thresholds.iter().any(|&t| !(t > 0.0 && t < 1.0))
        {
            return Err(broken("thresholds must be one number in 0..1 per class"));
        }
        let blocks_valid = self.blocks.iter().all(|b| {
            (1..=64).contains(&b.taps) && (1..=4096).contains(&b.dilation) && b.past_taps < b.taps
        });
        let stem_valid = (1..=16).contains(&self.stem.len())
            && self
                .stem
                .iter()
                .all(|s| (1..=4096).contains(&s.outputs) && (1..=8).contains(&s.stride));
        if !blocks_valid || !stem_valid || !(1..=65_536).contains(&self.channels) {
            return Err(broken("its shape makes no sense"));
        }
        self.front_end.check().map_err(broken)
    }
}
