use super::*;

pub(super) fn note(offset_frames: u64, key: u8) -> TakeNote {
    TakeNote {
        offset_frames,
        length_frames: 2400,
        key,
        velocity: 100,
        program: 0,
        is_drum: true,
        is_leakage: false,
        confidence: 200,
    }
}

#[test]
fn beats_follow_the_tempo_map() {
    let mut passage = Passage::new(48_000.0);
    passage.change_tempo(TempoChange {
        bpm: 60.0,
        ..TempoChange::default()
    });
    passage.change_tempo(TempoChange {
        offset_frames: 96_000,
        bpm: 120.0,
        ..Default::default()
    });
    assert_eq!(passage.tempo.len(), 2);
    assert_eq!(passage.beats_at(0), 0.0);
    assert_eq!(passage.beats_at(48_000), 1.0);
    assert_eq!(passage.beats_at(96_000), 2.0);
    assert_eq!(passage.beats_at(144_000), 4.0);
    assert_eq!(
        [-1.0, 0.5, 2.0, 4.0].map(|b| passage.offset_at_beats(b)),
        [0, 24_000, 96_000, 144_000]
    );
}

#[test]
fn a_repeated_tempo_is_no_change_and_nonsense_is_ignored() {
    let mut passage = Passage::new(48_000.0);
    passage.change_tempo(TempoChange {
        offset_frames: 10,
        ..TempoChange::default()
    });
    passage.change_tempo(TempoChange {
        offset_frames: 20,
        bpm: f64::NAN,
        ..Default::default()
    });
    passage.change_tempo(TempoChange {
        offset_frames: 30,
        bpm: 0.0,
        ..Default::default()
    });
    assert_eq!(passage.tempo, [TempoChange::default()]);
}

#[test]
fn the_bar_line_before_any_frame_is_found() {
    let mut passage = Passage::new(48_000.0);
    passage.host_start_beats = Some(9.5);
    assert_eq!(passage.bar_start_beats(0), -1.5);
    // Bars of two seconds.
    assert_eq!(passage.bar_start_beats(59_999), -1.5);
    assert_eq!(passage.bar_start_beats(60_001), 2.5);
    // A host that says 6/8 a little late, with the block after the bar line.
    passage.change_tempo(TempoChange {
        offset_frames: 60_100,
        beats_per_bar: 6,
        beat_unit: 8,
        ..TempoChange::default()
    });
    assert_eq!(passage.bar_start_beats(61_000), 2.5);
    assert_eq!(passage.bar_start_beats(60_000 + 73_000), 5.5);
}

#[test]
fn silence_between_plays_is_forgotten_and_memory_stays_bounded() {
    let mut take = Take::default();
    take.start_passage(Passage::new(48_000.0));
    take.start_passage(Passage {
        was_playing: true,
        ..Passage::new(48_000.0)
    });
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
fn a_cleared_take_comes_back_with_what_was_heard_since() {
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
fn a_note_that_was_cut_gets_its_length_and_no_other() {
    let mut passage = Passage::new(48_000.0);
    let pitched = |offset_frames, key, program| TakeNote {
        is_drum: false,
        program,
        ..note(offset_frames, key)
    };
    passage.insert(note(100, 60));
    passage.insert(pitched(100, 60, 33));
    passage.insert(pitched(100, 60, 0));
    passage.insert(pitched(200, 60, 33));
    passage.lengthen(100, 60, 33, 9_999);
    passage.lengthen(200, 60, 33, 7);
    passage.lengthen(300, 60, 33, 9_999);
    let long: Vec<_> = passage
        .notes
        .iter()
        .filter(|n| n.length_frames > 2400)
        .collect();
    assert_eq!(long.len(), 1);
    assert_eq!(
        (long[0].offset_frames, long[0].program, long[0].is_drum),
        (100, 33, false)
    );
    assert!(passage.notes.iter().all(|n| n.length_frames >= 2400));
}
