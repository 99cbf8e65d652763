//! Tests of YourMT3's segments and of the policy by which stems are dropped and added.

use std::collections::{BTreeMap, BTreeSet};

use hitscribe_core::Note;
use hitscribe_core::tokens::yourmt3::{Layout, parse};

use super::*;

/// One part that plays `key` with `program` each half second.
fn part(channel: u8, program: u8, key: u8) -> Part {
    let mut part = song(channel).remove(0);
    for note in &mut part.notes {
        note.program = program;
        note.key = key;
    }
    part
}

/// The notes that YourMT3's decoder reads in a segment.
fn said(segment: &StreamSegment) -> Vec<Note> {
    let stream = |ids: &Vec<u16>| {
        assert_eq!(ids.last(), Some(&(EOS_ID as u16)));
        let ids = ids.iter().map(|&id| i32::from(id)).collect();
        vec![SegmentTokens::certain(0.0, ids)]
    };
    let streams: Vec<_> = segment.streams.iter().map(stream).collect();
    let parsed = parse(&streams);
    // A note that sounds at the start has an end without a beginning.
    assert!(parsed.faults.len() <= 1, "{:?}", parsed.faults);
    parsed.notes
}

#[test]
fn streams_say_the_hits_where_they_sound() {
    for (layout, count) in [(Layout::Channels, 13), (Layout::OneStream, 1)] {
        let recordings = of(Stem::Drums, vec![song(9)]);
        let mut judged = 0;
        for index in 0..20 {
            let segment = recordings.stream_segment(1, index, layout).unwrap();
            assert_eq!(
                (segment.audio.len(), segment.streams.len()),
                (32_767, count)
            );
            for note in said(&segment) {
                assert!(note.is_drum && note.pitch == 38);
                // Tokens are rounded to 10 ms, segments begin up to 10 ms after a step.
                let at = (note.onset_seconds * 16_000.0).round() as usize;
                if (400..32_767 - 400).contains(&at) {
                    let energy = |range: std::ops::Range<usize>| {
                        segment.audio[range].iter().map(|x| x * x).sum::<f32>()
                    };
                    judged += 1;
                    let (near, all) = (energy(at - 280..at + 120), energy(at - 400..at + 400));
                    assert!(near > 0.9 * all, "segment {index} at {at}: {near} of {all}");
                }
            }
        }
        assert!(judged > 40, "{judged}");
    }
}

#[test]
fn voices_have_programs_of_their_own() {
    let programs = |stem| {
        let songs = vec![vec![part(0, 52, 60)], vec![part(0, 53, 70)]];
        let recordings = of(stem, songs);
        let mut found = BTreeSet::new();
        for index in 0..20 {
            let segment = recordings.stream_segment(1, index, Layout::OneStream);
            found.extend(said(&segment.unwrap()).iter().map(|n| n.program));
        }
        found.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(programs(Stem::Vocals), [100, 101]);
    assert_eq!(programs(Stem::Singing), [100]);
    assert_eq!(programs(Stem::Mix), [52]);
}

#[test]
fn no_instrument_comes_from_two_songs() {
    // Keys 10 apart say which song a note is of, whatever they are moved by.
    let band = |song: u8| {
        let key = 20 + 10 * song;
        let own = [24, 40, 56, 73][usize::from(song) % 4];
        vec![part(0, 0, key), part(1, own, key), part(9, 0, 35 + song)]
    };
    for stem in [Stem::Other, Stem::Mix, Stem::Drums] {
        let policy = Policy {
            silent: 0.3,
            max_k: 3,
            tau: 0.1,
            ..Policy::default()
        };
        let recordings = of(stem, (0..8).map(band).collect()).with_policy(policy);
        let mut of_several = 0;
        for index in 0..60 {
            let segment = recordings.stream_segment(5, index, Layout::Channels);
            let mut songs_of: BTreeMap<(bool, u8), BTreeSet<u8>> = BTreeMap::new();
            for note in said(&segment.unwrap()) {
                let song = match note.is_drum {
                    true => note.pitch,
                    false => (note.pitch + 5 - 20) / 10,
                };
                let instrument = (note.is_drum, note.program);
                songs_of.entry(instrument).or_default().insert(song);
            }
            for (instrument, songs) in &songs_of {
                assert_eq!(
                    songs.len(),
                    1,
                    "{stem:?} {index} {instrument:?} of {songs:?}"
                );
            }
            let pitched = songs_of.iter().filter(|((is_drum, _), _)| !is_drum);
            let songs: BTreeSet<u8> = pitched.flat_map(|(_, songs)| songs.clone()).collect();
            of_several += usize::from(songs.len() > 1);
        }
        let expected = if stem == Stem::Drums { 0 } else { 20 };
        assert!(of_several >= expected, "{stem:?} {of_several}");
    }
}

#[test]
fn the_default_policy_leaves_songs_as_they_are() {
    let songs = || vec![vec![part(0, 0, 40), part(1, 24, 60)], vec![part(0, 0, 80)]];
    let plain = of(Stem::Other, songs());
    let said_of = |recordings: &Recordings| {
        let segments = (0..20).map(|index| recordings.stream_segment(1, index, Layout::Channels));
        segments.map(|s| s.unwrap().streams).collect::<Vec<_>>()
    };
    let same = of(Stem::Other, songs()).with_policy(Policy::default());
    assert_eq!(said_of(&plain), said_of(&same));
    for streams in said_of(&plain) {
        let notes = said(&StreamSegment {
            audio: Vec::new(),
            streams,
        });
        let songs: BTreeSet<bool> = notes.iter().map(|n| n.pitch > 70).collect();
        assert!(songs.len() <= 1);
    }
}
