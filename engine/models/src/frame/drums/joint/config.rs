//! The configuration of the network that decides jointly.

use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::{LogBandsConfig, Reference};
use serde::Deserialize;

use crate::frame::taps::BlockConfig;
use crate::frame::weights_file::{NetworkConfig, broken};

pub(in crate::frame::drums) const FORMAT: u32 = 2;

/// One convolution of the stem: three bands and some steps, stride 2 over bands, ReLU.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StepLayer {
    /// Output channels.
    pub outputs: usize,
    /// Taps over time, an odd number.
    pub steps: usize,
}

/// Numbers of values in an output frame, in this order.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct OutputCounts {
    /// Logits of at least 1, 2, ... strokes, for each group.
    pub counts: usize,
    /// Logits of the classes, compared within their group.
    pub classes: usize,
    /// Where a stroke of each class is, in frames from the centre of the frame.
    pub shift: usize,
    /// Logits of velocities between 0 and 1.
    pub velocity: usize,
}

impl OutputCounts {
    /// Values in an output frame.
    pub fn total(&self) -> usize {
        self.counts + self.classes + self.shift + self.velocity
    }
}

/// When evidence is a hit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Picking {
    /// Threshold of each class on its own activation, between 0 and 1.
    pub classes: Vec<f32>,
    /// Threshold of each group on the sum of its classes.
    pub groups: Vec<f32>,
    /// A further hit beside `n` others needs a sum of `n + 1 - slack` in its group.
    pub slack: f32,
    /// A peak is the largest within so many frames on each side.
    pub reach_frames: usize,
    /// Most frames between an onset and the frame that it is picked from.
    pub most_shift_frames: f32,
}

/// The network without its tensors.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct JointConfig {
    /// The front end that computes the features.
    pub front_end: LogBandsConfig,
    /// Frames that make a step.
    pub pair: usize,
    /// The stem: convolutions over bands and steps.
    pub stem: Vec<StepLayer>,
    /// Channels of a step.
    pub fine_channels: usize,
    /// Channels of the memory.
    pub coarse_channels: usize,
    /// Steps that make one of the memory.
    pub stride: usize,
    /// The residual blocks before the memory.
    pub before: Vec<BlockConfig>,
    /// Those of the memory.
    pub memory: Vec<BlockConfig>,
    /// Those after it.
    pub after: Vec<BlockConfig>,
    /// Frames after frame `t` whose features the outputs of frame `t` depend on, at most.
    pub future_frames: usize,
    /// What an output frame consists of.
    pub outputs: OutputCounts,
    /// Keys of the classes, in the order of the outputs. Those without a drum class are not written.
    pub classes: Vec<String>,
    /// Indices of the classes that compete for a stroke.
    pub groups: Vec<Vec<usize>>,
    /// Most strokes of a group that are counted.
    pub max_strokes: usize,
    /// When evidence is a hit.
    pub picking: Picking,
}

fn future(blocks: &[BlockConfig]) -> usize {
    blocks.iter().map(BlockConfig::future_frames).sum()
}

impl JointConfig {
    /// Steps by which the stem delays.
    pub(super) fn stem_delay(&self) -> usize {
        self.stem.iter().map(|layer| layer.steps / 2).sum()
    }

    /// Steps that complete the delay before the memory to one of whole steps of the memory.
    pub(super) fn alignment(&self) -> usize {
        let delay = self.stem_delay() + future(&self.before);
        delay.next_multiple_of(self.stride) - delay
    }

    /// Steps by which the memory delays.
    pub(super) fn memory_delay(&self) -> usize {
        self.stride * future(&self.memory)
    }

    /// Values of a step's features, apart from the bands.
    pub(super) fn scalars(&self) -> usize {
        self.front_end.frame_len() - self.front_end.bands * self.band_inputs()
    }

    /// Values of a frame's features in each band.
    pub(super) fn band_inputs(&self) -> usize {
        self.front_end.frame_len() / self.front_end.bands
    }

    fn is_in_range(&self) -> bool {
        let layers = [&self.before, &self.memory, &self.after];
        (1..=16).contains(&self.pair)
            && (1..=16).contains(&self.stride)
            && (1..=16).contains(&self.stem.len())
            && self.stem.iter().all(|layer| {
                (1..=4096).contains(&layer.outputs) && layer.steps % 2 == 1 && layer.steps <= 63
            })
            && layers.into_iter().flatten().all(BlockConfig::is_valid)
            && (1..=65_536).contains(&self.fine_channels)
            && (1..=65_536).contains(&self.coarse_channels)
    }

    /// Whether groups, outputs and thresholds fit the classes.
    fn is_consistent(&self) -> bool {
        let classes = self.classes.len();
        let mut members: Vec<usize> = self.groups.iter().flatten().copied().collect();
        members.sort_unstable();
        let picking = &self.picking;
        let is_threshold = |t: &f32| *t > 0.0 && *t < 1.0;
        members.into_iter().eq(0..classes)
            && (1..=8).contains(&self.max_strokes)
            && self.outputs.counts == self.groups.len() * self.max_strokes
            && [
                self.outputs.classes,
                self.outputs.shift,
                self.outputs.velocity,
            ] == [classes; 3]
            && picking.classes.len() == classes
            && picking.groups.len() == self.groups.len()
            && picking
                .classes
                .iter()
                .chain(&picking.groups)
                .all(is_threshold)
            && picking.slack.is_finite()
            && (1..=16).contains(&picking.reach_frames)
            && (0.0..=16.0).contains(&picking.most_shift_frames)
    }
}

impl NetworkConfig for JointConfig {
    fn front_end(&self) -> &LogBandsConfig {
        &self.front_end
    }

    fn lead_in_frames(&self) -> usize {
        0
    }

    fn delay_frames(&self) -> usize {
        let before = self.stem_delay() + future(&self.before) + self.alignment();
        self.pair * (before + self.memory_delay() + future(&self.after))
    }

    fn step_frames(&self) -> usize {
        self.pair * self.stride
    }

    fn check(&self) -> Result<()> {
        if !self.is_in_range() {
            return Err(broken("its layer sizes are out of range"));
        }
        if !self.is_consistent() {
            return Err(broken(
                "its groups, outputs or thresholds do not fit its classes",
            ));
        }
        self.front_end.validate().map_err(broken)?;
        if !matches!(self.front_end.reference, Reference::Loudest(_)) {
            return Err(broken("its front end is that of another network"));
        }
        let future = self.future_frames;
        // What comes after the end must be silence as far as the last frame looks.
        if future > self.front_end.tail_frames || future > self.delay_frames() + self.step_frames()
        {
            return Err(broken(format!("it cannot look {future} frames ahead")));
        }
        Ok(())
    }
}
