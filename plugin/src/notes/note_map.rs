//! The note map of an instance, which is saved with the project. The audio thread reads it without
//! locks.

use std::sync::atomic::{AtomicU64, Ordering};

use hitscribe_core::DrumClass;
use hitscribe_core::midi::{ClassMap, NoteMap};
use nice_plug::params::persist::PersistentField;
use parking_lot::Mutex;

/// Number of drum classes.
const CLASSES: usize = DrumClass::ALL.len();

/// The entry in one word, so that the audio thread reads it without locks.
fn packed(map: ClassMap) -> u64 {
    u64::from(map.on)
        | u64::from(map.key) << 8
        | u64::from(map.channel) << 16
        | u64::from(map.min_velocity) << 24
        | u64::from(map.retrigger_ms) << 32
        | u64::from(map.sensitivity_percent as u8) << 48
}

/// The inverse of [`packed`].
fn unpacked(word: u64) -> ClassMap {
    ClassMap {
        on: word & 1 != 0,
        key: (word >> 8) as u8,
        channel: (word >> 16) as u8,
        min_velocity: (word >> 24) as u8,
        retrigger_ms: (word >> 32) as u16,
        sensitivity_percent: (word >> 48) as i8,
    }
}

/// The note map of an instance, a field of the plugin's state.
pub struct NoteMapField {
    words: [AtomicU64; CLASSES],
    name: Mutex<String>,
}

impl Default for NoteMapField {
    fn default() -> Self {
        let field = Self {
            words: [const { AtomicU64::new(0) }; CLASSES],
            name: Mutex::default(),
        };
        field.replace(&NoteMap::gm());
        field
    }
}

impl NoteMapField {
    /// The entry of a class. Real-time safe.
    pub fn class(&self, class: DrumClass) -> ClassMap {
        unpacked(self.words[class.index()].load(Ordering::Relaxed))
    }

    /// Replaces the entry of a class.
    pub fn set_class(&self, class: DrumClass, map: ClassMap) {
        self.words[class.index()].store(packed(map.clamped()), Ordering::Relaxed);
    }

    /// Name of the last selected map.
    pub fn name(&self) -> String {
        self.name.lock().clone()
    }

    /// Replaces all entries.
    pub fn replace(&self, map: &NoteMap) {
        for class in DrumClass::ALL {
            self.set_class(class, map.class(class));
        }
        self.name.lock().clone_from(&map.name);
    }

    /// The current map.
    pub fn current(&self) -> NoteMap {
        let classes = DrumClass::ALL.map(|class| (class.key().to_owned(), self.class(class)));
        NoteMap {
            name: self.name(),
            source: String::new(),
            classes: classes.into(),
        }
    }
}

impl<'a> PersistentField<'a, NoteMap> for NoteMapField {
    fn set(&self, map: NoteMap) {
        self.replace(&map);
    }

    fn map<F: Fn(&NoteMap) -> R, R>(&self, f: F) -> R {
        f(&self.current())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_of_a_state_are_ignored() {
        let text =
            r#"{"name": "a", "colour": "red", "classes": {"snare": {"key": 40, "velvet": 1}}}"#;
        let field = NoteMapField::default();
        field.set(serde_json::from_str(text).unwrap());
        assert_eq!(field.class(DrumClass::Snare).key, 40);
    }

    #[test]
    fn a_map_is_restored_and_invalid_values_are_clamped() {
        let field = NoteMapField::default();
        let odd = ClassMap {
            on: true,
            key: 200,
            channel: 0,
            min_velocity: 0,
            retrigger_ms: 9999,
            sensitivity_percent: -99,
        };
        field.set_class(DrumClass::Snare, odd);
        let now = field.class(DrumClass::Snare);
        assert_eq!(
            (now.key, now.channel, now.min_velocity, now.retrigger_ms),
            (127, 1, 1, 1000)
        );
        assert_eq!(now.sensitivity_percent, -50);
        let other = NoteMapField::default();
        let text = field.map(|map| serde_json::to_string(map).unwrap());
        other.set(serde_json::from_str(&text).unwrap());
        assert_eq!(other.current(), field.current());
    }
}
