//! The parameters, and what is saved with the project. Identifiers never change.

pub mod choices;
pub mod model;
pub mod take;

use hitscribe::drums::candidate::Sensitivity;
use hitscribe_core::DrumClass;
use hitscribe_live::LiveSettings;
use nice_plug::prelude::*;
use parking_lot::Mutex;

use crate::notes::mapper::Shaping;
use crate::notes::note_map::NoteMapField;
use crate::notes::quantize::{Grid, Quantize};
use crate::notes::velocity_curve::VelocityCurve;
pub use crate::params::choices::{DeviceParam, Hop, LatencyMode, SourceChoice};
use crate::params::model::ModelField;
use crate::params::take::{TakeField, UnreadField};

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
    pub fn listening(&self) -> LiveSettings {
        LiveSettings {
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
