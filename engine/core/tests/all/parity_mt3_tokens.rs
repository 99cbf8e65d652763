//! MT3's tokens against golden files: both parsing rules, their MIDI files, and encoding.

use hitscribe_core::midi::reference_writers;
use hitscribe_core::tokens::SegmentTokens;
use hitscribe_core::tokens::mt3::{ParseRules, encode, parse};
use hitscribe_testing::golden::{f64_of, floats, golden_json, ints};
use hitscribe_testing::midi::assert_midi;
use hitscribe_testing::notes::{assert_notes, mt3_note};
use serde_json::Value;

const GOLDEN: &str = "goldens/mt3_token_decode.json";

fn segments(case: &Value) -> Vec<SegmentTokens> {
    let starts = floats(&case["segment_frame_start"]);
    let tokens = case["segments"].as_array().unwrap();
    // The golden files contain codec indices.
    let ids = |tokens: &Value| ints(tokens).into_iter().map(|index| index + 3).collect();
    starts
        .into_iter()
        .zip(tokens)
        .map(|(start, tokens)| SegmentTokens::certain(start, ids(tokens)))
        .collect()
}

#[test]
fn every_golden_parses_to_its_notes_and_midi_events() {
    let Some(golden) = golden_json::<Value>(GOLDEN) else {
        return;
    };
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 83);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        for (key, rules) in [("mt3", ParseRules::Mt3), ("mr_mt3", ParseRules::MrMt3)] {
            let want = &case[key];
            let name = format!("{name} / {key}");
            let got = parse(&segments(case), rules);
            let notes: Vec<_> = want["notes"]
                .as_array()
                .unwrap()
                .iter()
                .map(mt3_note)
                .collect();
            assert_notes(&name, &got.notes, &notes);
            assert_eq!(
                got.invalid_events as f64,
                f64_of(&want["invalid_events"]),
                "{name}: invalid events"
            );
            assert_eq!(
                got.dropped_events as f64,
                f64_of(&want["dropped_events"]),
                "{name}: dropped events"
            );
            if want["midi"].is_object() {
                let midi = match rules {
                    ParseRules::Mt3 => reference_writers::mt3_pytorch(&got.notes),
                    ParseRules::MrMt3 => reference_writers::mr_mt3(&got.notes),
                };
                assert_midi(&name, &midi, &want["midi"]);
            }
        }
    }
}

#[test]
fn source_notes_encode_to_the_golden_tokens() {
    let Some(golden) = golden_json::<Value>(GOLDEN) else {
        return;
    };
    let mut checked = 0;
    for case in golden["cases"].as_array().unwrap() {
        let Some(source) = case["source_notes"].as_array() else {
            continue;
        };
        let notes: Vec<_> = source.iter().map(mt3_note).collect();
        let got = encode(&notes, &floats(&case["segment_frame_start"]));
        let want: Vec<Vec<i32>> = case["segments"]
            .as_array()
            .unwrap()
            .iter()
            .map(ints)
            .collect();
        assert_eq!(got, want, "{}", case["name"]);
        checked += 1;
    }
    assert_eq!(checked, 20);
}
