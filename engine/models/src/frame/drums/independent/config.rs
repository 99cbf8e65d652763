//! The configuration of the network with independent classes.

use hitscribe_core::DrumClass;
use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::LogBandsConfig;
use serde::Deserialize;

use crate::frame::taps::BlockConfig;
use crate::frame::weights_file::{NetworkConfig, broken};

/// Values per class in an output frame: onset logit, time shift in frames.
pub const VALUES_PER_CLASS: usize = 2;

pub(in crate::frame::drums) const FORMAT: u32 = 1;
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

/// The network without its tensors.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct IndependentConfig {
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

impl IndependentConfig {
    /// Values in an output frame: [`VALUES_PER_CLASS`] groups of one value per class.
    pub fn outputs(&self) -> usize {
        VALUES_PER_CLASS * self.classes.len()
    }
}

impl NetworkConfig for IndependentConfig {
    fn front_end(&self) -> &LogBandsConfig {
        &self.front_end
    }

    fn lead_in_frames(&self) -> usize {
        let blocks = self.blocks.iter().map(BlockConfig::past_frames);
        self.stem.len() + 1 + blocks.sum::<usize>()
    }

    fn delay_frames(&self) -> usize {
        let blocks = self.blocks.iter().map(BlockConfig::future_frames);
        self.stem.len() + 1 + blocks.sum::<usize>()
    }

    fn check(&self) -> Result<()> {
        let known = DrumClass::ALL.map(DrumClass::key);
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
        let blocks_valid = self.blocks.iter().all(BlockConfig::is_valid);
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
