//! The configuration of the network for pitched notes in its weights file.

use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::{LogBandsConfig, Reference};
use serde::Deserialize;

use crate::frame::taps::BlockConfig;
use crate::frame::weights_file::{NetworkConfig, WeightsFile, broken};

/// A weights file of the network for pitched notes.
pub type PitchWeights<'a> = WeightsFile<'a, PitchConfig>;

const FORMAT: u32 = 2;

/// Values of a key in an output frame before the logits of the families: logits of an onset, that
/// the key sounds, of an end and of the velocity between 0 and 1, and where an onset is in frames
/// from the frame.
pub const VALUES_BEFORE_FAMILIES: usize = VALUES.len();

const VALUES: [&str; 5] = ["onset", "sounding", "offset", "velocity", "shift"];

/// The first layer: a convolution over bands and steps, as many of these on each side.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StemShape {
    /// Taps over bands.
    pub bands: usize,
    /// Taps over time, an odd number.
    pub steps: usize,
    /// Bands from one key to the next.
    pub stride: usize,
}

/// A family of instruments.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Family {
    /// Name, for messages.
    pub name: String,
    /// General MIDI program that stands for it.
    pub program: u8,
}

/// When evidence is a note.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct NotePicking {
    /// Least probability of an onset at a peak.
    pub onset: f32,
    /// Probability below which a key is silent.
    pub sounding: f32,
    /// Probability of an end from which a note ends while its key still sounds.
    pub offset: f32,
    /// A peak is the largest within so many frames on each side.
    pub reach_frames: usize,
    /// Most frames between an onset and the frame that it is picked from.
    pub most_shift_frames: f32,
    /// Shortest note.
    pub shortest_frames: usize,
    /// Frames, from the first with evidence for an end on, among which the end is.
    pub end_frames: usize,
    /// Steps from that of the onset on whose evidence for a family counts.
    pub family_steps: usize,
}

/// The network without its tensors: the JSON under `config` in the weights file's metadata.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PitchConfig {
    /// Version of the file's layout.
    pub format: u32,
    /// The front end that computes the features.
    pub front_end: LogBandsConfig,
    /// Channels of a key.
    pub channels: usize,
    /// Channels of a key that its harmonics see.
    pub narrow_channels: usize,
    /// Channels of all keys together.
    pub together_channels: usize,
    /// Channels of a key's memory.
    pub memory_channels: usize,
    /// MIDI key of the lowest key.
    pub lowest_key: u8,
    /// Number of keys.
    pub keys: usize,
    /// Frames that make a step.
    pub pair: usize,
    /// The first layer.
    pub stem: StemShape,
    /// Keys, and above them what only harmonics reach.
    pub rows: usize,
    /// Keys from a key to its harmonics and sub-harmonics.
    pub shifts: Vec<i32>,
    /// The residual blocks.
    pub blocks: Vec<BlockConfig>,
    /// Blocks before all keys are taken together.
    pub middle: usize,
    /// Frames after frame `t` whose features the outputs of frame `t` depend on, at most.
    pub future_frames: usize,
    /// What the values of a key are.
    pub outputs: Vec<String>,
    /// Families of instruments, in the order of the outputs.
    pub families: Vec<Family>,
    /// When evidence is a note.
    pub picking: NotePicking,
}

impl PitchConfig {
    /// The configuration in a weights file.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Model`] for a damaged file or that of another network.
    pub fn of_weights(bytes: &[u8]) -> Result<Self> {
        Ok(PitchWeights::parse(bytes)?.config)
    }

    /// Values of a key in an output frame.
    pub fn values_per_key(&self) -> usize {
        VALUES_BEFORE_FAMILIES + self.families.len()
    }

    /// Values of a frame's features in each band.
    pub(super) fn band_inputs(&self) -> usize {
        self.front_end.frame_len() / self.front_end.bands
    }

    /// Values of a frame's features, apart from the bands.
    pub(super) fn scalars(&self) -> usize {
        self.front_end.frame_len() - self.front_end.bands * self.band_inputs()
    }

    /// Steps by which the stem delays.
    pub(super) fn stem_delay(&self) -> usize {
        self.stem.steps / 2
    }

    /// Steps by which the blocks before all keys are taken together delay.
    pub(super) fn early_delay(&self) -> usize {
        future(&self.blocks[..self.middle])
    }

    /// Steps by which the blocks after that delay.
    pub(super) fn late_delay(&self) -> usize {
        future(&self.blocks[self.middle..])
    }

    fn is_in_range(&self) -> bool {
        let widths = [
            self.channels,
            self.narrow_channels,
            self.together_channels,
            self.memory_channels,
        ];
        widths.iter().all(|width| (1..=4096).contains(width))
            && (1..=128).contains(&self.keys)
            && usize::from(self.lowest_key) + self.keys <= 128
            && (self.keys..=1024).contains(&self.rows)
            && (1..=16).contains(&self.pair)
            && (1..=64).contains(&self.stem.bands)
            && (1..=64).contains(&self.stem.stride)
            && self.stem.steps % 2 == 1
            && self.stem.steps <= 63
            && (1..=64).contains(&self.shifts.len())
            && self.shifts.iter().all(|shift| shift.unsigned_abs() <= 1024)
            && self.blocks.len() <= 64
            && self.blocks.iter().all(BlockConfig::is_valid)
            && self.middle <= self.blocks.len()
    }

    fn has_valid_picking(&self) -> bool {
        let picking = &self.picking;
        [picking.onset, picking.sounding, picking.offset]
            .iter()
            .all(|&threshold| threshold > 0.0 && threshold < 1.0)
            && (1..=16).contains(&picking.reach_frames)
            && (0.0..=16.0).contains(&picking.most_shift_frames)
            && (1..=64).contains(&picking.shortest_frames)
            && (1..=16).contains(&picking.end_frames)
            && (1..=64).contains(&picking.family_steps)
    }
}

fn future(blocks: &[BlockConfig]) -> usize {
    blocks.iter().map(BlockConfig::future_frames).sum()
}

impl NetworkConfig for PitchConfig {
    fn front_end(&self) -> &LogBandsConfig {
        &self.front_end
    }

    fn lead_in_frames(&self) -> usize {
        0
    }

    fn delay_frames(&self) -> usize {
        self.pair * (self.stem_delay() + self.early_delay() + self.late_delay())
    }

    fn step_frames(&self) -> usize {
        self.pair
    }

    fn check(&self) -> Result<()> {
        if self.format != FORMAT {
            return Err(broken(format!("format {} is not {FORMAT}", self.format)));
        }
        if !self.is_in_range() {
            return Err(broken("its layer sizes are out of range"));
        }
        if !self.has_valid_picking() {
            return Err(broken("its rules of picking are out of range"));
        }
        let programs = self.families.iter().map(|family| family.program);
        if self.outputs != VALUES
            || !(1..=64).contains(&self.families.len())
            || programs.max() > Some(127)
        {
            return Err(broken(
                "its outputs or families are not those of this version",
            ));
        }
        self.front_end.validate().map_err(broken)?;
        if !matches!(self.front_end.reference, Reference::Loudest(_)) {
            return Err(broken("its front end is that of another network"));
        }
        let bands = self.stem.stride * (self.rows - 1) + self.stem.bands;
        if bands > self.front_end.bands {
            return Err(broken(format!("its keys need {bands} bands")));
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
