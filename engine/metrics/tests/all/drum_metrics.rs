//! Drum scores of constructed cases with known results.

use hitscribe_core::Note;
use hitscribe_metrics::*;
use hitscribe_testing::notes::note;

fn hits(list: &[(f64, u8)]) -> Vec<Hit> {
    list.iter()
        .map(|&(seconds, key)| Hit {
            seconds,
            key,
            velocity: None,
        })
        .collect()
}

fn track(name: &str, reference: &[(f64, u8)], estimate: &[(f64, u8)]) -> DrumTrack {
    DrumTrack {
        name: name.into(),
        reference: hits(reference),
        estimate: hits(estimate),
    }
}

fn micro(tracks: &[DrumTrack], grouping: Grouping, tolerance: &str) -> Scored {
    score_drums(tracks).get(grouping, tolerance).unwrap().micro
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} instead of {b}");
}

const SONG: [(f64, u8); 5] = [(1.0, 36), (1.5, 38), (2.0, 36), (2.0, 42), (2.5, 49)];

#[test]
fn perfect_late_and_empty() {
    let perfect = [track("a", &SONG, &SONG)];
    for grouping in Grouping::ALL {
        near(micro(&perfect, grouping, "20ms").scores.f1, 1.0);
    }
    assert_eq!(
        micro(&perfect, Grouping::Three, "50ms").counts.reference,
        4,
        "a crash is in no class of three"
    );
    let late: Vec<(f64, u8)> = SONG.iter().map(|(t, k)| (t + 0.025, *k)).collect();
    let late = [track("a", &SONG, &late)];
    near(micro(&late, Grouping::Five, "30ms").scores.f1, 1.0);
    near(micro(&late, Grouping::Five, "20ms").scores.f1, 0.0);
    let timing = score_drums(&late).timing_ms.all;
    assert!((timing.mean.unwrap() - 25.0).abs() < 1e-6 && timing.std.unwrap() < 1e-6);
    near(
        micro(&[track("a", &SONG, &[])], Grouping::Five, "50ms")
            .scores
            .f1,
        0.0,
    );
}

#[test]
fn classes_keys_and_double_triggers() {
    let wrong = [track(
        "a",
        &SONG,
        &[(1.0, 35), (1.5, 40), (2.0, 36), (2.5, 42), (3.0, 38)],
    )];
    let counts = micro(&wrong, Grouping::Five, "50ms").counts;
    assert_eq!(
        (counts.matched, counts.estimated, counts.reference),
        (3, 5, 5)
    );
    let classes = score_drums(&wrong)
        .get(Grouping::Five, "50ms")
        .unwrap()
        .classes
        .clone();
    near(classes["KD"].scores.f1, 1.0);
    near(classes["SD"].scores.precision, 0.5);
    near(classes["HH"].scores.f1, 0.0);
    near(classes["TT"].scores.f1, 1.0);
    // A repeated key is a double trigger; different keys of one class are one event.
    near(
        micro(
            &[track("a", &[(1.0, 36)], &[(1.0, 36), (1.005, 36)])],
            Grouping::Five,
            "50ms",
        )
        .scores
        .precision,
        0.5,
    );
    let doubled = [track(
        "a",
        &[(1.0, 36), (1.0, 49), (1.0, 51)],
        &[(1.0, 35), (1.002, 36), (1.0, 49)],
    )];
    near(micro(&doubled, Grouping::Five, "50ms").scores.f1, 1.0);
    near(
        micro(&doubled, Grouping::Eight, "50ms").scores.recall,
        2.0 / 3.0,
    );
    let others = [track(
        "a",
        &[(1.0, 37), (2.0, 53), (3.0, 54)],
        &[(1.0, 38), (2.0, 51), (3.0, 42)],
    )];
    let five = micro(&others, Grouping::Five, "50ms").counts;
    assert_eq!((five.matched, five.estimated, five.reference), (2, 3, 2));
    let eight = micro(&others, Grouping::Eight, "50ms").counts;
    assert_eq!((eight.matched, eight.estimated, eight.reference), (2, 3, 3));
}

#[test]
fn means_over_tracks_differ_from_micro() {
    let many: Vec<(f64, u8)> = (1..10).map(|i| (f64::from(i), 36)).collect();
    let tracks = [
        track("a", &[(1.0, 36)], &[(1.0, 36)]),
        track("b", &many, &[]),
    ];
    let scores = score_drums(&tracks);
    let five = scores.get(Grouping::Five, "50ms").unwrap();
    near(five.track_mean.f1, 0.5);
    near(five.micro.scores.f1, 2.0 * 0.1 / 1.1);
    near(five.adtof_mean, (0.5 + 4.0) / 5.0);
}

#[test]
fn velocities_are_ranked() {
    let hit = |seconds, velocity| Hit {
        seconds,
        key: 38,
        velocity: Some(velocity),
    };
    let reference: Vec<Hit> = [(1.0, 30), (2.0, 60), (3.0, 90)]
        .map(|(t, v)| hit(t, v))
        .into();
    let estimate: Vec<Hit> = [(1.01, 10), (2.0, 11), (3.0, 127)]
        .map(|(t, v)| hit(t, v))
        .into();
    let scores = score_drums(&[DrumTrack {
        name: "a".into(),
        reference,
        estimate,
    }]);
    assert_eq!(scores.velocity.mean_spearman, Some(1.0));
}

#[test]
fn a_set_reports_leakage_false_drums_and_pitched_notes() {
    let reference = vec![
        note(1.0, 1.0, 60, 90, 0, false),
        note(2.0, 1.0, 64, 90, 33, false),
    ];
    let empty = ScoredTrack {
        name: String::new(),
        kind: RecordingKind::Pitched,
        duration_seconds: 4.0,
        reference_hits: Vec::new(),
        reference_notes: Vec::new(),
        estimate: Vec::new(),
    };
    let kick = note(1.0, 0.05, 36, 100, 0, true);
    let leaked = Note {
        is_drum: false,
        ..kick
    };
    let tracks = [
        ScoredTrack {
            name: "d".into(),
            kind: RecordingKind::Drums,
            reference_hits: hits(&[(1.0, 36)]),
            estimate: vec![kick, leaked, leaked],
            ..empty.clone()
        },
        ScoredTrack {
            name: "n".into(),
            kind: RecordingKind::NoDrums,
            estimate: vec![kick],
            ..empty.clone()
        },
        ScoredTrack {
            name: "p".into(),
            estimate: vec![
                Note {
                    program: 4,
                    ..reference[0]
                },
                note(2.04, 0.3, 64, 90, 33, false),
            ],
            reference_notes: reference,
            ..empty
        },
    ];
    let set = score_set(&tracks);
    near(set.leakage.unwrap().fraction, 2.0 / 3.0);
    near(set.false_drums.unwrap().per_minute, 15.0);
    near(
        set.scores
            .unwrap()
            .get(Grouping::Five, "50ms")
            .unwrap()
            .micro
            .scores
            .f1,
        1.0,
    );
    let pitched = set.pitched.unwrap();
    near(pitched.mean["onset"].f1, 1.0);
    near(pitched.mean["onoff"].f1, 0.5);
    near(pitched.mean["multi_full"].f1, 0.5);
    near(pitched.mean["multi_family"].f1, 1.0);
    near(pitched.mean["onset_al"].f1, 1.0);
}
