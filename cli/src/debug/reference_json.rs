//! Notes, faults and MIDI files in the format of the golden data.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hitscribe_core::Note;
use hitscribe_core::tokens::yourmt3::{DRUM_PROGRAM, Faults};
use serde_json::{Map, Value, json};

/// Notes with the keys of the MT3 goldens.
pub fn mt3_notes(notes: &[Note]) -> Value {
    let one = |note: &Note| {
        json!({"start": note.onset_seconds, "end": note.offset_seconds, "pitch": note.pitch,
            "velocity": note.velocity, "program": note.program, "is_drum": note.is_drum})
    };
    notes.iter().map(one).collect()
}

/// Notes with the keys of the YourMT3 goldens.
pub fn yourmt3_notes(notes: &[Note]) -> Value {
    let one = |note: &Note| {
        let program = if note.is_drum {
            DRUM_PROGRAM
        } else {
            note.program
        };
        json!({"onset": note.onset_seconds, "offset": note.offset_seconds, "pitch": note.pitch,
            "program": program, "is_drum": note.is_drum, "velocity": 1})
    };
    notes.iter().map(one).collect()
}

/// Counts, by the names of the reference implementation.
pub fn faults(faults: &Faults) -> Value {
    let entries = faults
        .iter()
        .map(|(fault, &count)| (fault.name().to_owned(), json!(count)));
    Value::Object(entries.collect::<Map<_, _>>())
}

/// Base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
