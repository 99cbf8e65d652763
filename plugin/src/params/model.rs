//! Which model hears the track: a field of the plugin's state.

use std::sync::atomic::{AtomicU64, Ordering};

use hitscribe::ModelChoice;
use nice_plug::params::persist::PersistentField;
use nice_plug::prelude::PluginState;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Name of the field in the state.
pub const FIELD: &str = "model";
/// Version of what is saved.
const FORMAT: u32 = 1;

/// The field as it is saved. Of a newer version what is known here is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedModel {
    format: u32,
    /// None for the built-in models.
    #[serde(default)]
    chosen: Option<ModelChoice>,
}

/// The model of an instance. Which it is can be asked on the audio thread ([`ModelField::tag`]).
#[derive(Default)]
pub struct ModelField {
    chosen: Mutex<Option<ModelChoice>>,
    tag: AtomicU64,
}

impl ModelField {
    /// The published model that was chosen; none for the built-in ones. Not for the audio thread.
    pub fn chosen(&self) -> Option<ModelChoice> {
        self.chosen.lock().clone()
    }

    /// Chooses a published model, or the built-in ones. Takes effect when the transport stops. A choice
    /// that can be nobody's counts as none. Not for the audio thread.
    pub fn choose(&self, choice: Option<ModelChoice>) {
        let choice = choice.filter(ModelChoice::is_sound);
        let mut chosen = self.chosen.lock();
        let tag = choice.as_ref().map_or(0, tag);
        *chosen = choice;
        self.tag.store(tag, Ordering::Release);
    }

    /// Stands for the choice: 0 for the built-in models. Real-time safe.
    pub fn tag(&self) -> u64 {
        self.tag.load(Ordering::Acquire)
    }
}

/// A number that is another for another model.
fn tag(choice: &ModelChoice) -> u64 {
    let digits = choice.sha256.get(..16).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default().max(1)
}

impl<'a> PersistentField<'a, SavedModel> for ModelField {
    fn set(&self, saved: SavedModel) {
        self.choose(saved.chosen);
    }

    fn map<F: Fn(&SavedModel) -> R, R>(&self, f: F) -> R {
        f(&SavedModel {
            format: FORMAT,
            chosen: self.chosen(),
        })
    }
}

/// Projects from before there was a choice were heard by the built-in models.
pub fn migrate(state: &mut PluginState) {
    let builtin = format!(r#"{{"format":{FORMAT},"chosen":null}}"#);
    state.fields.entry(FIELD.to_owned()).or_insert(builtin);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{HitscribeParams, clean_state};
    use nice_plug::prelude::Params as _;

    fn choice(first: char) -> ModelChoice {
        ModelChoice {
            name: "mt3".to_owned(),
            sha256: format!("{first}{}", "5".repeat(63)),
        }
    }

    fn loaded(params: &HitscribeParams, field: Option<&str>) -> Option<ModelChoice> {
        let mut state = PluginState {
            version: "0.1.0".to_owned(),
            params: Default::default(),
            fields: Default::default(),
        };
        if let Some(field) = field {
            state.fields.insert(FIELD.to_owned(), field.to_owned());
        }
        clean_state(&mut state);
        params.deserialize_fields(&state.fields);
        params.model.chosen()
    }

    #[test]
    fn the_choice_survives_the_state_and_states_without_one_are_built_in() {
        let params = HitscribeParams::default();
        assert_eq!((params.model.chosen(), params.model.tag()), (None, 0));
        params.model.choose(Some(choice('a')));
        let fields = params.serialize_fields();
        let other = HitscribeParams::default();
        let saved = fields.get(FIELD).unwrap();
        assert_eq!(loaded(&other, Some(saved)), Some(choice('a')));
        assert_eq!(other.model.tag(), params.model.tag());
        assert_eq!(loaded(&other, None), None);
        assert_eq!(other.model.tag(), 0);
    }

    #[test]
    fn tags_tell_models_apart_and_nonsense_is_no_choice() {
        let field = ModelField::default();
        let tags = ['0', '1', 'f'].map(|first| {
            field.choose(Some(choice(first)));
            field.tag()
        });
        assert!(tags[0] != tags[1] && tags[1] != tags[2] && !tags.contains(&0));
        field.choose(Some(ModelChoice {
            name: "x".to_owned(),
            sha256: "../../etc".to_owned(),
        }));
        assert_eq!((field.chosen(), field.tag()), (None, 0));
        let params = HitscribeParams::default();
        let newer = r#"{"format":9,"chosen":{"name":"n","sha256":"00"},"more":[1]}"#;
        assert_eq!(loaded(&params, Some(newer)), None);
    }
}
