//! The parameters, and what is saved with the project. Identifiers never change.

use hitscribe_engine::stream::{Listening, MIN_HOP_FRAMES, Source};
use nice_plug::prelude::*;

use crate::note_map::NoteMapField;
use crate::state::TakeField;

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
    /// Cymbal microphones.
    #[id = "cymbals"]
    #[name = "Cymbals"]
    Cymbals,
    /// Hand percussion.
    #[id = "percussion"]
    #[name = "Percussion"]
    Percussion,
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
            Self::Cymbals => Source::Cymbals,
            Self::Percussion => Source::Percussion,
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
    /// Which note each drum becomes.
    #[persist = "map"]
    pub note_map: NoteMapField,
    /// What was heard.
    #[persist = "take"]
    pub take: TakeField,
}

impl Default for HitscribeParams {
    fn default() -> Self {
        Self {
            bypass: BoolParam::new("Bypass", false).make_bypass(),
            leakage_filter: BoolParam::new("Leakage filter", true),
            sensitivity: FloatParam::new(
                "Sensitivity",
                0.5,
                FloatRange::Linear { min: 0.0, max: 1.0 },
            )
            .with_unit(" %")
            .with_value_to_string(formatters::v2s_f32_percentage(0))
            .with_string_to_value(formatters::s2v_f32_percentage()),
            source: EnumParam::new("Source", SourceChoice::DrumBus),
            latency_mode: EnumParam::new("Latency mode", LatencyMode::Direct).non_automatable(),
            hop: EnumParam::new("Hop", Hop::Ms512).non_automatable(),
            wait_for_every_note: BoolParam::new("Wait for every note", false).non_automatable(),
            note_map: NoteMapField::default(),
            take: TakeField::default(),
        }
    }
}

impl HitscribeParams {
    /// What the engine needs to know of them.
    pub fn listening(&self) -> Listening {
        Listening {
            source: self.source.value().source(),
            sensitivity: self.sensitivity.value().clamp(0.0, 1.0),
        }
    }
}

/// Removes what would harm from a state that may come from anywhere.
pub fn clean_state(state: &mut PluginState) {
    use nice_plug::plugin::ParamValue;
    state
        .params
        .retain(|_, value| !matches!(value, ParamValue::F32(v) if !v.is_finite()));
}
