//! What the parity tests share: the golden data and how to compare with them.

pub mod pack;

use std::path::PathBuf;

use hitscribe_core::Note;
use midly::{MetaMessage, MidiMessage, Smf, TrackEventKind};
use serde_json::{Value, json};

/// The golden file or folder `name`, or `None`, with a line that says so, where it is absent.
pub fn golden(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/parity"
    ))
    .join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no golden data at {}", path.display());
    None
}

pub fn golden_json(name: &str) -> Option<Value> {
    let text = std::fs::read_to_string(golden(name)?).expect("golden file is readable");
    Some(serde_json::from_str(&text).expect("golden file is JSON"))
}

pub fn f64_of(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

pub fn ints(value: &Value) -> Vec<i32> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(|id| id.as_i64().expect("an integer") as i32)
        .collect()
}

pub fn floats(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(f64_of)
        .collect()
}

/// A note of the MT3 goldens.
pub fn mt3_note(value: &Value) -> Note {
    Note {
        onset_seconds: f64_of(&value["start"]),
        offset_seconds: f64_of(&value["end"]),
        pitch: value["pitch"].as_u64().expect("pitch") as u8,
        velocity: value["velocity"].as_u64().expect("velocity") as u8,
        program: value["program"].as_u64().expect("program") as u8,
        is_drum: value["is_drum"].as_bool().expect("is_drum"),
        openness: None,
        confidence: 1.0,
    }
}

/// A note of the YourMT3 goldens.
pub fn yourmt3_note(value: &Value) -> Note {
    let is_drum = value["is_drum"].as_bool().expect("is_drum");
    Note {
        onset_seconds: f64_of(&value["onset"]),
        offset_seconds: f64_of(&value["offset"]),
        pitch: value["pitch"].as_u64().expect("pitch") as u8,
        velocity: 100,
        program: if is_drum {
            0
        } else {
            value["program"].as_u64().expect("program") as u8
        },
        is_drum,
        openness: None,
        confidence: 1.0,
    }
}

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

/// The events of a MIDI file as the goldens list them, with ticks from the start.
pub fn midi_events(bytes: &[u8]) -> Value {
    let smf = Smf::parse(bytes).expect("a MIDI file");
    let ticks_per_beat = match smf.header.timing {
        midly::Timing::Metrical(ticks) => ticks.as_int(),
        other => panic!("unexpected timing {other:?}"),
    };
    let tracks: Vec<Value> = smf
        .tracks
        .iter()
        .map(|track| {
            let mut tick = 0;
            let events = track.iter().map(|event| {
                tick += event.delta.as_int();
                event_json(event.kind, tick)
            });
            Value::Array(events.collect())
        })
        .collect();
    json!({"ticks_per_beat": ticks_per_beat, "type": 1, "tracks": tracks})
}

fn event_json(kind: TrackEventKind<'_>, tick: u32) -> Value {
    match kind {
        TrackEventKind::Midi { channel, message } => {
            let channel = channel.as_int();
            match message {
                MidiMessage::NoteOn { key, vel } => json!({"type": "note_on", "note": key.as_int(),
                    "velocity": vel.as_int(), "channel": channel, "tick": tick}),
                MidiMessage::NoteOff { key, vel } => {
                    json!({"type": "note_off", "note": key.as_int(),
                    "velocity": vel.as_int(), "channel": channel, "tick": tick})
                }
                MidiMessage::ProgramChange { program } => json!({"type": "program_change",
                    "program": program.as_int(), "channel": channel, "tick": tick}),
                other => panic!("unexpected message {other:?}"),
            }
        }
        TrackEventKind::Meta(MetaMessage::Tempo(tempo)) => {
            json!({"type": "set_tempo", "tempo": tempo.as_int(), "tick": tick})
        }
        TrackEventKind::Meta(MetaMessage::TimeSignature(
            numerator,
            power,
            clocks,
            thirty_seconds,
        )) => {
            json!({"type": "time_signature", "numerator": numerator, "denominator": 1 << power,
                "clocks_per_click": clocks, "notated_32nd_notes_per_beat": thirty_seconds, "tick": tick})
        }
        TrackEventKind::Meta(MetaMessage::TrackName(name)) => {
            json!({"type": "track_name", "name": String::from_utf8_lossy(name), "tick": tick})
        }
        TrackEventKind::Meta(MetaMessage::EndOfTrack) => {
            json!({"type": "end_of_track", "tick": tick})
        }
        other => panic!("unexpected event {other:?}"),
    }
}

/// Compares event by event, for messages that can be read.
pub fn assert_midi(name: &str, bytes: &[u8], want: &Value) {
    let got = midi_events(bytes);
    assert_eq!(
        got["ticks_per_beat"], want["ticks_per_beat"],
        "{name}: ticks per quarter"
    );
    let (got, want) = (
        got["tracks"].as_array().unwrap(),
        want["tracks"].as_array().unwrap(),
    );
    assert_eq!(got.len(), want.len(), "{name}: number of tracks");
    for (track, (got, want)) in got.iter().zip(want).enumerate() {
        let (got, want) = (got.as_array().unwrap(), want.as_array().unwrap());
        for (position, (got, want)) in got.iter().zip(want).enumerate() {
            assert_eq!(got, want, "{name}: track {track}, event {position}");
        }
        assert_eq!(got.len(), want.len(), "{name}: events in track {track}");
    }
}
