//! `transcribe --leakage`: what each filter removes from leaked drums, and that a real mix stays.

use std::path::Path;
use std::process::Command;

use hitscribe_core::Note;
use serde_json::Value;

fn note(onset_seconds: f64, length_seconds: f64, pitch: u8, program: u8) -> Note {
    Note {
        onset_seconds,
        offset_seconds: onset_seconds + length_seconds,
        pitch,
        velocity: 127,
        program,
        is_drum: false,
        openness: None,
        confidence: 1.0,
    }
}

fn hit(onset_seconds: f64, key: u8) -> Note {
    Note {
        is_drum: true,
        ..note(onset_seconds, 0.01, key, 0)
    }
}

/// A groove of twelve hits, each also transcribed as a short bass note.
fn leaky_drums() -> Vec<Note> {
    let hits = (0..12).map(|i| (0.1 + 0.15 * f64::from(i), [36, 42, 38, 42][i as usize % 4]));
    hits.flat_map(|(onset, key)| [hit(onset, key), note(onset, 0.05, 36, 33)])
        .collect()
}

/// Drums, bass and piano with parts of their own.
fn real_mix() -> Vec<Note> {
    let drums = (0..8).map(|i| hit(0.1 + 0.2 * f64::from(i), [36, 42, 38, 42][i as usize % 4]));
    let piano = (0..9).map(|i| note(0.05 + 0.17 * f64::from(i), 0.45, 60 + 2 * i as u8, 0));
    let bass = [note(0.1, 0.7, 40, 33), note(0.9, 0.7, 45, 33)];
    drums.chain(piano).chain(bass).collect()
}

/// Hits transcribed as a xylophone, and nothing else.
fn drums_as_xylophone() -> Vec<Note> {
    (0..10)
        .map(|i| {
            note(
                0.1 + 0.14 * f64::from(i),
                0.05,
                [36, 42][i as usize % 2],
                13,
            )
        })
        .collect()
}

struct Outcome {
    notes: Vec<Value>,
    report: Value,
    stderr: String,
}

impl Outcome {
    fn pitched(&self) -> usize {
        self.notes
            .iter()
            .filter(|note| note["is_drum"] == false)
            .count()
    }
}

fn transcribe(folder: &Path, notes: &[Note], leakage: &str, minimum_confidence: &str) -> Outcome {
    let (model, sound) = (
        folder.join("scripted.safetensors"),
        folder.join("sound.wav"),
    );
    super::scripted::write(&model, notes);
    super::scripted::wav(&sound, &[0.1; 30_000]);
    let out = Command::new(env!("CARGO_BIN_EXE_hitscribe"))
        .args(["transcribe", "--json", "--device", "cpu"])
        .args([
            "--leakage",
            leakage,
            "--minimum-confidence",
            minimum_confidence,
        ])
        .arg("--model")
        .args([model, sound])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{stderr}");
    let mut document: Value = serde_json::from_slice(&out.stdout).unwrap();
    let notes = document["notes"].as_array().unwrap().clone();
    Outcome {
        notes,
        report: document["leakage"].take(),
        stderr,
    }
}

#[test]
fn without_a_filter_every_note_stays_and_nothing_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    for script in [leaky_drums(), real_mix(), drums_as_xylophone()] {
        let result = transcribe(folder.path(), &script, "off", "0.5");
        let mut wanted: Vec<(u8, bool)> = script.iter().map(|n| (n.pitch, n.is_drum)).collect();
        let mut got: Vec<(u8, bool)> = result
            .notes
            .iter()
            .map(|n| (n["pitch"].as_u64().unwrap() as u8, n["is_drum"] == true))
            .collect();
        wanted.sort_unstable();
        got.sort_unstable();
        assert_eq!(got, wanted);
        assert!(
            result.report.is_null() && result.stderr.is_empty(),
            "{}",
            result.stderr
        );
    }
}

#[test]
fn every_filter_removes_leaked_notes_and_gives_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    for (leakage, minimum_confidence, reason) in [
        ("auto", "0.5", "drums beside bass, 50 % of the notes"),
        ("drums-only", "0.5", "not a drum"),
        ("smart", "0.5", "begins with drums, short as a hit"),
        ("pitch", "0.5", "a key of the drum kit"),
        ("confidence", "1", "confidence below the threshold"),
    ] {
        let result = transcribe(folder.path(), &leaky_drums(), leakage, minimum_confidence);
        assert_eq!((result.notes.len(), result.pitched()), (12, 0), "{leakage}");
        assert_eq!(result.report["strategy"], leakage);
        assert_eq!(result.report["report"]["removed"], 12, "{leakage}");
        assert!(
            result.stderr.contains(reason),
            "{leakage}: {}",
            result.stderr
        );
        assert_eq!(result.stderr.lines().count(), 1, "{}", result.stderr);
    }
    for leakage in ["auto", "remap-chromatic"] {
        let result = transcribe(folder.path(), &drums_as_xylophone(), leakage, "0.5");
        assert_eq!((result.notes.len(), result.pitched()), (10, 0), "{leakage}");
        assert_eq!(result.report["report"]["remapped"], 10, "{leakage}");
        assert!(
            result.stderr.contains("chromatic percussion"),
            "{}",
            result.stderr
        );
    }
}

#[test]
fn a_real_mix_keeps_its_pitched_notes() {
    let folder = tempfile::tempdir().unwrap();
    let script = real_mix();
    for (leakage, minimum_confidence) in [
        ("auto", "0.5"),
        ("smart", "0.5"),
        ("pitch", "0.5"),
        ("confidence", "0"),
        ("remap-chromatic", "0.5"),
    ] {
        let result = transcribe(folder.path(), &script, leakage, minimum_confidence);
        assert_eq!(
            (result.notes.len(), result.pitched()),
            (19, 11),
            "{leakage}: {}",
            result.stderr
        );
        assert!(
            result.stderr.contains("0 removed, 0 made drums"),
            "{}",
            result.stderr
        );
    }
    // This filter removes them by definition.
    let drums = transcribe(folder.path(), &script, "drums-only", "0.5");
    assert_eq!((drums.notes.len(), drums.pitched()), (8, 0));
}
