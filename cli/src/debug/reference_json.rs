//! Notes, faults and MIDI files as the golden data list them.

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

/// Counts by upstream's names.
pub fn faults(faults: &Faults) -> Value {
    let entries = faults
        .iter()
        .map(|(fault, &count)| (fault.name().to_owned(), json!(count)));
    Value::Object(entries.collect::<Map<_, _>>())
}

/// RFC 4648, with padding.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0_u32, |bits, (i, &byte)| {
            bits | u32::from(byte) << (16 - 8 * i)
        });
        for digit in 0..4 {
            let known = digit <= chunk.len();
            out.push(if known {
                DIGITS[(bits >> (18 - 6 * digit) & 63) as usize] as char
            } else {
                '='
            });
        }
    }
    out
}
