//! The configuration of the drum network in its weights file.

use hitscribe_core::DrumClass;
use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::LogBandsConfig;
use serde::Deserialize;

use crate::frame::weights_file::{NetworkConfig, WeightsFile, broken};

/// A weights file of the drum network.
pub type DrumWeights<'a> = WeightsFile<'a, DrumConfig>;

/// Values per class in an output frame: onset logit, time shift in frames.
pub const VALUES_PER_CLASS: usize = 2;

const FORMAT: u32 = 1;
/// Taps over time of the stem's convolutions and of the projection: one frame to each side.
pub(super) const STEM_TAPS: usize = 3;

/// One convolution of the stem: 3 x 3, batch norm folded in, ReLU.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StemLayer {
    /// Output channels.
    pub outputs: usize,
    /// Stride over bands.
    pub stride: usize,
    /// Whether max pooling over pairs of bands follows.
    pub pooled: bool,
}

/// One residual block over time. Tap `i` is at frame `t + (i - past_taps) * dilation`.
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
    /// Past and future frames in the block's receptive field.
    pub fn context_frames(&self) -> usize {
        (self.taps - 1) * self.dilation
    }

    /// Past frames in the block's receptive field.
    pub fn past_frames(&self) -> usize {
        self.past_taps * self.dilation
    }
}

/// The drum network without its tensors: the JSON under `config` in the weights file's metadata.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DrumConfig {
    /// Version of the file's layout.
    pub format: u32,
    /// The front end that computes the features.
    pub front_end: LogBandsConfig,
    /// The stem: convolutions over bands and time.
    pub stem: Vec<StemLayer>,
    /// Channels after the stem.
    pub channels: usize,
    /// The residual blocks.
    pub blocks: Vec<BlockConfig>,
    /// Keys of the drum classes in the order of the outputs, which is that of [`DrumClass::ALL`].
    pub classes: Vec<String>,
    /// Calibrated onset threshold of each class, a probability between 0 and 1.
    pub thresholds: Vec<f32>,
}

impl DrumConfig {
    /// The configuration in a weights file.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Model`] for a damaged file or that of another network.
    pub fn of_weights(bytes: &[u8]) -> Result<Self> {
        Ok(DrumWeights::parse(bytes)?.config)
    }

    /// Values in an output frame: [`VALUES_PER_CLASS`] groups of one value per class.
    pub fn outputs(&self) -> usize {
        VALUES_PER_CLASS * self.classes.len()
    }
}

impl NetworkConfig for DrumConfig {
    fn front_end(&self) -> &LogBandsConfig {
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
        let known = DrumClass::ALL.map(DrumClass::key);
        if self.format != FORMAT {
            return Err(broken(format!("format {} is not {FORMAT}", self.format)));
        }
        if self.classes != known {
            return Err(broken("its drum classes differ from those of this version"));
        }
        if self.thresholds.len() != known.len()
            || self.thresholds.iter().any(|&t| !(t > 0.0 && t < 1.0))
        {
            return Err(broken(
                "it must have one threshold between 0 and 1 for each class",
            ));
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
            return Err(broken("its layer sizes are out of range"));
        }
        self.front_end.validate().map_err(broken)
    }
}
