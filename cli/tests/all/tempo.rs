//! Tempo, meter and grid of `transcribe`, on the demo groove of 112 beats per minute.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use midly::{MetaMessage, Smf, TrackEventKind};

fn transcribe(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hitscribe"))
        .arg("transcribe")
        .args(args)
        .args(["--source", "drums"])
        .current_dir(folder)
        .output()
        .unwrap()
}

fn json(folder: &Path, args: &[&str]) -> serde_json::Value {
    let output = transcribe(folder, &[&["demo", "--json"], args].concat());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

fn onsets(document: &serde_json::Value) -> Vec<f64> {
    let notes = document["notes"].as_array().unwrap();
    notes
        .iter()
        .map(|note| note["onset_seconds"].as_f64().unwrap())
        .collect()
}

/// Microseconds per quarter note of every tempo event in a MIDI file.
fn tempos(path: &Path) -> Vec<u32> {
    let bytes = fs::read(path).unwrap();
    let smf = Smf::parse(&bytes).unwrap();
    let tempo = |event: &midly::TrackEvent<'_>| match event.kind {
        TrackEventKind::Meta(MetaMessage::Tempo(micros)) => Some(micros.as_int()),
        _ => None,
    };
    smf.tracks.iter().flatten().filter_map(tempo).collect()
}

#[test]
fn the_tempo_is_found_and_leaves_the_notes_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let document = json(folder, &[]);
    let tempo = &document["tempo"];
    assert!(
        (tempo["bpm"].as_f64().unwrap() - 112.0).abs() < 0.01,
        "{tempo}"
    );
    assert_eq!(tempo["meter"], serde_json::json!([4, 4]));
    assert_eq!(tempo["constant"], true);
    let (beats, downbeats) = (numbers(&document["beats"]), numbers(&document["downbeats"]));
    assert!(beats.len() > 8 && downbeats.iter().all(|d| beats.contains(d)));
    let middle = beats.windows(2).skip(1);
    assert!(
        middle
            .clone()
            .all(|b| (b[1] - b[0] - 60.0 / 112.0).abs() < 1e-3)
    );

    assert!(transcribe(folder, &["demo"]).status.success());
    let path = folder.join("demo.mid");
    assert_eq!(tempos(&path).last(), Some(&535_714));
    let notes = hitscribe_core::midi::read_notes(&path).unwrap();
    let wanted = onsets(&document);
    assert_eq!(notes.len(), wanted.len());
    for (note, wanted) in notes.iter().zip(wanted) {
        // A tick is half a millisecond.
        assert!((note.onset_seconds - wanted).abs() < 0.001);
    }
}

#[test]
fn a_given_tempo_is_written_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(
        transcribe(folder, &["demo", "--tempo", "100"])
            .status
            .success()
    );
    assert_eq!(tempos(&folder.join("demo.mid")), [600_000]);
    let document = json(folder, &["--tempo", "100"]);
    assert!(document["tempo"].is_null());
}

#[test]
fn quantized_onsets_are_on_the_grid() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let document = json(folder, &["--quantize", "1/16"]);
    let (beats, step) = (numbers(&document["beats"]), 60.0 / 112.0 / 4.0);
    for onset in onsets(&document) {
        let steps = (onset - beats[1]) / step;
        assert!((steps - steps.round()).abs() < 0.01, "{onset}");
    }
    let (raw, half) = (
        onsets(&json(folder, &[])),
        onsets(&json(folder, &["--quantize", "1/16", "--strength", "50"])),
    );
    let moved = raw.iter().zip(&half).filter(|(a, b)| a != b).count();
    assert!(moved > 0 && raw.len() == half.len());
    for args in [
        &["demo", "--quantize", "1/7"][..],
        &["demo", "--strength", "50"],
        &["demo", "--quantize", "1/16", "--strength", "120"],
        &["demo", "--tempo", "fast"],
        &["demo", "--tempo-map", "wild"],
    ] {
        assert_eq!(transcribe(folder, args).status.code(), Some(2), "{args:?}");
    }
}
