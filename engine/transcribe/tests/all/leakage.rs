//! The leakage filters: the reference's rules on its goldens, and what every filter promises.

use hitscribe::leakage::*;
use hitscribe_core::Note;
use hitscribe_testing::golden::golden_json;
use hitscribe_testing::notes::{GoldenNote, note, notes};
use hitscribe_testing::random::Random;
use serde::Deserialize;

#[derive(Deserialize)]
struct Goldens {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    notes: Vec<GoldenNote>,
    counts: Counts,
    action: String,
    unfiltered: Vec<MidiNote>,
    filtered: Vec<MidiNote>,
}

#[derive(Deserialize)]
struct Counts {
    total: usize,
    drum: usize,
    bass: usize,
    chromatic: usize,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct MidiNote {
    is_drum: bool,
    program: u8,
    pitch: u8,
    start_tick: u64,
    end_tick: u64,
    velocity: u8,
}

fn action(verdicts: &[Verdict], notes: &[Note]) -> &'static str {
    match auto_rule(&InstrumentCounts::of(notes)) {
        Some(AutoRule::MostlyChromatic { .. }) => "remap_to_drums",
        Some(_) => "drums_only",
        None => {
            assert!(verdicts.iter().all(|v| *v == Verdict::Keep));
            "keep"
        }
    }
}

#[test]
fn auto_equals_the_reference_adapter() {
    let Some(goldens) = golden_json::<Goldens>("goldens/mt3_leakage_filter.json") else {
        return;
    };
    for case in goldens.cases {
        let raw = notes(&case.notes);
        let counts = InstrumentCounts::of(&raw);
        let verdicts = filter(&raw, &Strategy::Auto.into());
        for (note, verdict) in raw.iter().zip(&verdicts) {
            if let Verdict::Remap { key, .. } = verdict {
                assert_eq!(*key, note.pitch, "{}", case.name);
            }
        }
        let expected = InstrumentCounts {
            total: case.counts.total,
            drum: case.counts.drum,
            bass: case.counts.bass,
            chromatic: case.counts.chromatic,
        };
        assert_eq!(counts, expected, "{}", case.name);
        assert_eq!(action(&verdicts, &raw), case.action, "{}", case.name);
        // The reference works on the written file, whose tracks are those of the raw instruments.
        let mut ours: Vec<MidiNote> = case
            .unfiltered
            .into_iter()
            .filter_map(|mut read| {
                let same = |n: &Note| n.program == read.program && n.is_drum == read.is_drum;
                match verdicts[raw.iter().position(same).unwrap()] {
                    Verdict::Keep => Some(read),
                    Verdict::Remove(_) => None,
                    Verdict::Remap { .. } => {
                        (read.is_drum, read.program) = (true, 0);
                        Some(read)
                    }
                }
            })
            .collect();
        let mut expected = case.filtered;
        ours.sort();
        expected.sort();
        assert_eq!(ours, expected, "{}", case.name);
    }
}

fn mixture(drum: usize, bass: usize, chromatic: usize, other: usize) -> Vec<Note> {
    let kinds = [
        (drum, 0, true),
        (bass, 33, false),
        (chromatic, 11, false),
        (other, 27, false),
    ];
    let spread = |(count, program, is_drum)| {
        (0..count).map(move |i| {
            note(
                i as f64 * 0.25,
                0.1,
                40 + (i % 7) as u8,
                90,
                program,
                is_drum,
            )
        })
    };
    kinds.into_iter().flat_map(spread).collect()
}

#[test]
fn auto_rules_are_strict_about_their_limits() {
    let outcome = |drum, bass, chromatic, other| {
        let raw = mixture(drum, bass, chromatic, other);
        action(&filter(&raw, &Strategy::Auto.into()), &raw)
    };
    assert_eq!(outcome(0, 0, 0, 0), "keep");
    assert_eq!(outcome(60, 0, 0, 40), "keep");
    assert_eq!(outcome(61, 0, 0, 39), "drums_only");
    assert_eq!(outcome(1, 20, 0, 79), "keep");
    assert_eq!(outcome(1, 21, 0, 78), "drums_only");
    assert_eq!(outcome(0, 100, 0, 0), "keep");
    assert_eq!(outcome(1, 0, 50, 49), "keep");
    assert_eq!(outcome(1, 0, 51, 48), "drums_only");
    assert_eq!(outcome(0, 0, 70, 30), "keep");
    assert_eq!(outcome(0, 0, 71, 29), "remap_to_drums");
    // What the reference does to an ordinary band.
    assert_eq!(outcome(40, 25, 0, 35), "drums_only");
}

/// Eight bars of a rock band at 120 BPM: drums on the grid, a bass that follows the kick and moves,
/// guitar chords.
fn band() -> Vec<Note> {
    let mut notes = Vec::new();
    for eighth in 0..64_u8 {
        let at = f64::from(eighth) * 0.25;
        notes.push(note(
            at,
            0.05,
            42,
            if eighth % 2 == 0 { 90 } else { 60 },
            0,
            true,
        ));
        match eighth % 4 {
            0 => notes.push(note(at + 0.002, 0.05, 36, 110, 0, true)),
            2 => notes.push(note(at + 0.004, 0.05, 38, 105, 0, true)),
            _ => {}
        }
        notes.push(note(
            at + 0.006,
            0.22,
            [33, 33, 36, 38][usize::from(eighth / 4 % 4)],
            95,
            33,
            false,
        ));
        if eighth % 8 == 0 {
            let chord = [52, 57, 60, 64]
                .map(|key| note(at + 0.01, 1.9, key + eighth / 8 % 3, 80, 27, false));
            notes.extend(chord);
        }
    }
    notes
}

/// Sixteen bars of hits of which most were written as short notes of scattered chromatic percussion
/// and bass.
fn leaky_loop() -> Vec<Note> {
    let mut random = Random(5);
    let mut notes = Vec::new();
    for sixteenth in 0..128_u8 {
        let at = f64::from(sixteenth) * 0.11;
        match sixteenth % 8 {
            0 | 5 => {
                notes.push(note(at, 0.05, 36, 110, 0, true));
                notes.push(note(at + 0.01, 0.09, 36, 108, 33, false));
            }
            4 => notes.push(note(at, 0.08, 62, 100, 8 + random.below(7) as u8, false)),
            _ => notes.push(note(at, 0.06, 80, 70, 8 + random.below(7) as u8, false)),
        }
    }
    notes
}

fn pitched(notes: &[Note]) -> usize {
    notes.iter().filter(|n| !n.is_drum).count()
}

#[test]
fn a_real_mix_keeps_its_pitched_notes() {
    let raw = band();
    assert_eq!(
        pitched(&apply(&raw, &filter(&raw, &Strategy::Auto.into()))),
        0,
        "the reference deletes the band"
    );
    for strategy in [
        Strategy::Auto,
        Strategy::Smart,
        Strategy::Pitch,
        Strategy::RemapChromatic,
    ] {
        let kept = apply(
            &raw,
            &filter_running(&raw, &strategy.into(), Window::default()),
        );
        assert_eq!(kept, raw, "{strategy}");
    }
}

#[test]
fn leaked_hits_go_or_become_drums() {
    let raw = leaky_loop();
    for strategy in [Strategy::Auto, Strategy::Smart] {
        let verdicts = filter_running(&raw, &strategy.into(), Window::default());
        let left = pitched(&apply(&raw, &verdicts));
        assert!(
            left * 50 <= pitched(&raw),
            "{strategy}: {left} of {} pitched notes left",
            pitched(&raw)
        );
        let report = Report::new(&raw, &verdicts);
        assert_eq!(report.removed + report.remapped + left, report.pitched);
        assert_eq!(
            report.reasons.iter().map(|r| r.1).sum::<usize>(),
            report.removed + report.remapped
        );
    }
    // Leaked notes without a drum beside them become drums.
    let kept = apply(&raw, &filter(&raw, &Strategy::Smart.into()));
    assert!(
        kept.iter().filter(|n| n.is_drum).count() > raw.iter().filter(|n| n.is_drum).count() * 2
    );
}

#[test]
fn a_marimba_alone_and_a_voice_alone_stay() {
    let scale = [60, 64, 67, 72, 69, 65, 62, 71];
    for program in [12, 53] {
        let raw: Vec<Note> = (0..64_usize)
            .map(|i| {
                note(
                    i as f64 * 0.3,
                    0.25,
                    scale[(i * 3 + i / 8) % 8],
                    80,
                    program,
                    false,
                )
            })
            .collect();
        assert_eq!(apply(&raw, &filter(&raw, &Strategy::Smart.into())), raw);
    }
}

#[test]
fn simple_filters_do_what_they_say() {
    let raw = [
        note(0.0, 0.05, 36, 100, 0, true),
        Note {
            confidence: 0.3,
            ..note(0.5, 0.5, 60, 100, 0, false)
        },
        Note {
            confidence: 0.7,
            ..note(1.0, 0.5, 62, 100, 0, false)
        },
        Note {
            confidence: 0.1,
            ..note(1.5, 0.05, 38, 100, 0, true)
        },
    ];
    let kept = |settings: Settings| apply(&raw, &filter(&raw, &settings));
    assert_eq!(kept(Strategy::Off.into()), raw);
    assert_eq!(kept(Strategy::DrumsOnly.into()), [raw[0], raw[3]]);
    assert_eq!(kept(Strategy::Confidence.into()), [raw[0], raw[2], raw[3]]);
    let strict = Settings {
        strategy: Strategy::Confidence,
        minimum_confidence: 0.9,
    };
    assert_eq!(kept(strict), [raw[0], raw[3]]);
    // Short notes on kit keys beside drums go, others stay.
    let hits: Vec<Note> = (0..8)
        .flat_map(|i| {
            let at = f64::from(i) * 0.25;
            [
                note(at, 0.05, 36, 100, 0, true),
                note(at, 0.06, 36, 100, 33, false),
                note(at, 0.06, 90, 100, 33, false),
            ]
        })
        .collect();
    let left = apply(&hits, &filter(&hits, &Strategy::Pitch.into()));
    assert_eq!(pitched(&left), 8);
    assert!(left.iter().all(|n| n.is_drum || n.pitch == 90));
}

#[test]
fn strategies_have_names_and_say_when_they_are_unknown() {
    for strategy in Strategy::ALL {
        assert_eq!(strategy.name().parse(), Ok(strategy));
        assert_eq!(serde_json::to_value(strategy).unwrap(), strategy.name());
    }
    assert!("loud".parse::<Strategy>().unwrap_err().contains("smart"));
}

fn random_notes(random: &mut Random, count: usize) -> Vec<Note> {
    (0..count)
        .map(|_| {
            let is_drum = random.below(2) == 0;
            let program = if is_drum {
                0
            } else {
                [0, 9, 12, 27, 33, 48, 115][random.below(7) as usize]
            };
            Note {
                confidence: random.unit() as f32,
                ..note(
                    random.below(3000) as f64 * 0.01,
                    0.02 + random.unit() * random.unit(),
                    30 + random.below(50) as u8,
                    1 + random.below(127) as u8,
                    program,
                    is_drum,
                )
            }
        })
        .collect()
}

#[test]
fn no_filter_touches_drums_and_simple_ones_are_idempotent() {
    let mut random = Random(1);
    for _ in 0..50 {
        let count = random.below(300) as usize;
        let raw = random_notes(&mut random, count);
        for strategy in Strategy::ALL {
            let verdicts = filter(&raw, &strategy.into());
            assert_eq!(verdicts.len(), raw.len());
            for (note, verdict) in raw.iter().zip(&verdicts) {
                assert!(!note.is_drum || *verdict == Verdict::Keep, "{strategy}");
            }
            let once = apply(&raw, &verdicts);
            if !matches!(
                strategy,
                Strategy::Smart | Strategy::Pitch | Strategy::RemapChromatic
            ) {
                assert_eq!(
                    apply(&once, &filter(&once, &strategy.into())),
                    once,
                    "{strategy}"
                );
            }
        }
    }
}

#[test]
fn verdicts_do_not_depend_on_how_notes_arrive() {
    let mut random = Random(2);
    for round in 0..30 {
        let mut raw = match round % 3 {
            0 => band(),
            1 => leaky_loop(),
            _ => random_notes(&mut random, 250),
        };
        raw.sort_by(|a, b| a.onset_seconds.total_cmp(&b.onset_seconds));
        for strategy in Strategy::ALL {
            let settings = strategy.into();
            let expected = filter_running(&raw, &settings, Window::default());
            let mut filter = RunningFilter::new(settings, Window::default());
            let mut judged = Vec::new();
            let mut at = 0.0;
            let mut rest = &raw[..];
            while !rest.is_empty() {
                at += random.unit() * if random.below(4) == 0 { 6.0 } else { 0.4 };
                let (mut now, later) = {
                    let split = rest.partition_point(|n| n.onset_seconds < at);
                    (rest[..split].to_vec(), &rest[split..])
                };
                rest = later;
                for i in (1..now.len()).rev() {
                    now.swap(i, random.below(i as u64 + 1) as usize);
                }
                let final_now = filter.push(&now, at);
                assert!(
                    final_now
                        .iter()
                        .all(|j| j.note.onset_seconds <= at - Window::default().ahead_seconds)
                );
                judged.extend(final_now);
            }
            judged.extend(filter.finish());
            let mut offline: Vec<Note> = raw.clone();
            offline = apply(&offline, &expected);
            let mut live: Vec<Note> = judged
                .iter()
                .filter_map(|j| j.verdict.apply(&j.note))
                .collect();
            assert_eq!(judged.len(), raw.len());
            let key = |n: &Note| {
                (
                    n.onset_seconds.to_bits(),
                    n.is_drum,
                    n.program,
                    n.pitch,
                    n.velocity,
                )
            };
            offline.sort_by_key(key);
            live.sort_by_key(key);
            assert_eq!(live, offline, "{strategy}");
        }
    }
}

#[test]
fn strange_notes_do_no_harm() {
    let mut raw = band();
    raw.push(note(f64::NAN, f64::NAN, 255, 0, 255, false));
    raw.push(note(f64::INFINITY, 1.0, 0, 255, 128, false));
    raw.push(note(-1e300, 0.0, 127, 1, 12, false));
    raw.extend(vec![note(1.0, 0.1, 40, 100, 33, false); 5000]);
    for strategy in Strategy::ALL {
        assert_eq!(filter(&raw, &strategy.into()).len(), raw.len());
    }
}
