//! Note maps: key, channel and limits of each drum.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::DrumClass;
use crate::midi::channel::DRUM_CHANNEL;
use crate::note::Note;

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

    /// The entry with every value in its range.
    pub fn clamped(self) -> Self {
        Self {
            on: self.on,
            key: self.key.min(127),
            channel: self.channel.clamp(1, 16),
            min_velocity: self.min_velocity.clamp(1, 127),
            retrigger_ms: self.retrigger_ms.min(1000),
            sensitivity_percent: self.sensitivity_percent.clamp(-50, 50),
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
    /// One line that names the syntax error, the unknown field or the unknown drum class.
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
        if let Some(field) = unknown.next() {
            return Err(format!("unknown field `{field}`"));
        }
        let is_known = |key: &&String| DrumClass::ALL.iter().any(|class| class.key() == *key);
        match map.classes.keys().find(|key| !is_known(key)) {
            Some(key) => Err(format!("unknown drum class `{key}`")),
            None => Ok(map),
        }
    }

    /// The entry of a class.
    pub fn class(&self, class: DrumClass) -> ClassMap {
        self.classes
            .get(class.key())
            .map_or_else(|| ClassMap::gm(class), |map| map.clamped())
    }

    /// The notes as they are sent, each with its MIDI channel 0..=15 if it is a drum's: with the map's
    /// keys, without the hits that it leaves out. In order of onset.
    pub fn apply(&self, notes: &[Note]) -> Vec<(Note, Option<u8>)> {
        let entries = DrumClass::ALL.map(|class| self.class(class));
        let mut last_onsets = [f64::NEG_INFINITY; DrumClass::ALL.len()];
        let map = |note: &Note| {
            if !note.is_drum {
                return Some((*note, None));
            }
            let Some(class) = DrumClass::from_gm_note(note.pitch) else {
                return Some((*note, Some(DRUM_CHANNEL)));
            };
            let (entry, last_onset) = (entries[class.index()], &mut last_onsets[class.index()]);
            let is_retrigger =
                note.onset_seconds - *last_onset < f64::from(entry.retrigger_ms) / 1000.0;
            if !entry.on || note.velocity < entry.min_velocity || is_retrigger {
                return None;
            }
            *last_onset = note.onset_seconds;
            let note = Note {
                pitch: entry.key,
                ..*note
            };
            Some((note, Some(entry.channel - 1)))
        };
        let mut in_order: Vec<&Note> = notes.iter().collect();
        in_order.sort_by(|a, b| a.onset_seconds.total_cmp(&b.onset_seconds));
        in_order.into_iter().filter_map(map).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_and_classes_are_errors() {
        for text in [
            r#"{"name": "a", "classes": {"snare": {"key": 40, "velvet": 1}}}"#,
            r#"{"name": "a", "colour": "red", "classes": {"snare": {"key": 40}}}"#,
        ] {
            let error = NoteMap::parse(text).unwrap_err();
            assert!(error.contains("unknown field"), "{error}");
        }
        let class = r#"{"name": "a", "classes": {"snair": {"key": 40}}}"#;
        assert!(NoteMap::parse(class).unwrap_err().contains("`snair`"));
        assert!(NoteMap::parse("[]").is_err());
    }

    #[test]
    fn hits_get_the_keys_and_channels_of_the_map_or_are_left_out() {
        let text = r#"{"name": "a", "classes": {
            "kick": {"key": 24, "channel": 3, "min_velocity": 20},
            "snare": {"key": 40, "retrigger_ms": 50}, "ride": {"on": false}}}"#;
        let map = NoteMap::parse(text).unwrap();
        let hit = |class, seconds, velocity| Note::drum(class, seconds, velocity, 1.0);
        let notes = [
            hit(DrumClass::Kick, 0.0, 100),
            hit(DrumClass::Kick, 0.5, 19),
            hit(DrumClass::Snare, 1.0, 90),
            hit(DrumClass::Snare, 1.04, 90),
            hit(DrumClass::Snare, 1.06, 90),
            hit(DrumClass::Ride, 2.0, 90),
            hit(DrumClass::Crash, 3.0, 90),
        ];
        let sent = map.apply(&notes);
        let sent: Vec<_> = sent
            .iter()
            .map(|(note, channel)| (note.onset_seconds, note.pitch, *channel))
            .collect();
        let crash = DrumClass::Crash.gm_note();
        assert_eq!(
            sent,
            [
                (0.0, 24, Some(2)),
                (1.0, 40, Some(9)),
                (1.06, 40, Some(9)),
                (3.0, crash, Some(9)),
            ]
        );
    }
}
