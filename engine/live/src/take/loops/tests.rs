use hitscribe_core::DrumClass::{self, ClosedHat, Kick, Snare};
use hitscribe_picking::drums::candidate::{Measured, Peak};

use super::*;
use crate::take::tests::note;
use crate::take::{Detection, HostBar};

/// Frames of audio in a frame of the network at 48 kHz.
const STEP: u64 = 384;

fn candidate(frame: u64, first_frame: u64, class: DrumClass, excess: f32) -> Candidate {
    Candidate {
        peak: Peak {
            class: Some(class),
            frame: frame + first_frame,
            confidence: 0.5,
            excess,
            velocity: None,
            claim: Claim::Rivals,
        },
        // The onset is found between the frames.
        onset_samples: frame * STEP + frame % 3 * 20,
        measured: Measured {
            band_db: -30.0,
            peak_db: -20.0,
            openness: None,
        },
    }
}

/// A pass of a loop from the second bar at 120 beats a minute, `beats` after its bar line.
fn pass(beats: f64, first_frame: u64, hits: &[(u64, DrumClass, f32)]) -> Passage {
    let mut passage = Passage::new(48_000.0);
    passage.was_playing = true;
    passage.host_start_beats = Some(4.0 + beats);
    passage.host_bar = Some(HostBar {
        start_beats: 4.0,
        number: Some(1),
    });
    passage.length_frames = 192_000;
    passage.peaks = vec![10; 100];
    let candidates: Vec<_> = hits
        .iter()
        .map(|&(frame, class, excess)| candidate(frame, first_frame, class, excess))
        .collect();
    let hits = hits.iter().filter(|hit| hit.2 > 0.0).count();
    passage.add_candidates(&candidates, hits);
    passage
}

fn played(passage: &Passage) -> Vec<(u64, u8)> {
    let notes = passage.resolve(&Detection::default());
    let played = notes.iter().filter(|note| note.is_played(true));
    played
        .map(|n| (n.note.onset_samples / STEP, n.note.pitch))
        .collect()
}

#[test]
fn passes_have_each_stroke_once_in_its_best_form() {
    let first = pass(0.0, 250, &[(10, Kick, 3.0), (60, Snare, -1.0)]);
    let second = pass(
        0.0,
        7_000,
        &[(11, Kick, 1.0), (61, Snare, 2.0), (120, ClosedHat, 2.0)],
    );
    // Two strokes close together in one pass are two.
    let third = pass(0.0, 250, &[(60, Snare, 1.0), (62, Snare, 1.5)]);
    let merged = Passage::merged(&[first.clone(), second, third]).unwrap();
    let [kick, snare, hat] = [Kick, Snare, ClosedHat].map(DrumClass::gm_note);
    assert_eq!(
        played(&merged),
        [(10, kick), (61, snare), (62, snare), (120, hat)]
    );
    assert_eq!(merged.recorded_hits, 4);
    assert_eq!((merged.length_frames, merged.peaks.len()), (192_000, 100));
    assert!(
        merged
            .candidates
            .is_sorted_by_key(|candidate| candidate.peak.frame)
    );
    // Of one pass it is that pass.
    let same = Passage::merged(std::slice::from_ref(&first)).unwrap();
    assert_eq!(played(&same), played(&first));
    assert!(Passage::merged(&[]).is_none());
}

#[test]
fn a_pass_that_begins_later_is_placed_where_it_was_played() {
    // A beat is 24,000 samples and 62.5 frames.
    let late = pass(1.0, 0, &[(10, Kick, 3.0)]);
    let whole = pass(0.0, 0, &[(72, Kick, 2.0), (100, Snare, 2.0)]);
    let merged = Passage::merged(&[late, whole]).unwrap();
    assert_eq!(merged.host_start_beats, Some(4.0));
    assert_eq!(merged.length_frames, 216_000);
    assert_eq!(merged.peaks.len(), 113);
    let onsets: Vec<u64> = merged.candidates.iter().map(|c| c.onset_samples).collect();
    assert_eq!(onsets, [24_000 + 3_860, 100 * STEP + 20]);
}

#[test]
fn changes_of_the_user_stay() {
    let hits = [(10, Kick, 3.0), (60, Snare, 2.0)];
    let (mut first, mut second) = (pass(0.0, 0, &hits), pass(1.0, 0, &hits));
    let key = |passage: &Passage, index: usize| {
        NoteId::Recorded(candidate_key(&passage.candidates[index]).unwrap())
    };
    let snare = key(&first, 1);
    first.edit(|edits| edits.delete(snare));
    let kick = key(&second, 0);
    let moved = EditedNote {
        onset_samples: 9_000,
        length_samples: 100,
        pitch: 38,
        velocity: 77,
        is_drum: true,
        program: 0,
    };
    second.edit(|edits| {
        edits.set(kick, moved);
        edits.add(EditedNote {
            onset_samples: 50_000,
            ..moved
        });
    });
    second.insert(note(30_000, 60));
    let merged = Passage::merged(&[first, second]).unwrap();
    assert_eq!(merged.edits.len(), 3);
    let notes = merged.resolve(&Detection::default());
    let at = |samples: u64| notes.iter().find(|note| note.note.onset_samples == samples);
    assert_eq!(at(24_000 + 9_000).map(|note| note.note.velocity), Some(77));
    assert!(at(24_000 + 50_000).is_some_and(|note| note.is_edited));
    assert!(at(24_000 + 30_000).is_some());
    let is_deleted =
        |note: &&crate::take::TakeNote| note.status == crate::take::NoteStatus::Deleted;
    assert_eq!(notes.iter().filter(is_deleted).count(), 1);
}

#[test]
fn only_passages_in_a_row_from_the_same_bar_are_passes() {
    let mut other_bar = pass(0.0, 0, &[]);
    other_bar.host_start_beats = Some(9.0);
    let mut opened = pass(0.0, 0, &[]);
    opened.name = Some("Beatles.wav".to_owned());
    let mut far = pass(0.0, 0, &[]);
    far.host_start_beats = Some(-1e300);
    let mut take = Take::default();
    for passage in [
        other_bar,
        pass(0.0, 0, &[]),
        pass(0.5, 0, &[]),
        pass(0.0, 0, &[]),
        opened,
        pass(0.0, 0, &[]),
        far,
    ] {
        take.add_passage(passage);
    }
    let ranges: Vec<_> = (0..7).map(|index| take.loop_passes(index)).collect();
    assert_eq!(ranges, [0..1, 1..4, 1..4, 1..4, 4..5, 5..6, 6..7]);
    let recorded = take.clone();
    let ids: Vec<u64> = take.passages[1..4]
        .iter()
        .map(|passage| passage.id)
        .collect();
    let merged = Passage::merged(&take.passages[1..4]).unwrap();
    let id = merged.id;
    let passes = take.replace(1, &ids, vec![merged]);
    assert_eq!((passes.len(), take.passages.len()), (3, 5));
    assert_eq!(take.replace(1, &[id], passes).len(), 1);
    assert_eq!(take, recorded);
}
