//! The parameters and the other fields of the saved state. Identifiers never change.

pub mod choices;
pub mod compare;
pub mod device;
pub mod host_menu;
pub mod indications;
pub mod latency_key;
pub mod model;
#[expect(unsafe_code, reason = "the framework's pointer to a parameter")]
pub mod own;
pub mod settings;
pub mod take;
pub mod window_shape;

use std::sync::Arc;

use hitscribe::Sensitivity;
use hitscribe_core::DrumClass;
use hitscribe_live::LiveSettings;
use hitscribe_live::take::Detection;
use nice_plug::prelude::*;
use parking_lot::Mutex;

use crate::notes::mapper::Shaping;
use crate::notes::note_map::NoteMapField;
use crate::notes::quantize::{Grid, Quantize};
use crate::notes::velocity_curve::VelocityCurve;
use crate::params::choices::{DeviceParam, Hop, ImportTempo, LatencyMode, SourceChoice};
use crate::params::compare::Compare;
use crate::params::indications::Indications;
use crate::params::latency_key::LatencyKey;
use crate::params::model::ModelField;
use crate::params::take::{TakeField, UnreadField};
use crate::params::window_shape::WindowShape;

/// Parameters and saved fields.
#[derive(Params)]
pub struct HitscribeParams {
    /// Pass the audio through and transcribe nothing.
    #[id = "bypass"]
    pub bypass: BoolParam,
    /// Remove pitched notes that are really drum hits.
    #[id = "leakage"]
    pub leakage_filter: BoolParam,
    /// Detection sensitivity, 0 to 1.
    #[id = "sens"]
    pub sensitivity: FloatParam,
    /// The instrument or microphone on the track.
    #[id = "source"]
    pub source: EnumParam<SourceChoice>,
    /// Direct or Aligned. A change takes effect when the transport is stopped.
    #[id = "mode"]
    pub latency_mode: EnumParam<LatencyMode>,
    /// Time between two engine runs. A change takes effect when the transport is stopped.
    #[id = "hop"]
    pub hop: EnumParam<Hop>,
    /// Wait for the engine even if the host does not render.
    #[id = "wait"]
    pub wait_for_every_note: BoolParam,
    /// Keep the take unchanged while the transport is stopped.
    #[id = "playonly"]
    pub records_playing_only: BoolParam,
    /// Device that runs the models, for all instances of the process.
    #[id = "device"]
    pub device: EnumParam<DeviceParam>,
    /// Ignore the grace notes of flams.
    #[id = "noflam"]
    pub no_flams: BoolParam,
    /// Send the hi-hat pedal position as a controller.
    #[id = "pedal"]
    pub hat_pedal: BoolParam,
    /// Measured velocity that becomes the lowest output velocity.
    #[id = "vinlo"]
    pub velocity_in_low: IntParam,
    /// Measured velocity that becomes the highest output velocity.
    #[id = "vinhi"]
    pub velocity_in_high: IntParam,
    /// Lowest output velocity.
    #[id = "voutlo"]
    pub velocity_out_low: IntParam,
    /// Highest output velocity.
    #[id = "vouthi"]
    pub velocity_out_high: IntParam,
    /// Curvature of the velocity curve, -100 to 100 %.
    #[id = "vbend"]
    pub velocity_bend: IntParam,
    /// Quantization grid of exported notes.
    #[id = "grid"]
    pub grid: EnumParam<Grid>,
    /// Quantization strength, 0 to 1.
    #[id = "gridpull"]
    pub grid_strength: FloatParam,
    /// Position of every second grid step within its pair, 0.5 to 0.75.
    #[id = "swing"]
    pub swing: FloatParam,
    /// Key, channel and limits of each drum.
    #[persist = "map"]
    pub note_map: NoteMapField,
    /// The take.
    #[persist = "take"]
    pub take: TakeField,
    /// Takes of the loaded project that this version cannot read.
    #[persist = "take-unread"]
    pub unread_takes: UnreadField,
    /// The selected model.
    #[persist = "model"]
    pub model: ModelField,
    /// Whose tempo opened recordings get.
    #[persist = "filetempo"]
    pub import_tempo: Mutex<ImportTempo>,
    /// The name of the GPU, if the device is one; empty for the best.
    #[persist = "gpu"]
    pub gpu_name: Mutex<String>,
    /// The settings to compare with.
    #[persist = "compare"]
    pub compare: Mutex<Compare>,
    /// Whether the editor uses its light look.
    #[persist = "light"]
    pub is_light: Mutex<bool>,
    /// Size and zoom of the editor's window.
    #[persist = "window"]
    pub window: Mutex<WindowShape>,
    /// How the host uses the parameters. Not saved.
    pub indications: Arc<Indications>,
}

impl Default for HitscribeParams {
    fn default() -> Self {
        let take = TakeField::default();
        Self {
            bypass: BoolParam::new("Bypass", false).make_bypass(),
            leakage_filter: BoolParam::new("Leakage filter", true),
            sensitivity: percentage("Sensitivity", 0.5, 0.0, 1.0),
            source: EnumParam::new("Source", SourceChoice::DrumBus),
            latency_mode: EnumParam::new("Latency mode", LatencyMode::Direct).non_automatable(),
            hop: EnumParam::new("Hop", Hop::Ms64).non_automatable(),
            wait_for_every_note: BoolParam::new("Wait for every note", false).non_automatable(),
            records_playing_only: BoolParam::new("Capture during playback only", true)
                .non_automatable(),
            device: EnumParam::new("Device", DeviceParam::Auto).non_automatable(),
            no_flams: BoolParam::new("Ignore grace notes", false),
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
            grid: EnumParam::new("Quantize exports", Grid::Off).non_automatable(),
            grid_strength: percentage("Quantize strength", 1.0, 0.0, 1.0).non_automatable(),
            swing: percentage("Swing", 0.5, 0.5, 0.75).non_automatable(),
            note_map: NoteMapField::default(),
            unread_takes: take.unread(),
            take,
            model: ModelField::default(),
            import_tempo: Mutex::default(),
            gpu_name: Mutex::default(),
            compare: Mutex::default(),
            is_light: Mutex::new(false),
            window: Mutex::default(),
            indications: Arc::default(),
        }
    }
}

/// The group in which hosts list a parameter: a module in CLAP, a unit in VST3. Empty for bypass.
fn group(id: &str) -> &'static str {
    match id {
        "sens" | "source" | "leakage" => "Detection",
        "noflam" | "pedal" => "Drums",
        "vinlo" | "vinhi" | "voutlo" | "vouthi" | "vbend" => "Velocity",
        "grid" | "gridpull" | "swing" => "Quantize",
        "mode" | "hop" | "wait" | "playonly" | "device" => "Engine",
        _ => "",
    }
}

fn velocity(name: &str, default: i32) -> IntParam {
    IntParam::new(name, default, IntRange::Linear { min: 1, max: 127 })
}

/// A parameter that is shown as a percentage.
fn percentage(name: &str, default: f32, min: f32, max: f32) -> FloatParam {
    FloatParam::new(name, default, FloatRange::Linear { min, max })
        .with_unit(" %")
        .with_value_to_string(formatters::v2s_f32_percentage(0))
        .with_string_to_value(formatters::s2v_f32_percentage())
}

impl HitscribeParams {
    /// The values that the engine needs. Real-time safe.
    pub fn live_settings(&self) -> LiveSettings {
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

    /// The values by which notes are selected from what was recorded.
    pub fn detection(&self) -> Detection {
        let LiveSettings {
            source,
            sensitivity,
            ..
        } = self.live_settings();
        Detection {
            source,
            sensitivity,
        }
    }

    /// The values that change notes, apart from the note map. Real-time safe.
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

    /// The values that determine the delay. Real-time safe.
    pub fn latency_key(&self) -> LatencyKey {
        LatencyKey {
            mode: self.latency_mode.value(),
            hop: self.hop.value(),
            is_pitched: self
                .source
                .value()
                .source()
                .parts()
                .pitched_program
                .is_some(),
            model: self.model.tag(),
        }
    }

    /// Quantization of exported notes.
    pub fn quantize(&self) -> Quantize {
        Quantize {
            grid: self.grid.value(),
            strength: f64::from(self.grid_strength.value()),
            swing: f64::from(self.swing.value()),
        }
    }
}

/// Removes invalid values from a loaded state and adds the fields that older versions did not save.
pub fn sanitize(state: &mut PluginState) {
    use nice_plug::plugin::ParamValue;
    model::migrate(state);
    // The default before there was another one.
    let recorded_always = ParamValue::Bool(false);
    let playing_only = state.params.entry("playonly".to_owned());
    playing_only.or_insert(recorded_always);
    state
        .params
        .retain(|_, value| !matches!(value, ParamValue::F32(v) if !v.is_finite()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::model::{FIELD, ModelTag};
    use hitscribe::ModelChoice;

    fn loaded_model(params: &HitscribeParams, field: Option<&str>) -> Option<ModelChoice> {
        let mut state = PluginState {
            version: "0.1.0".to_owned(),
            params: Default::default(),
            fields: Default::default(),
        };
        if let Some(field) = field {
            state.fields.insert(FIELD.to_owned(), field.to_owned());
        }
        sanitize(&mut state);
        params.deserialize_fields(&state.fields);
        params.model.chosen()
    }

    #[test]
    fn the_selected_model_is_saved_and_older_states_select_the_built_in_ones() {
        let choice = ModelChoice {
            name: "mt3".to_owned(),
            sha256: format!("a{}", "5".repeat(63)),
        };
        let params = HitscribeParams::default();
        params.model.choose(Some(choice.clone()));
        let fields = params.serialize_fields();
        let other = HitscribeParams::default();
        let saved = fields.get(FIELD).unwrap();
        assert_eq!(loaded_model(&other, Some(saved)), Some(choice));
        assert_eq!(other.model.tag(), params.model.tag());
        assert_eq!(loaded_model(&other, None), None);
        assert_eq!(other.model.tag(), ModelTag::Builtin);
    }

    #[test]
    fn new_instances_record_during_playback_only_and_older_states_as_before() {
        use nice_plug::plugin::ParamValue;
        assert!(HitscribeParams::default().records_playing_only.value());
        for saved in [None, Some(true), Some(false)] {
            let mut state = PluginState {
                version: "0.1.0".to_owned(),
                params: Default::default(),
                fields: Default::default(),
            };
            if let Some(value) = saved {
                let value = ParamValue::Bool(value);
                state.params.insert("playonly".to_owned(), value);
            }
            sanitize(&mut state);
            let is_expected = matches!(state.params["playonly"], ParamValue::Bool(value)
                if value == saved.unwrap_or(false));
            assert!(is_expected, "{saved:?}");
        }
    }

    #[test]
    fn every_parameter_but_bypass_is_in_a_group() {
        let params = own::Grouped(HitscribeParams::default().into());
        let map = params.param_map();
        assert_eq!(map.len(), 19);
        let without: Vec<_> = map.iter().filter(|(.., group)| group.is_empty()).collect();
        assert_eq!(without.len(), 1);
        assert_eq!(without[0].0, "bypass");
    }

    #[test]
    fn a_newer_state_with_an_invalid_model_selects_the_built_in_ones() {
        let params = HitscribeParams::default();
        let newer = r#"{"format":9,"chosen":{"name":"n","sha256":"00"},"more":[1]}"#;
        assert_eq!(loaded_model(&params, Some(newer)), None);
    }
}
