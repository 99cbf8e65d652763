//! Tests of recordings as segments.

use hitscribe_core::tokens::SegmentTokens;
use hitscribe_core::tokens::mt3::{ParseRules, parse};
use hitscribe_core::tokens::vocabulary::{EOS_ID, Event, Vocabulary};

use super::*;

mod streams;

fn song(channel: u8) -> Vec<Part> {
    // A click each half second, a note at each click.
    let samples = (0..20 * 32_000)
        .map(|n| if n % 16_000 < 40 { 20_000 } else { 0 })
        .collect();
    let notes = (0..40).map(|beat| MidiNote {
        onset: f64::from(beat) * 0.5,
        offset: f64::from(beat) * 0.5 + 0.2,
        channel,
        program: 33,
        key: 38,
        velocity: 100,
    });
    let notes = notes.collect();
    vec![Part { samples, notes }]
}

fn of(stem: Stem, songs: Vec<Vec<Part>>) -> Recordings {
    Recordings {
        songs,
        stem,
        policy: Policy::default(),
    }
}

#[test]
fn silent_parts_have_neither_sound_nor_notes() {
    let parts = || [song(9), song(0), song(1)].into_iter().flatten().collect();
    let policy = Policy {
        silent: 1.0,
        ..Policy::default()
    };
    let recordings = of(Stem::Mix, vec![parts()]).with_policy(policy);
    for index in 0..12 {
        let mixture = recordings.mixture(&mut random_stream(1, index), 64_000, 0.0);
        let first = mixture.notes.first().map(|n| n.channel);
        assert!(mixture.notes.iter().all(|n| Some(n.channel) == first));
        assert!(mixture.notes.is_empty() || peak(&mixture.own) > 0.1);
        assert!(peak(&mixture.own) < 0.9, "more than one part is heard");
    }
}

#[test]
fn hits_stay_on_their_clicks_when_the_recording_is_moved() {
    let recordings = of(Stem::Drums, vec![song(9)]);
    let mut judged = 0;
    for index in 0..20 {
        let Excerpt::Drums(segment) = recordings.segment(1, index) else {
            panic!("drums were asked for");
        };
        for hit in &segment.hits {
            let at = (hit.stroke.seconds * f64::from(SAMPLE_RATE)).round() as usize;
            if (200..SEGMENT_SAMPLES - 200).contains(&at) {
                let energy = |range: std::ops::Range<usize>| {
                    segment.audio[range].iter().map(|x| x * x).sum::<f32>()
                };
                judged += usize::from(energy(at..at + 64) > 4.0 * energy(at - 72..at - 8));
            }
        }
    }
    assert!(judged > 60, "{judged}");
}

#[test]
fn a_stem_is_known_by_its_notes() {
    let bass = of(Stem::Bass, vec![song(0)]);
    let Excerpt::Pitched(segment) = bass.segment(1, 3) else {
        panic!("notes were asked for");
    };
    assert!(segment.notes.iter().all(|n| (36..=40).contains(&n.key)));
    assert!(!song(0)[0].holds(Stem::Drums) && song(9)[0].holds(Stem::Drums));
}

#[test]
fn folders_without_the_stem_are_refused_with_a_reason() {
    let folder = std::env::temp_dir().join(format!("hitscribe-none-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let error = Recordings::open(&folder, Stem::Drums).err().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(error.to_string().contains("no recording with Drums"));
}

/// The notes that MT3's decoder reads in a segment's tokens.
fn said(segment: &TokenSegment) -> Vec<hitscribe_core::Note> {
    let ids: Vec<i32> = segment.ids.iter().map(|&id| i32::from(id)).collect();
    assert_eq!(ids.last(), Some(&EOS_ID));
    let tokens = SegmentTokens::certain(0.0, ids[..ids.len() - 1].to_vec());
    let decoded = parse(&[tokens], ParseRules::Mt3);
    decoded.notes
}

#[test]
fn tokens_say_the_hits_where_they_sound() {
    let recordings = of(Stem::Drums, vec![song(9)]);
    let mut judged = 0;
    for index in 0..20 {
        let segment = recordings.token_segment(1, index, 0).unwrap();
        assert_eq!(segment.audio.len(), 32_768);
        for note in said(&segment) {
            assert!(note.is_drum && note.pitch == 38);
            // Tokens are rounded to 10 ms, segments begin up to 8 ms after a step.
            let at = (note.onset_seconds * 16_000.0).round() as usize;
            if (400..32_768 - 400).contains(&at) {
                let energy = |range: std::ops::Range<usize>| {
                    segment.audio[range].iter().map(|x| x * x).sum::<f32>()
                };
                judged += 1;
                let (near, all) = (energy(at - 240..at + 120), energy(at - 400..at + 400));
                assert!(near > 0.9 * all, "segment {index} at {at}: {near} of {all}");
            }
        }
    }
    assert!(judged > 40, "{judged}");
}

#[test]
fn notes_that_sound_on_are_tied_and_keys_move_with_the_audio() {
    let mut long = song(0);
    for (beat, note) in long[0].notes.iter_mut().enumerate() {
        note.offset = note.onset + 0.45;
        note.key = 30 + 5 * (beat as u8 % 2);
    }
    let bass = of(Stem::Bass, vec![long]);
    let (mut tied, mut keys) = (0, std::collections::BTreeSet::new());
    for index in 0..40 {
        let segment = bass.token_segment(2, index, 0).unwrap();
        let tie = Vocabulary::MT3.id(Event::Tie) as u16;
        let before_tie = segment.ids.iter().take_while(|&&id| id != tie).count();
        // A program and a pitch for the one note that can sound.
        assert!(before_tie == 0 || before_tie == 2, "{before_tie}");
        tied += usize::from(before_tie == 2);
        for note in said(&segment) {
            assert_eq!(note.program, 33);
            keys.insert(note.pitch);
        }
        assert!((1..=256).contains(&segment.frames));
    }
    assert!(tied > 20, "{tied}");
    let expected: Vec<u8> = (28..=32).chain(33..=37).collect();
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn the_history_is_that_of_the_recording() {
    let tie = Vocabulary::MT3.id(Event::Tie) as u16;
    let mut long = song(0);
    for (beat, note) in long[0].notes.iter_mut().enumerate() {
        note.key = 30 + beat as u8 % 7;
    }
    let bass = of(Stem::Bass, vec![long]);
    let (mut without, mut with) = (0, 0);
    for index in 0..40 {
        let alone = bass.token_segment(3, index, 0).unwrap();
        let segment = bass.token_segment(3, index, 3).unwrap();
        // What comes before changes nothing else.
        assert_eq!((&alone.audio, &alone.ids), (&segment.audio, &segment.ids));
        assert_eq!((alone.history.len(), segment.history.len()), (0, 3));
        for pair in segment.history.windows(2) {
            assert!(!pair[0].is_empty() || pair[1].is_empty());
        }
        let known = segment.history.iter().filter(|ids| !ids.is_empty()).count();
        without += usize::from(known == 0);
        if known == 3 {
            with += 1;
            // Read one after the other, they give notes without a gap, and no invalid events.
            let all = segment.history.iter().rev().chain([&segment.ids]);
            let tokens: Vec<SegmentTokens> = all
                .enumerate()
                .map(|(n, ids)| {
                    assert!(ids.contains(&tie) && ids.last() == Some(&(EOS_ID as u16)));
                    let ids = ids[..ids.len() - 1].iter().map(|&id| i32::from(id));
                    SegmentTokens::certain(2.048 * n as f64, ids.collect())
                })
                .collect();
            let decoded = parse(&tokens, ParseRules::MrMt3);
            // A note that began before the first segment: its tie, and its end.
            assert!(
                [0, 2].contains(&decoded.invalid_events),
                "{}",
                decoded.invalid_events
            );
            let keys: Vec<u8> = decoded.notes.iter().map(|n| n.pitch).collect();
            let step = |pair: &[u8]| (i16::from(pair[1]) - i16::from(pair[0])).rem_euclid(7) == 1;
            assert!(keys.len() > 8 && keys.windows(2).all(step), "{keys:?}");
        }
    }
    assert!(without > 0 && with > 10, "{without} {with}");
}
