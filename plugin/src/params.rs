//! The parameters, and what is saved with the project. Identifiers never change.

use hitscribe_engine::DrumClass;
use hitscribe_engine::device::DeviceChoice;
use hitscribe_engine::note::pick::Sensitivity;
use hitscribe_engine::stream::{Listening, MIN_HOP_FRAMES, Source};
use nice_plug::prelude::*;
use parking_lot::Mutex;

use crate::model::{self, ModelField};
use crate::note_map::NoteMapField;
use crate::performance::{Shaping, VelocityCurve};
use crate::quantize::{Grid, Quantize};
use crate::state::{TakeField, UnreadField};

/// What is on the track.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceChoice {
    /// The whole kit.
    #[id = "drum_bus"]
    #[name = "Drum bus"]
    DrumBus,
    /// Kick microphone.
    #[id = "kick"]
    #[name = "Kick"]
    Kick,
    /// Snare microphone.
    #[id = "snare"]
    #[name = "Snare"]
    Snare,
    /// Tom microphones.
    #[id = "toms"]
    #[name = "Toms"]
    Toms,
    /// Hi-hat microphone.
    #[id = "hats"]
    #[name = "Hi-hat"]
    Hats,
    /// Overhead or room microphones.
    #[id = "overheads"]
    #[name = "Overheads"]
    Overheads,
    /// Cymbal microphones.
    #[id = "cymbals"]
    #[name = "Cymbals"]
    Cymbals,
    /// Hand percussion.
    #[id = "percussion"]
    #[name = "Percussion"]
    Percussion,
    /// Bass alone.
    #[id = "bass"]
    #[name = "Bass"]
    Bass,
    /// Guitar alone.
    #[id = "guitar"]
    #[name = "Guitar"]
    Guitar,
    /// Keyboards alone.
    #[id = "keys"]
    #[name = "Keys"]
    Keys,
    /// Drums with other instruments.
    #[id = "full_mix"]
    #[name = "Full mix"]
    FullMix,
}

impl SourceChoice {
    /// The engine's name for it.
    pub fn source(self) -> Source {
        match self {
            Self::DrumBus => Source::DrumBus,
            Self::Kick => Source::Kick,
            Self::Snare => Source::Snare,
            Self::Toms => Source::Toms,
            Self::Hats => Source::Hats,
            Self::Overheads => Source::Overheads,
            Self::Cymbals => Source::Cymbals,
            Self::Percussion => Source::Percussion,
            Self::Bass => Source::Bass,
            Self::Guitar => Source::Guitar,
            Self::Keys => Source::Keys,
            Self::FullMix => Source::FullMix,
        }
    }
}

/// How sound and MIDI relate in time.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatencyMode {
    /// Audio untouched, MIDI a constant time later.
    #[id = "direct"]
    #[name = "Direct (MIDI later)"]
    Direct,
    /// Audio delayed by the same constant, which the host is told: both leave together.
    #[id = "aligned"]
    #[name = "Aligned (audio waits)"]
    Aligned,
}

/// Where the model computes.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceParam {
    /// A GPU where one can really be used, else the CPU.
    #[id = "auto"]
    #[name = "Auto"]
    Auto,
    /// The CPU.
    #[id = "cpu"]
    #[name = "CPU"]
    Cpu,
    /// The first GPU.
    #[id = "gpu"]
    #[name = "GPU"]
    Gpu,
}

impl DeviceParam {
    /// The engine's name for it; none where the user has not chosen.
    pub fn choice(self) -> Option<DeviceChoice> {
        match self {
            Self::Auto => None,
            Self::Cpu => Some(DeviceChoice::Cpu),
            Self::Gpu => Some(DeviceChoice::Cuda(0)),
        }
    }
}

/// Time between two runs of the engine: shorter is sooner and costs more.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// 256 ms.
    #[id = "256ms"]
    #[name = "256 ms"]
    Ms256,
    /// 512 ms.
    #[id = "512ms"]
    #[name = "512 ms"]
    Ms512,
    /// 1024 ms.
    #[id = "1024ms"]
    #[name = "1024 ms"]
    Ms1024,
    /// 2048 ms.
    #[id = "2048ms"]
    #[name = "2048 ms"]
    Ms2048,
}

impl Hop {
    /// The time in frames of the model, 8 ms each.
    pub const fn frames(self) -> usize {
        match self {
            Self::Ms256 => MIN_HOP_FRAMES,
            Self::Ms512 => 2 * MIN_HOP_FRAMES,
            Self::Ms1024 => 4 * MIN_HOP_FRAMES,
            Self::Ms2048 => 8 * MIN_HOP_FRAMES,
        }
    }

    /// The time in seconds.
    pub const fn seconds(self) -> f64 {
        self.frames() as f64 * 0.008
    }
}

/// Parameters and saved data.
#[derive(Params)]
pub struct HitscribeParams {
    /// Audio passes, nothing is transcribed.
    #[id = "bypass"]
    pub bypass: BoolParam,
    /// Takes pitched notes away where only drums can be.
    #[id = "leakage"]
    pub leakage_filter: BoolParam,
    /// 0 to 1.
    #[id = "sens"]
    pub sensitivity: FloatParam,
    /// What the track contains.
    #[id = "source"]
    pub source: EnumParam<SourceChoice>,
    /// Direct or Aligned; holds from the next start of the host's engine on.
    #[id = "mode"]
    pub latency_mode: EnumParam<LatencyMode>,
    /// Time between two runs; holds from the next start of the host's engine on.
    #[id = "hop"]
    pub hop: EnumParam<Hop>,
    /// Wait for the engine whatever the host says.
    #[id = "wait"]
    pub wait_for_every_note: BoolParam,
    /// The take keeps nothing of what is heard while the transport stands.
    #[id = "playonly"]
    pub records_playing_only: BoolParam,
    /// Where the model computes, for all instances of the process.
    #[id = "device"]
    pub device: EnumParam<DeviceParam>,
    /// Of a flam only the main stroke is played.
    #[id = "noflam"]
    pub no_flams: BoolParam,
    /// The hi-hat's pedal is sent as a controller.
    #[id = "pedal"]
    pub hat_pedal: BoolParam,
    /// Measured velocity that becomes the lowest.
    #[id = "vinlo"]
    pub velocity_in_low: IntParam,
    /// Measured velocity that becomes the highest.
    #[id = "vinhi"]
    pub velocity_in_high: IntParam,
    /// The lowest velocity that is sent.
    #[id = "voutlo"]
    pub velocity_out_low: IntParam,
    /// The highest velocity that is sent.
    #[id = "vouthi"]
    pub velocity_out_high: IntParam,
    /// How the curve bends between them, -100 to 100 %.
    #[id = "vbend"]
    pub velocity_bend: IntParam,
    /// Grid of exported notes.
    #[id = "grid"]
    pub grid: EnumParam<Grid>,
    /// How far they are drawn to it, 0 to 1.
    #[id = "gridpull"]
    pub grid_strength: FloatParam,
    /// Place of the second step of each pair, 0.5 to 0.75.
    #[id = "swing"]
    pub swing: FloatParam,
    /// Which note each drum becomes.
    #[persist = "map"]
    pub note_map: NoteMapField,
    /// What was heard.
    #[persist = "take"]
    pub take: TakeField,
    /// Takes of the project that this version cannot read.
    #[persist = "take-unread"]
    pub unread_takes: UnreadField,
    /// Which model hears it.
    #[persist = "model"]
    pub model: ModelField,
    /// Whether the editor is light instead of dark.
    #[persist = "light"]
    pub is_light: Mutex<bool>,
}

impl Default for HitscribeParams {
    fn default() -> Self {
        let take = TakeField::default();
        Self {
            bypass: BoolParam::new("Bypass", false).make_bypass(),
            leakage_filter: BoolParam::new("Leakage filter", true),
            sensitivity: share("Sensitivity", 0.5, 0.0, 1.0),
            source: EnumParam::new("Source", SourceChoice::DrumBus),
            latency_mode: EnumParam::new("Latency mode", LatencyMode::Direct).non_automatable(),
            hop: EnumParam::new("Hop", Hop::Ms512).non_automatable(),
            wait_for_every_note: BoolParam::new("Wait for every note", false).non_automatable(),
            records_playing_only: BoolParam::new("Take only while playing", false)
                .non_automatable(),
            device: EnumParam::new("Device", DeviceParam::Auto).non_automatable(),
            no_flams: BoolParam::new("Main strokes of flams only", false),
            hat_pedal: BoolParam::new("Hi-hat pedal as CC 4", false),
            velocity_in_low: velocity("Velocity in, low", 1),
            velocity_in_high: velocity("Velocity in, high", 127),
            velocity_out_low: velocity("Velocity out, low", 1),
            velocity_out_high: velocity("Velocity out, high", 127),
            velocity_bend: IntParam::new(
                "Velocity bend",
                0,
                IntRange::Linear {
                    min: -100,
                    max: 100,
                },
            )
            .with_unit(" %"),
            grid: EnumParam::new("Grid of exports", Grid::Off).non_automatable(),
            grid_strength: share("Grid strength", 1.0, 0.0, 1.0).non_automatable(),
            swing: share("Swing", 0.5, 0.5, 0.75).non_automatable(),
            note_map: NoteMapField::default(),
            unread_takes: take.unread(),
            take,
            model: ModelField::default(),
            is_light: Mutex::new(false),
        }
    }
}

fn velocity(name: &str, default: i32) -> IntParam {
    IntParam::new(name, default, IntRange::Linear { min: 1, max: 127 })
}

/// A number that people read in per cent.
fn share(name: &str, default: f32, min: f32, max: f32) -> FloatParam {
    FloatParam::new(name, default, FloatRange::Linear { min, max })
        .with_unit(" %")
        .with_value_to_string(formatters::v2s_f32_percentage(0))
        .with_string_to_value(formatters::s2v_f32_percentage())
}

impl HitscribeParams {
    /// What the engine needs to know of them.
    pub fn listening(&self) -> Listening {
        Listening {
            source: self.source.value().source(),
            sensitivity: Sensitivity {
                overall: self.sensitivity.value().clamp(0.0, 1.0),
                by_class: DrumClass::ALL
                    .map(|class| f32::from(self.note_map.class(class).sensitivity_percent) / 100.0),
            },
            records_playing_only: self.records_playing_only.value(),
        }
    }

    /// What becomes of notes beside the note map. Real-time safe.
    pub fn shaping(&self) -> Shaping {
        let velocity = |param: &IntParam| param.value().clamp(1, 127) as u8;
        Shaping {
            velocity: VelocityCurve {
                in_low: velocity(&self.velocity_in_low),
                in_high: velocity(&self.velocity_in_high),
                out_low: velocity(&self.velocity_out_low),
                out_high: velocity(&self.velocity_out_high),
                bend_percent: self.velocity_bend.value().clamp(-100, 100) as i8,
            },
            hat_pedal: self.hat_pedal.value(),
            no_flams: self.no_flams.value(),
        }
    }

    /// How exported notes are drawn to the grid.
    pub fn quantize(&self) -> Quantize {
        Quantize {
            grid: self.grid.value(),
            strength: f64::from(self.grid_strength.value()),
            swing: f64::from(self.swing.value()),
        }
    }
}

/// Removes what would harm from a state that may come from anywhere, and adds what older ones lack.
pub fn clean_state(state: &mut PluginState) {
    use nice_plug::plugin::ParamValue;
    model::migrate(state);
    state
        .params
        .retain(|_, value| !matches!(value, ParamValue::F32(v) if !v.is_finite()));
}
