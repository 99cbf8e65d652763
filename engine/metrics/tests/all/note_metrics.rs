//! The note metrics against what the reference programs say.

use std::collections::BTreeMap;
use std::path::Path;

use hitscribe_metrics::*;
use serde::Deserialize;
use serde_json::Value;

use hitscribe_testing::golden_notes::{GoldenNote, notes, read, shared, through_midi};

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
fn equal(ours: f64, expected: &Value, what: &str) {
    let expected = expected
        .as_f64()
        .unwrap_or_else(|| panic!("{what}: no number in the golden"));
    assert!(
        (ours - expected).abs() < 1e-9,
        "{what}: {ours} instead of {expected}"
    );
}

fn check_notes(ours: &NoteScores, expected: &Value, what: &str) {
    equal(ours.scores.precision, &expected["precision"], what);
    equal(ours.scores.recall, &expected["recall"], what);
    equal(ours.scores.f1, &expected["f1"], what);
    equal(ours.average_overlap, &expected["avg_overlap"], what);
}

#[test]
fn onset_and_offset_scores_equal_mir_eval() {
    let own: Goldens = read(Path::new(concat!(
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
fn direct_goldens() {
    let Some(path) = shared("metrics.json") else {
        return;
    };
    for case in read::<Goldens>(&path).cases {
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
            let ours = multi_instrument_scores(&reference, &estimate, granularity);
            let expected = &expected[format!("multi_{name}")];
            equal(ours.scores.precision, &expected["precision"], what);
            equal(ours.scores.recall, &expected["recall"], what);
            equal(ours.scores.f1, &expected["f1"], what);
            let groups = expected["per_group_f1"].as_object().unwrap();
            assert_eq!(groups.len(), ours.per_group.len(), "{what}");
            for (group, scores) in &ours.per_group {
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
            let (ours, expected) = (
                instrument_scores(&reference, &estimate, key),
                &expected[name],
            );
            assert_eq!(
                ours.estimated.len() as u64,
                expected["n_pred"].as_u64().unwrap(),
                "{what}"
            );
            assert_eq!(
                ours.reference.len() as u64,
                expected["n_ref"].as_u64().unwrap(),
                "{what}"
            );
            assert_eq!(
                ours.leakage_ratio,
                expected["leakage_ratio"].as_f64(),
                "{what}"
            );
            if expected["f1"].is_null() {
                // The reference divides by zero there.
                assert_eq!(ours.detection, Scores::default(), "{what}");
            } else {
                equal(ours.detection.precision, &expected["precision"], what);
                equal(ours.detection.recall, &expected["recall"], what);
                equal(ours.detection.f1, &expected["f1"], what);
            }
        }
    }
}

#[test]
fn goldens_through_midi_files() {
    let Some(path) = shared("metrics.json") else {
        return;
    };
    for case in read::<Goldens>(&path).cases {
        let (reference, estimate) = (
            through_midi(&notes(&case.reference)),
            through_midi(&notes(&case.est)),
        );
        let (what, expected) = (&case.name, &case.expected["repo"]);
        let agnostic = &expected["compute_transcription_metrics"];
        for (prefix, offsets) in [("on", Offsets::Ignore), ("onoff", Offsets::Compare)] {
            let ours = note_scores(&reference, &estimate, offsets);
            equal(
                ours.counts.reference as f64,
                &agnostic["len_ref_intervals"],
                what,
            );
            equal(
                ours.counts.estimated as f64,
                &agnostic["len_est_intervals"],
                what,
            );
            equal(
                ours.scores.precision,
                &agnostic[format!("{prefix}_precision")],
                what,
            );
            equal(
                ours.scores.recall,
                &agnostic[format!("{prefix}_recall")],
                what,
            );
            equal(ours.scores.f1, &agnostic[format!("{prefix}_f1")], what);
            equal(
                ours.average_overlap,
                &agnostic[format!("{prefix}_overlap")],
                what,
            );
        }
        let aware = &expected["mt3_program_aware_note_scores"];
        for (name, granularity) in GRANULARITIES {
            let ours = multi_instrument_scores(&reference, &estimate, granularity);
            equal(
                ours.scores.precision,
                &aware[format!("Onset + program precision ({name})")],
                what,
            );
            equal(
                ours.scores.recall,
                &aware[format!("Onset + program recall ({name})")],
                what,
            );
            equal(
                ours.scores.f1,
                &aware[format!("Onset + program F1 ({name})")],
                what,
            );
        }
        let (ours, expected) = (
            instrument_scores(&reference, &estimate, InstrumentKey::Program),
            &expected["count_instrument_f1_script"],
        );
        assert_eq!(
            ours.leakage_ratio,
            expected["leakage_ratio"].as_f64(),
            "{what}"
        );
        if expected.get("error").is_some() {
            assert_eq!(ours.detection, Scores::default(), "{what}");
        } else {
            equal(ours.detection.f1, &expected["f1"], what);
        }
    }
}
