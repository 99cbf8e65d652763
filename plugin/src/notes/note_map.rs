//! The note map: key, channel and limits of each drum.
//!
//! Presets are the JSON files in `presets/note-maps`. The map of an instance is saved with the
//! project; the audio thread reads it without locks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use hitscribe_core::DrumClass;
use nice_plug::params::persist::PersistentField;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Number of drum classes.
const CLASSES: usize = DrumClass::ALL.len();

/// The built-in presets.
const PRESETS: [&str; 15] = [
    include_str!("../../../presets/note-maps/general-midi.json"),
    include_str!("../../../presets/note-maps/roland-td.json"),
    include_str!("../../../presets/note-maps/pads-from-c1.json"),
    include_str!("../../../presets/note-maps/one-channel-per-piece.json"),
    include_str!("../../../presets/note-maps/mpe-channels.json"),
    include_str!("../../../presets/note-maps/bfd3.json"),
    include_str!("../../../presets/note-maps/ggd-invasion.json"),
    include_str!("../../../presets/note-maps/logic-drum-kit-designer.json"),
    include_str!("../../../presets/note-maps/ml-drums.json"),
    include_str!("../../../presets/note-maps/mt-power-drum-kit.json"),
    include_str!("../../../presets/note-maps/ni-studio-drummer.json"),
    include_str!("../../../presets/note-maps/steven-slate-drums-5.json"),
    include_str!("../../../presets/note-maps/toontrack-ezdrummer-3.json"),
    include_str!("../../../presets/note-maps/toontrack-superior-drummer-3.json"),
    include_str!("../../../presets/note-maps/xln-addictive-drums-2.json"),
];

/// The fields of a note map file.
const MAP_FIELDS: [&str; 3] = ["name", "source", "classes"];

/// How the hits of one class are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassMap {
    /// Whether hits of this class are sent at all.
    pub on: bool,
    /// MIDI key 0..=127.
    pub key: u8,
    /// MIDI channel 1..=16.
    pub channel: u8,
    /// Hits with a lower velocity are dropped; 1..=127.
    pub min_velocity: u8,
    /// A hit this soon after the last one of its class is dropped; 0..=1000 ms.
    pub retrigger_ms: u16,
    /// Added to the overall sensitivity for this class; -50..=50 %.
    pub sensitivity_percent: i8,
}

impl Default for ClassMap {
    fn default() -> Self {
        Self {
            on: true,
            key: 36,
            channel: 10,
            min_velocity: 1,
            retrigger_ms: 0,
            sensitivity_percent: 0,
        }
    }
}

/// A note map. Unknown fields are ignored in a saved state, where they come from newer versions,
/// and are errors in files, where they are typing errors: see [`NoteMap::parse`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteMap {
    /// Display name.
    pub name: String,
    /// Where a drum library's keys are documented; empty for the user's own maps.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// By [`DrumClass::key`]. Missing classes use General MIDI.
    pub classes: BTreeMap<String, ClassMap>,
}

impl ClassMap {
    /// The General MIDI key on channel 10.
    pub fn gm(class: DrumClass) -> Self {
        Self {
            key: class.gm_note(),
            ..Self::default()
        }
    }

    fn clamped(self) -> Self {
        Self {
            on: self.on,
            key: self.key.min(127),
            channel: self.channel.clamp(1, 16),
            min_velocity: self.min_velocity.clamp(1, 127),
            retrigger_ms: self.retrigger_ms.min(1000),
            sensitivity_percent: self.sensitivity_percent.clamp(-50, 50),
        }
    }

    fn packed(self) -> u64 {
        u64::from(self.on)
            | u64::from(self.key) << 8
            | u64::from(self.channel) << 16
            | u64::from(self.min_velocity) << 24
            | u64::from(self.retrigger_ms) << 32
            | u64::from(self.sensitivity_percent as u8) << 48
    }

    fn unpacked(word: u64) -> Self {
        Self {
            on: word & 1 != 0,
            key: (word >> 8) as u8,
            channel: (word >> 16) as u8,
            min_velocity: (word >> 24) as u8,
            retrigger_ms: (word >> 32) as u16,
            sensitivity_percent: (word >> 48) as i8,
        }
    }
}

impl NoteMap {
    /// The General MIDI map.
    pub fn gm() -> Self {
        Self {
            name: "General MIDI".to_owned(),
            source: String::new(),
            classes: BTreeMap::new(),
        }
    }

    /// Parses the text of a file.
    ///
    /// # Errors
    /// One line that names the syntax error or the unknown field.
    pub fn parse(text: &str) -> Result<Self, String> {
        let map: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let fields = |value: &Value| -> Vec<String> {
            let object = value.as_object().into_iter().flatten();
            object.map(|(field, _)| field.clone()).collect()
        };
        let known = serde_json::to_value(ClassMap::default()).map_err(|error| error.to_string())?;
        let known = fields(&known);
        let classes = value["classes"].as_object().into_iter().flatten();
        let in_classes = classes.flat_map(|(_, class)| fields(class));
        let outside = fields(&value).into_iter();
        let mut unknown = in_classes
            .filter(|field| !known.contains(field))
            .chain(outside.filter(|field| !MAP_FIELDS.contains(&field.as_str())));
        match unknown.next() {
            Some(field) => Err(format!("unknown field `{field}`")),
            None => Ok(map),
        }
    }

    /// The entry of a class.
    pub fn class(&self, class: DrumClass) -> ClassMap {
        self.classes
            .get(class.key())
            .map_or_else(|| ClassMap::gm(class), |map| map.clamped())
    }

    /// The built-in presets. The first is General MIDI.
    pub fn presets() -> Vec<Self> {
        PRESETS
            .iter()
            .filter_map(|text| Self::parse(text).ok())
            .collect()
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
        ClassMap::unpacked(self.words[class.index()].load(Ordering::Relaxed))
    }

    /// Replaces the entry of a class.
    pub fn set_class(&self, class: DrumClass, map: ClassMap) {
        self.words[class.index()].store(map.clamped().packed(), Ordering::Relaxed);
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
    fn every_preset_lists_all_classes_with_distinct_keys() {
        let presets = NoteMap::presets();
        assert_eq!(presets.len(), PRESETS.len(), "a preset cannot be read");
        assert_eq!(
            presets[0].class(DrumClass::Kick),
            ClassMap::gm(DrumClass::Kick)
        );
        let mut names: Vec<&str> = presets.iter().map(|preset| preset.name.as_str()).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        for preset in presets {
            let mut keys: Vec<&str> = preset.classes.keys().map(String::as_str).collect();
            let mut known = DrumClass::ALL.map(DrumClass::key).to_vec();
            keys.sort_unstable();
            known.sort_unstable();
            assert_eq!(keys, known, "{}", preset.name);
            let sent = DrumClass::ALL.map(|class| preset.class(class));
            assert!(sent[DrumClass::Kick.index()].on && sent[DrumClass::Snare.index()].on);
            let mut destinations: Vec<(u8, u8)> = sent
                .iter()
                .filter(|map| map.on)
                .map(|map| (map.channel, map.key))
                .collect();
            destinations.sort_unstable();
            assert!(
                destinations.windows(2).all(|pair| pair[0] != pair[1]),
                "{}",
                preset.name
            );
        }
    }

    #[test]
    fn unknown_fields_are_errors_in_files_and_ignored_in_states() {
        for text in [
            r#"{"name": "a", "classes": {"snare": {"key": 40, "velvet": 1}}}"#,
            r#"{"name": "a", "colour": "red", "classes": {"snare": {"key": 40}}}"#,
        ] {
            let error = NoteMap::parse(text).unwrap_err();
            assert!(error.contains("unknown field"), "{error}");
            let field = NoteMapField::default();
            field.set(serde_json::from_str(text).unwrap());
            assert_eq!(field.class(DrumClass::Snare).key, 40);
        }
        assert!(NoteMap::parse("[]").is_err());
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
