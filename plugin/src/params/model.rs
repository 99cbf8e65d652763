//! The selected model, a field of the plugin's state.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

use hitscribe::ModelChoice;
use nice_plug::params::persist::PersistentField;
use nice_plug::prelude::PluginState;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Name of the field in the state.
pub const FIELD: &str = "model";
/// Format version of the field.
const FORMAT: u32 = 1;

/// Identifies the selected model on the audio thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelTag {
    /// The built-in models.
    #[default]
    Builtin,
    /// An imported model, by the start of its checksum.
    Imported(NonZeroU64),
}

impl ModelTag {
    fn of(choice: &ModelChoice) -> Self {
        let digits = choice.sha256.get(..16).unwrap_or_default();
        let number = u64::from_str_radix(digits, 16).unwrap_or_default();
        Self::Imported(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))
    }

    /// 0 for the built-in models.
    pub fn to_bits(self) -> u64 {
        match self {
            Self::Builtin => 0,
            Self::Imported(number) => number.get(),
        }
    }

    fn from_bits(bits: u64) -> Self {
        NonZeroU64::new(bits).map_or(Self::Builtin, Self::Imported)
    }
}

/// The field as it is saved. Fields that a newer version has added are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedModel {
    format: u32,
    /// None for the built-in models.
    #[serde(default)]
    chosen: Option<ModelChoice>,
}

/// The selected model of an instance.
#[derive(Default)]
pub struct ModelField {
    chosen: Mutex<Option<ModelChoice>>,
    /// Of the choice, as [`ModelTag::to_bits`].
    tag_bits: AtomicU64,
}

impl ModelField {
    /// The selected imported model, or none for the built-in ones. Not for the audio thread.
    pub fn chosen(&self) -> Option<ModelChoice> {
        self.chosen.lock().clone()
    }

    /// Selects an imported model, or the built-in ones. Takes effect when the transport is stopped.
    /// An invalid choice selects the built-in models. Not for the audio thread.
    pub fn choose(&self, choice: Option<ModelChoice>) {
        let choice = choice.filter(ModelChoice::is_sound);
        let mut chosen = self.chosen.lock();
        let tag = choice.as_ref().map_or(ModelTag::Builtin, ModelTag::of);
        *chosen = choice;
        self.tag_bits.store(tag.to_bits(), Ordering::Release);
    }

    /// Identifies the selected model. Real-time safe.
    pub fn tag(&self) -> ModelTag {
        ModelTag::from_bits(self.tag_bits.load(Ordering::Acquire))
    }
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

/// Adds the field to states without it. They were saved before there was a choice, so they use the
/// built-in models.
pub fn migrate(state: &mut PluginState) {
    let builtin = format!(r#"{{"format":{FORMAT},"chosen":null}}"#);
    state.fields.entry(FIELD.to_owned()).or_insert(builtin);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_distinguish_models_and_an_invalid_choice_selects_the_built_in_ones() {
        let field = ModelField::default();
        assert_eq!((field.chosen(), field.tag()), (None, ModelTag::Builtin));
        let tags = ['0', '1', 'f'].map(|first| {
            field.choose(Some(ModelChoice {
                name: "mt3".to_owned(),
                sha256: format!("{first}{}", "5".repeat(63)),
            }));
            field.tag()
        });
        assert!(tags[0] != tags[1] && tags[1] != tags[2]);
        assert!(!tags.contains(&ModelTag::Builtin));
        field.choose(Some(ModelChoice {
            name: "x".to_owned(),
            sha256: "../../etc".to_owned(),
        }));
        assert_eq!((field.chosen(), field.tag()), (None, ModelTag::Builtin));
    }
}
