//! The note metrics against the results of the reference programs.

use std::collections::BTreeMap;
use std::path::Path;

use hitscribe_core::Note;
use hitscribe_metrics::*;
use hitscribe_testing::golden::{golden_json, read_json};
use hitscribe_testing::notes::{GoldenNote, notes};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    name: String,
    #[serde(rename = "ref")]
    reference: Vec<GoldenNote>,
    est: Vec<GoldenNote>,
    #[serde(flatten)]
    expected: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Goldens {
    cases: Vec<Case>,
}

#[track_caller]
fn equal(actual: f64, expected: &Value, what: &str) {
    let expected = expected
        .as_f64()
        .unwrap_or_else(|| panic!("{what}: no number in the golden"));
    assert!(
        (actual - expected).abs() < 1e-9,
        "{what}: {actual} instead of {expected}"
    );
}

fn check_notes(scores: &NoteScores, expected: &Value, what: &str) {
    equal(scores.scores.precision, &expected["precision"], what);
    equal(scores.scores.recall, &expected["recall"], what);
    equal(scores.scores.f1, &expected["f1"], what);
    equal(scores.average_overlap, &expected["avg_overlap"], what);
}

#[test]
fn onset_and_offset_scores_equal_mir_eval() {
    let own: Goldens = read_json(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/metrics.json"
    )));
    for (index, case) in own.cases.iter().enumerate() {
        let (reference, estimate) = (notes(&case.reference), notes(&case.est));
        let what = format!("case {index}");
        check_notes(
            &note_scores(&reference, &estimate, Offsets::Ignore),
            &case.expected["onset"],
            &what,
        );
        check_notes(
            &note_scores(&reference, &estimate, Offsets::Compare),
            &case.expected["onset_offset"],
            &what,
        );
    }
}

const GRANULARITIES: [(&str, Granularity); 3] = [
    ("flat", Granularity::Flat),
    ("midi_class", Granularity::MidiClass),
    ("full", Granularity::Full),
];

#[test]
fn scores_of_note_lists_equal_the_reference() {
    let Some(goldens) = golden_json::<Goldens>("goldens/metrics.json") else {
        return;
    };
    for case in goldens.cases {
        let (reference, estimate) = (notes(&case.reference), notes(&case.est));
        let (what, expected) = (&case.name, &case.expected["direct"]);
        check_notes(
            &note_scores(&reference, &estimate, Offsets::Ignore),
            &expected["onset"],
            what,
        );
        check_notes(
            &note_scores(&reference, &estimate, Offsets::Compare),
            &expected["onset_offset"],
            what,
        );
        for (name, granularity) in GRANULARITIES {
            let actual = multi_instrument_scores(&reference, &estimate, granularity);
            let expected = &expected[format!("multi_{name}")];
            equal(actual.scores.precision, &expected["precision"], what);
            equal(actual.scores.recall, &expected["recall"], what);
            equal(actual.scores.f1, &expected["f1"], what);
            let groups = expected["per_group_f1"].as_object().unwrap();
            assert_eq!(groups.len(), actual.per_group.len(), "{what}");
            for (group, scores) in &actual.per_group {
                let key = format!("{}{}", group.program, if group.is_drum { "d" } else { "" });
                equal(scores.f1, &groups[&key], what);
            }
        }
        for (name, key) in [
            ("instruments_programs_only", InstrumentKey::Program),
            (
                "instruments_program_and_drum",
                InstrumentKey::ProgramAndDrum,
            ),
        ] {
            let (actual, expected) = (
                instrument_scores(&reference, &estimate, key),
                &expected[name],
            );
            assert_eq!(
                actual.estimated.len() as u64,
                expected["n_pred"].as_u64().unwrap(),
                "{what}"
            );
            assert_eq!(
                actual.reference.len() as u64,
                expected["n_ref"].as_u64().unwrap(),
                "{what}"
            );
            assert_eq!(
                actual.leakage_ratio,
                expected["leakage_ratio"].as_f64(),
                "{what}"
            );
            if expected["f1"].is_null() {
                // The reference divides by zero here.
                assert_eq!(actual.detection, Scores::default(), "{what}");
            } else {
                equal(actual.detection.precision, &expected["precision"], what);
                equal(actual.detection.recall, &expected["recall"], what);
                equal(actual.detection.f1, &expected["f1"], what);
            }
        }
    }
}

#[test]
fn scores_of_midi_files_equal_the_reference() {
    let Some(goldens) = golden_json::<Goldens>("goldens/metrics.json") else {
        return;
    };
    for case in goldens.cases {
        let (reference, estimate) = (
            through_midi(&notes(&case.reference)),
            through_midi(&notes(&case.est)),
        );
        let (what, expected) = (&case.name, &case.expected["repo"]);
        let agnostic = &expected["compute_transcription_metrics"];
        for (prefix, offsets) in [("on", Offsets::Ignore), ("onoff", Offsets::Compare)] {
            let actual = note_scores(&reference, &estimate, offsets);
            equal(
                actual.counts.reference as f64,
                &agnostic["len_ref_intervals"],
                what,
            );
            equal(
                actual.counts.estimated as f64,
                &agnostic["len_est_intervals"],
                what,
            );
            equal(
                actual.scores.precision,
                &agnostic[format!("{prefix}_precision")],
                what,
            );
            equal(
                actual.scores.recall,
                &agnostic[format!("{prefix}_recall")],
                what,
            );
            equal(actual.scores.f1, &agnostic[format!("{prefix}_f1")], what);
            equal(
                actual.average_overlap,
                &agnostic[format!("{prefix}_overlap")],
                what,
            );
        }
        let aware = &expected["mt3_program_aware_note_scores"];
        for (name, granularity) in GRANULARITIES {
            let actual = multi_instrument_scores(&reference, &estimate, granularity);
            equal(
                actual.scores.precision,
                &aware[format!("Onset + program precision ({name})")],
                what,
            );
            equal(
                actual.scores.recall,
                &aware[format!("Onset + program recall ({name})")],
                what,
            );
            equal(
                actual.scores.f1,
                &aware[format!("Onset + program F1 ({name})")],
                what,
            );
        }
        let (actual, expected) = (
            instrument_scores(&reference, &estimate, InstrumentKey::Program),
            &expected["count_instrument_f1_script"],
        );
        assert_eq!(
            actual.leakage_ratio,
            expected["leakage_ratio"].as_f64(),
            "{what}"
        );
        if expected.get("error").is_some() {
            assert_eq!(actual.detection, Scores::default(), "{what}");
        } else {
            equal(actual.detection.f1, &expected["f1"], what);
        }
    }
}

const TICKS_PER_SECOND: f64 = 440.0;

/// The notes that remain after pretty_midi writes them to a MIDI file with 440 ticks per second and
/// reads them back: one track per instrument; a note-off ends every open note of its key, except
/// those that began on the same tick; a note-on of velocity 0 is a note-off.
fn through_midi(notes: &[Note]) -> Vec<Note> {
    let mut instruments: Vec<(u8, bool)> = Vec::new();
    for n in notes {
        if !instruments.contains(&(n.program, n.is_drum)) {
            instruments.push((n.program, n.is_drum));
        }
    }
    let tick = |seconds: f64| (seconds * TICKS_PER_SECOND).round_ties_even() as u64;
    let mut read = Vec::new();
    for instrument in instruments {
        // Offs are note-ons with velocity 0, so they sort before ons of the same key.
        let mut events: Vec<(u64, u8, u8)> = Vec::new();
        for n in notes
            .iter()
            .filter(|n| (n.program, n.is_drum) == instrument)
        {
            events.push((tick(n.onset_seconds), n.pitch, n.velocity));
            events.push((tick(n.offset_seconds), n.pitch, 0));
        }
        events.sort();
        let mut open: Vec<(u8, u64, u8)> = Vec::new();
        for (at, pitch, velocity) in events {
            if velocity > 0 {
                open.push((pitch, at, velocity));
                continue;
            }
            let (ended, kept): (Vec<_>, Vec<_>) =
                open.into_iter().partition(|o| o.0 == pitch && o.1 != at);
            open = if ended.is_empty() {
                kept.into_iter().filter(|o| o.0 != pitch).collect()
            } else {
                kept
            };
            read.extend(ended.into_iter().map(|(_, start, velocity)| Note {
                onset_seconds: start as f64 / TICKS_PER_SECOND,
                offset_seconds: at as f64 / TICKS_PER_SECOND,
                pitch,
                velocity,
                program: instrument.0,
                is_drum: instrument.1,
                openness: None,
                confidence: 1.0,
            }));
        }
    }
    read
}
