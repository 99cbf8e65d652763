//! YourMT3's tokens against golden files: notes, faults, MIDI files, encoding.

use std::collections::BTreeMap;

use hitscribe_core::Note;
use hitscribe_core::midi::reference_writers;
use hitscribe_core::tokens::SegmentTokens;
use hitscribe_core::tokens::yourmt3::{
    DRUM_PROGRAM, Fault, Faults, Layout, channel_of_program, encode, merge, mix, output_program,
    parse_channel, parse_segment, training_drum_key, training_program,
};
use hitscribe_testing::golden::{f64_of, floats, golden_json, ints};
use hitscribe_testing::midi::assert_midi;
use hitscribe_testing::notes::{assert_notes, yourmt3_note};
use serde_json::Value;

const GOLDEN: &str = "goldens/yourmt3_token_decode.json";

fn notes_of(value: &Value) -> Vec<Note> {
    value.as_array().unwrap().iter().map(yourmt3_note).collect()
}

fn want_faults(case: &Value) -> BTreeMap<String, f64> {
    let both = [&case["event_errors"], &case["note_errors"]];
    let entries = both
        .into_iter()
        .flat_map(|errors| errors.as_object().unwrap());
    entries
        .map(|(name, count)| (name.clone(), f64_of(count)))
        .collect()
}

fn got_faults(faults: &Faults) -> BTreeMap<String, f64> {
    faults
        .iter()
        .map(|(fault, &count): (&Fault, _)| (fault.name().to_owned(), count as f64))
        .collect()
}

fn check_single(case: &Value, name: &str) -> (Vec<Note>, Faults) {
    let starts = floats(&case["start_times"]);
    let mut faults = Faults::new();
    let mut parsed = Vec::new();
    for (start, ids) in starts.into_iter().zip(case["segments"].as_array().unwrap()) {
        parsed.push(parse_segment(
            &SegmentTokens::certain(start, ints(ids)),
            &mut faults,
        ));
    }
    for (segment, want) in parsed
        .iter()
        .zip(case["decoded_segments"].as_array().unwrap())
    {
        let keys = |value: &Value| -> Vec<(u8, u8)> {
            let pair = |pair: &Value| {
                (
                    pair[0].as_u64().unwrap() as u8,
                    pair[1].as_u64().unwrap() as u8,
                )
            };
            value.as_array().unwrap().iter().map(pair).collect()
        };
        // The golden files sort the ties.
        let mut ties = segment.ties.clone();
        ties.sort_unstable();
        assert_eq!(ties, keys(&want["ties"]), "{name}: ties");
        assert_eq!(
            segment.last_activity,
            keys(&want["last_activity"]),
            "{name}: last activity"
        );
        let events = want["note_events"].as_array().unwrap();
        assert_eq!(segment.events.len(), events.len(), "{name}: events");
        for (got, want) in segment.events.iter().zip(events) {
            assert!(
                (got.seconds - f64_of(&want["time"])).abs() < 1e-9,
                "{name}: {got:?} {want}"
            );
            let got = (got.is_drum, got.program, u8::from(got.is_onset), got.pitch);
            let number = |key: &str| want[key].as_u64().unwrap() as u8;
            assert_eq!(
                got,
                (
                    want["is_drum"] == true,
                    number("program"),
                    number("velocity"),
                    number("pitch")
                ),
                "{name}"
            );
        }
    }
    let notes = merge(&parsed, &mut faults);
    assert_notes(name, &notes, &notes_of(&case["notes"]));
    (mix(vec![notes]), faults)
}

fn check_channels(case: &Value, name: &str) -> (Vec<Note>, Faults) {
    let starts = floats(&case["start_times"]);
    let tokens = case["tokens"].as_array().unwrap();
    let mut faults = Faults::new();
    let mut all = Vec::new();
    for (channel, want) in case["notes_per_channel"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        let segments: Vec<SegmentTokens> = starts
            .iter()
            .zip(tokens)
            .map(|(&start, tokens)| SegmentTokens::certain(start, ints(&tokens[channel])))
            .collect();
        let notes = parse_channel(&segments, &mut faults);
        assert_notes(
            &format!("{name}, channel {channel}"),
            &notes,
            &notes_of(want),
        );
        all.push(notes);
    }
    (mix(all), faults)
}

#[test]
fn every_golden_parses_to_its_notes_faults_and_midi_events() {
    let Some(golden) = golden_json::<Value>(GOLDEN) else {
        return;
    };
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 79);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let (got, faults) = match case["kind"].as_str().unwrap() {
            "single" => check_single(case, name),
            _ => check_channels(case, name),
        };
        let want = if case["mixed_notes"].is_array() {
            &case["mixed_notes"]
        } else {
            &case["notes"]
        };
        assert_notes(&format!("{name}, mixed"), &got, &notes_of(want));
        assert_eq!(got_faults(&faults), want_faults(case), "{name}: faults");
        if case["midi"].is_object() {
            assert_midi(name, &reference_writers::yourmt3(&got), &case["midi"]);
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
        if !case["source_notes"].is_array() {
            continue;
        }
        let got = encode(
            &notes_of(&case["source_notes"]),
            &floats(&case["start_times"]),
            Layout::Channels,
        );
        for (position, (got, want)) in got
            .iter()
            .zip(case["tokens"].as_array().unwrap())
            .enumerate()
        {
            let want: Vec<Vec<i32>> = want.as_array().unwrap().iter().map(ints).collect();
            for (channel, (got, want)) in got.iter().zip(&want).enumerate() {
                assert_eq!(
                    got, want,
                    "{}: segment {position}, channel {channel}",
                    case["name"]
                );
            }
        }
        checked += 1;
    }
    assert_eq!(checked, 14);
}

#[test]
fn program_maps_equal_the_golden_maps() {
    let Some(golden) = golden_json::<Value>("goldens/yourmt3_vocab_maps.json") else {
        return;
    };
    let map = |name: &str| golden[name].as_object().unwrap().clone();
    for (program, channel) in map("program_to_channel") {
        assert_eq!(
            channel_of_program(program.parse().unwrap()),
            channel.as_u64().map(|c| c as usize),
            "{program}"
        );
    }
    for (program, first) in map("train_program_map") {
        assert_eq!(
            u64::from(training_program(program.parse().unwrap())),
            first.as_u64().unwrap(),
            "{program}"
        );
    }
    for (key, first) in map("train_drum_map") {
        assert_eq!(
            u64::from(training_drum_key(key.parse().unwrap())),
            first.as_u64().unwrap(),
            "{key}"
        );
    }
    let output = map("output_program_map");
    for (program, want) in &output {
        let (first, name) = output_program(program.parse().unwrap());
        assert_eq!(
            (u64::from(first), name),
            (want[0].as_u64().unwrap(), want[1].as_str()),
            "{program}"
        );
    }
    for program in (0..=127_u8).filter(|program| !output.contains_key(&program.to_string())) {
        assert_eq!(output_program(program), (program, None));
    }
    assert_eq!(channel_of_program(DRUM_PROGRAM), Some(12));
}
