//! Notes of golden files, and their comparison.

use hitscribe_core::Note;
use serde::Deserialize;
use serde_json::Value;

use crate::golden::f64_of;

/// A note as written in most golden files. Times are in seconds.
#[derive(Deserialize, Clone)]
pub struct GoldenNote {
    /// Onset.
    pub start: f64,
    /// Offset.
    pub end: f64,
    /// MIDI key.
    pub pitch: u8,
    /// MIDI velocity.
    #[serde(default = "default_velocity")]
    pub velocity: u8,
    /// General MIDI program.
    pub program: u8,
    /// Whether `pitch` is a percussion key.
    pub is_drum: bool,
}

fn default_velocity() -> u8 {
    100
}

impl From<&GoldenNote> for Note {
    fn from(n: &GoldenNote) -> Self {
        Self {
            offset_seconds: n.end,
            ..note(n.start, 0.0, n.pitch, n.velocity, n.program, n.is_drum)
        }
    }
}

/// Converts golden notes.
pub fn notes(golden: &[GoldenNote]) -> Vec<Note> {
    golden.iter().map(Note::from).collect()
}

/// A note of confidence 1; `start` and `length` are in seconds.
pub fn note(start: f64, length: f64, pitch: u8, velocity: u8, program: u8, is_drum: bool) -> Note {
    Note {
        onset_seconds: start,
        offset_seconds: start + length,
        pitch,
        velocity,
        program,
        is_drum,
        openness: None,
        confidence: 1.0,
    }
}

/// A note of the MT3 golden files.
pub fn mt3_note(value: &Value) -> Note {
    let golden = GoldenNote::deserialize(value).expect("a note");
    Note::from(&golden)
}

/// A note of the YourMT3 golden files, which name the times differently and have no velocities.
pub fn yourmt3_note(value: &Value) -> Note {
    let byte = |name: &str| value[name].as_u64().expect(name) as u8;
    let is_drum = value["is_drum"].as_bool().expect("is_drum");
    let program = if is_drum { 0 } else { byte("program") };
    Note {
        offset_seconds: f64_of(&value["offset"]),
        ..note(
            f64_of(&value["onset"]),
            0.0,
            byte("pitch"),
            100,
            program,
            is_drum,
        )
    }
}

/// Asserts that two lists of notes are equal, with times within 1e-9 s. `name` is printed on
/// failure.
pub fn assert_notes(name: &str, got: &[Note], want: &[Note]) {
    assert_eq!(
        got.len(),
        want.len(),
        "{name}: number of notes\n got {got:#?}\nwant {want:#?}"
    );
    for (position, (got, want)) in got.iter().zip(want).enumerate() {
        let same = (got.onset_seconds - want.onset_seconds).abs() < 1e-9
            && (got.offset_seconds - want.offset_seconds).abs() < 1e-9
            && (got.pitch, got.velocity, got.program, got.is_drum)
                == (want.pitch, want.velocity, want.program, want.is_drum);
        assert!(same, "{name}: note {position}\n got {got:?}\nwant {want:?}");
    }
}
