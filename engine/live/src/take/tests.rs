use hitscribe_core::note::PlacedNote;

use super::passage::MAX_STOPPED_PEAKS;
use super::*;
use crate::messages::MarkedNote;

pub(super) fn note(onset_samples: u64, pitch: u8) -> MarkedNote {
    MarkedNote {
        note: PlacedNote {
            onset_samples,
            length_samples: 2400,
            pitch,
            velocity: 100,
            program: 0,
            is_drum: true,
            openness: None,
            confidence: 200.0 / 255.0,
        },
        is_leakage: false,
    }
}

fn playing() -> Passage {
    Passage {
        was_playing: true,
        ..Passage::new(48_000.0)
    }
}

#[test]
fn silence_between_plays_is_dropped_and_memory_stays_bounded() {
    let mut take = Take::default();
    take.start_passage(Passage::new(48_000.0));
    take.start_passage(playing());
    assert_eq!(take.passages.len(), 1);
    let mut added = Passage::new(48_000.0);
    added.insert(note(0, 38));
    assert_eq!(take.add_passage(added), 0);
    assert!(
        take.open_passage()
            .is_some_and(|open| open.notes.is_empty())
    );
    for index in 0..MAX_PASSAGES as u64 + 50 {
        let mut passage = Passage::new(48_000.0);
        passage.insert(note(index, 36));
        take.start_passage(passage);
    }
    assert_eq!(take.passages.len(), MAX_PASSAGES);
    let mut long = Passage::new(48_000.0);
    long.notes = (0..MAX_NOTES as u64 + 1).map(|i| note(i, 36)).collect();
    take.start_passage(long);
    assert_eq!(take.passages.len(), 1);
    assert!(take.note_count() <= MAX_NOTES);
}

#[test]
fn a_restored_take_keeps_what_was_recorded_since() {
    let mut take = Take::default();
    let mut first = Passage::new(48_000.0);
    first.insert(note(1, 36));
    take.start_passage(first);
    take.start_passage(Passage::new(48_000.0));
    let insert = |take: &mut Take, at| {
        if let Some(open) = take.open_passage() {
            open.insert(note(at, 38));
        }
    };
    insert(&mut take, 5);
    let cleared = take.clear();
    assert_eq!((take.passages.len(), take.note_count()), (1, 0));
    insert(&mut take, 9);
    take.start_passage(Passage::new(48_000.0));
    insert(&mut take, 2);
    take.restore(cleared);
    let counts: Vec<usize> = take.passages.iter().map(|p| p.notes.len()).collect();
    assert_eq!(counts, [1, 2, 1]);
    assert_eq!(take.passages.iter().filter(|p| p.is_open).count(), 1);
}

#[test]
fn a_take_cleared_in_silence_is_restored_before_the_play_that_followed() {
    let mut take = Take::default();
    let mut first = playing();
    first.insert(note(1, 36));
    take.start_passage(first);
    take.start_passage(Passage::new(48_000.0));
    let cleared = take.clear();
    take.start_passage(Passage {
        host_start_samples: Some(96_000),
        host_start_beats: Some(4.0),
        ..playing()
    });
    if let Some(open) = take.open_passage() {
        open.insert(note(2, 38));
        open.change_tempo(TempoChange {
            bpm: 90.0,
            ..TempoChange::default()
        });
    }
    let since = take.passages.clone();
    assert_eq!(since.len(), 1, "the silence is dropped");
    take.restore(cleared);
    assert_eq!(take.passages.len(), 2);
    assert_eq!(take.passages[0].notes.len(), 1);
    assert_eq!(take.passages[1..], since);
}

#[test]
fn a_passage_that_ended_after_clearing_is_not_merged_with_the_next() {
    let mut take = Take::default();
    let mut stopped = Passage::new(48_000.0);
    stopped.insert(note(1, 36));
    take.start_passage(stopped);
    let cleared = take.clear();
    take.start_passage(playing());
    take.restore(cleared);
    let kept: Vec<_> = take
        .passages
        .iter()
        .map(|p| (p.notes.len(), p.was_playing, p.is_open))
        .collect();
    assert_eq!(kept, [(1, false, false), (0, true, true)]);
}

#[test]
fn days_of_a_stopped_transport_cost_no_note() {
    const HOUR_PEAKS: usize = 3600 * PEAKS_PER_SECOND;
    let hour = [7; HOUR_PEAKS];
    let mut take = Take::default();
    let mut played = playing();
    played.insert(note(1, 36));
    played.extend(3600 * 48_000, &hour);
    take.start_passage(played);
    take.start_passage(Passage::new(48_000.0));
    for _ in 0..48 {
        if let Some(open) = take.open_passage() {
            open.extend(3600 * 48_000, &hour);
        }
        take.trim();
    }
    assert_eq!((take.passages.len(), take.note_count()), (2, 1));
    assert_eq!(take.passages[0].peaks.len(), HOUR_PEAKS);
    assert_eq!(take.passages[1].peaks.len(), MAX_STOPPED_PEAKS);
    assert_eq!(take.passages[1].length_frames, 48 * 3600 * 48_000);
}

#[test]
fn overviews_are_dropped_without_notes_first_then_the_oldest() {
    const HOUR_PEAKS: usize = 3600 * PEAKS_PER_SECOND;
    let hours = |take: &Take| -> Vec<usize> {
        let hours = |passage: &Passage| passage.peaks.len() / HOUR_PEAKS;
        take.passages.iter().map(hours).collect()
    };
    let mut take = Take::default();
    for has_note in [true, false, true, true] {
        let mut passage = playing();
        if has_note {
            passage.insert(note(1, 36));
        }
        passage.extend(3600 * 48_000, &[7; HOUR_PEAKS]);
        take.start_passage(passage);
    }
    assert_eq!(hours(&take), [1, 0, 1, 1]);
    take.start_passage(playing());
    if let Some(open) = take.open_passage() {
        open.extend(3600 * 48_000, &[7; HOUR_PEAKS]);
    }
    take.trim();
    assert_eq!(hours(&take), [0, 0, 1, 1, 1]);
    assert_eq!(take.note_count(), 3);
}

#[test]
fn passages_without_notes_are_dropped_first() {
    let mut take = Take::default();
    for index in 0..MAX_PASSAGES as u64 {
        let mut passage = playing();
        if index != 1_000 {
            passage.insert(note(index, 36));
        }
        take.start_passage(passage);
    }
    take.start_passage(playing());
    assert_eq!(take.passages.len(), MAX_PASSAGES);
    assert_eq!(take.note_count(), MAX_PASSAGES - 1);
    take.start_passage(playing());
    assert_eq!(
        take.note_count(),
        MAX_PASSAGES - 1,
        "the one before had none"
    );
    let mut added = playing();
    added.insert(note(0, 38));
    let id = added.id;
    let index = take.add_passage(added);
    assert_eq!(take.passages.get(index).map(|p| p.id), Some(id));
}

#[test]
fn only_the_note_that_was_cut_is_extended() {
    let mut passage = Passage::new(48_000.0);
    let pitched = |onset_samples, pitch, program| {
        let mut marked = note(onset_samples, pitch);
        (marked.note.is_drum, marked.note.program) = (false, program);
        marked
    };
    let ended = |onset_samples, length_samples| PlacedNote {
        length_samples,
        ..pitched(onset_samples, 60, 33).note
    };
    passage.insert(note(100, 60));
    passage.insert(pitched(100, 60, 33));
    passage.insert(pitched(100, 60, 0));
    passage.insert(pitched(200, 60, 33));
    passage.lengthen(&ended(100, 9_999));
    passage.lengthen(&ended(200, 7));
    passage.lengthen(&ended(300, 9_999));
    let long: Vec<_> = passage
        .notes
        .iter()
        .map(|marked| marked.note)
        .filter(|note| note.length_samples > 2400)
        .collect();
    assert_eq!(long.len(), 1);
    assert_eq!(
        (long[0].onset_samples, long[0].program, long[0].is_drum),
        (100, 33, false)
    );
    let is_whole = |marked: &MarkedNote| marked.note.length_samples >= 2400;
    assert!(passage.notes.iter().all(is_whole));
}
