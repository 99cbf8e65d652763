//! A project that version 0.1.0 has saved loads completely.
//!
//! `data/state-0.1.0.bin` was written by the plugin of that version, with every parameter at
//! another value than the default, and is never written again. `data/state-0.1.0.json` is what it
//! contains.

use hitscribe_live::MarkedNote;
use hitscribe_live::take::Take;
use hitscribe_tests::{json_of, library, take_of};
use serde_json::{Value, json};

const STATE: &[u8] = include_bytes!("../../data/state-0.1.0.bin");
const EXPECTED: &str = include_str!("../../data/state-0.1.0.json");

/// A saved parameter as a plain value, rounded where it is a fraction.
fn plain(value: &Value) -> Value {
    let value = match value.as_object().and_then(|object| object.values().next()) {
        Some(inner) => inner.clone(),
        None => value.clone(),
    };
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(number) => json!((number * 1e4).round() / 1e4),
        None => value,
    }
}

/// A field of the state, which is JSON in a string.
fn field(state: &Value, name: &str) -> Value {
    let text = state["fields"][name].as_str().expect("a field");
    serde_json::from_str(text).expect("JSON")
}

fn take_json(take: &Take) -> Value {
    let passages = take.passages.iter().map(|passage| {
        let bar = passage
            .host_bar
            .map(|bar| json!({"start_beats": bar.start_beats, "number": bar.number}));
        let tempo = passage.tempo.iter().map(|change| {
            json!([
                change.offset_frames,
                change.bpm,
                change.beats_per_bar,
                change.beat_unit
            ])
        });
        let notes = passage.notes.iter().map(|MarkedNote { note, is_leakage }| {
            json!({
                "offset_frames": note.onset_samples,
                "length_frames": note.length_samples,
                "key": note.pitch,
                "velocity": note.velocity,
                "program": note.program,
                "is_drum": note.is_drum,
                "openness": note.openness,
                "is_leakage": is_leakage,
                "confidence": (note.confidence * 255.0).round() as u8,
            })
        });
        json!({
            "sample_rate_hz": passage.sample_rate_hz,
            "was_playing": passage.was_playing,
            "host_start_samples": passage.host_start_samples,
            "host_start_beats": passage.host_start_beats,
            "host_bar": bar,
            "tempo": tempo.collect::<Vec<_>>(),
            "length_frames": passage.length_frames,
            "peaks": passage.peaks,
            "notes": notes.collect::<Vec<_>>(),
        })
    });
    json!({"passages": passages.collect::<Vec<_>>()})
}

#[test]
fn a_state_of_version_0_1_0_loads_completely() {
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    let library = library();
    let mut host = library.instance(2).unwrap();
    let default = json_of(&host.save().unwrap());
    host.load(STATE).unwrap();
    let saved = host.save().unwrap();
    let loaded = json_of(&saved);
    let parameters = expected["params"].as_object().unwrap();
    for (id, value) in parameters {
        assert_eq!(&plain(&loaded["params"][id]), value, "parameter {id}");
        // The default of `playonly` has become the value of this state.
        if id != "bypass" && id != "playonly" {
            assert_ne!(&plain(&default["params"][id]), value, "parameter {id}");
        }
    }
    let count = loaded["params"].as_object().unwrap().len();
    assert_eq!(count, parameters.len(), "parameters were added or removed");
    for name in ["map", "model", "light", "take-unread"] {
        assert_eq!(field(&loaded, name), expected[name], "field {name}");
        assert_ne!(field(&default, name), expected[name], "field {name}");
    }
    assert_eq!(take_json(&take_of(&saved)), expected["take"]);
}
