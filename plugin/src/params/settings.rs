//! The settings of an instance: its state without what belongs to a project or a computer.

use std::collections::BTreeMap;

use nice_plug::params::Params as _;
use nice_plug::params::persist::PersistentField as _;
use nice_plug::prelude::{ParamSetter, PluginState};
use serde::{Deserialize, Serialize};

use crate::params::{HitscribeParams, own, sanitize};

/// Fields of the state that are no settings: the takes, the look of the window, the settings to
/// compare with, and the name of a GPU.
const PROJECT_FIELDS: [&str; 6] = ["take", "take-unread", "light", "window", "compare", "gpu"];
/// Parameters that are no settings: one fits one computer only, the other is an action.
const OTHER_PARAMS: [&str; 2] = ["device", "bypass"];

/// Leaves only settings in a state. What a state lacks stays as it is when it is loaded.
pub fn keep_settings(state: &mut PluginState) {
    fn without<T>(map: &mut BTreeMap<String, T>, names: &[&str]) {
        map.retain(|name, _| !names.contains(&name.as_str()));
    }
    without(&mut state.fields, &PROJECT_FIELDS);
    without(&mut state.params, &OTHER_PARAMS);
}

/// The fields that are settings. Not all of the state: the take may be large.
fn fields(params: &HitscribeParams) -> BTreeMap<String, String> {
    fn text(value: &impl Serialize) -> Option<String> {
        serde_json::to_string(value).ok()
    }
    let fields = [
        ("map", params.note_map.map(text)),
        ("model", params.model.map(text)),
        ("filetempo", text(&*params.import_tempo.lock())),
    ];
    let saved = fields.into_iter();
    saved
        .filter_map(|(name, text)| Some((name.to_owned(), text?)))
        .collect()
}

/// All settings of an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(PluginState);

impl PartialEq for Settings {
    fn eq(&self, other: &Self) -> bool {
        // The framework's values cannot be compared.
        serde_json::to_value(self).ok() == serde_json::to_value(other).ok()
    }
}

impl Settings {
    /// The current settings. Not for the audio thread.
    pub fn of(params: &HitscribeParams) -> Self {
        let mut state = PluginState {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            params: own::values(params),
            fields: fields(params),
        };
        keep_settings(&mut state);
        Self(state)
    }

    /// The settings in a state, which another version may have saved.
    pub fn of_state(mut state: PluginState) -> Self {
        sanitize(&mut state);
        keep_settings(&mut state);
        Self(state)
    }

    /// Makes these the settings of an instance. The host sees each changed parameter as an edit of
    /// the user; without one, as in tests, they are set at once. For the thread of the window.
    pub fn apply(&self, params: &HitscribeParams, setter: Option<&ParamSetter>) {
        // A project or a file may hold anything.
        let mut state = self.0.clone();
        keep_settings(&mut state);
        own::set_values(params, &state.params, setter);
        params.deserialize_fields(&state.fields);
    }

    /// The state that loads these settings.
    pub fn into_state(self) -> PluginState {
        self.0
    }
}

/// Settings with a name, as a file of the user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preset {
    format: u32,
    /// The name.
    pub name: String,
    /// The settings.
    pub settings: Settings,
}

/// Format version of presets.
const FORMAT: u32 = 1;

impl Preset {
    /// A preset with this name.
    pub fn new(name: String, settings: Settings) -> Self {
        let format = FORMAT;
        Self {
            format,
            name,
            settings,
        }
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// One line if it is no preset, or one of a newer format.
    pub fn parse(text: &str) -> Result<Self, String> {
        let preset: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if preset.format > FORMAT {
            let found = preset.format;
            return Err(format!("format {found}, this version reads up to {FORMAT}"));
        }
        let settings = Settings::of_state(preset.settings.0);
        Ok(Self { settings, ..preset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::choices::SourceChoice;
    use crate::params::own::set_for_test;

    #[test]
    fn settings_are_the_state_without_the_take_the_window_and_the_computer() {
        let params = HitscribeParams::default();
        let mut state = PluginState {
            version: String::new(),
            params: own::values(&params),
            fields: params.serialize_fields(),
        };
        keep_settings(&mut state);
        let settings = Settings::of(&params);
        assert_eq!(settings.0.fields, state.fields);
        let names: Vec<_> = settings.0.fields.keys().map(String::as_str).collect();
        assert_eq!(names, ["filetempo", "map", "model"]);
        assert_eq!(settings.0.params.len(), params.param_map().len() - 2);
    }

    #[test]
    fn a_preset_sets_everything_but_what_it_lacks_and_cannot_bring_a_take() {
        let params = HitscribeParams::default();
        set_for_test(&params.source, SourceChoice::Toms);
        set_for_test(&params.sensitivity, 0.75);
        set_for_test(&params.velocity_bend, -40);
        set_for_test(&params.swing, 0.625);
        set_for_test(&params.no_flams, true);
        set_for_test(&params.bypass, true);
        let preset = Preset::new("Toms".to_owned(), Settings::of(&params));
        let text = serde_json::to_string(&preset).unwrap();
        assert_eq!(Preset::parse(&text).unwrap(), preset);
        let other = HitscribeParams::default();
        preset.settings.apply(&other, None);
        assert_eq!(Settings::of(&other), preset.settings);
        assert_eq!(other.source.value(), SourceChoice::Toms);
        assert!(!other.bypass.value());

        let mut text: serde_json::Value = serde_json::from_str(&text).unwrap();
        text["settings"]["fields"]["take"] = "junk".into();
        text["settings"]["params"]["sens"] = serde_json::json!({"f32": 1e39});
        text["settings"]["params"]["vbend"] = serde_json::json!({"string": "odd"});
        text["settings"]["params"]["source"] = serde_json::json!({"string": "tuba"});
        let odd = Preset::parse(&text.to_string()).unwrap();
        let third = HitscribeParams::default();
        odd.settings.apply(&third, None);
        assert_eq!(third.take.problem(), None);
        assert_eq!(third.sensitivity.value(), 0.5);
        assert_eq!(third.velocity_bend.value(), 0);
        assert_eq!(third.source.value(), SourceChoice::DrumBus);
        assert_eq!(third.swing.value(), 0.625);
        text["format"] = 2.into();
        let newer = Preset::parse(&text.to_string()).unwrap_err();
        assert!(newer.contains("format 2"), "{newer}");
        assert!(Preset::parse("{}").is_err());
    }
}
