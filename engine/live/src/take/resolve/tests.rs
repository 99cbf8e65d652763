use hitscribe_core::DrumClass;
use hitscribe_picking::drums::candidate::{Candidate, Claim, Measured, Peak};

use super::*;
use crate::take::Take;
use crate::take::edits::EditedNote;

fn candidate(frame: u64, class: DrumClass, excess: f32) -> Candidate {
    Candidate {
        peak: Peak {
            class: Some(class),
            frame,
            confidence: 0.5,
            excess,
            velocity: None,
            claim: Claim::Rivals,
        },
        onset_samples: frame * 384,
        measured: Measured {
            band_db: -30.0,
            peak_db: -20.0,
            openness: None,
        },
    }
}

/// Two sure kicks, a doubtful snare, a hat that beats an open one.
fn passage() -> Passage {
    let mut passage = Passage::new(48_000.0);
    passage.source = Some(Source::DrumBus);
    passage.add_candidates(
        &[
            candidate(10, DrumClass::Kick, 4.0),
            candidate(60, DrumClass::Snare, -2.0),
            candidate(110, DrumClass::Kick, 3.0),
            candidate(160, DrumClass::ClosedHat, 2.0),
            candidate(160, DrumClass::OpenHat, 1.0),
        ],
        3,
    );
    passage
}

fn at(sensitivity: f32) -> Detection {
    Detection {
        sensitivity: sensitivity.into(),
        ..Detection::default()
    }
}

fn played(passage: &Passage, detection: &Detection) -> Vec<(u64, u8)> {
    let notes = passage.resolve(detection);
    let played = notes.iter().filter(|note| note.is_played(true));
    played
        .map(|n| (n.note.onset_samples / 384, n.note.pitch))
        .collect()
}

#[test]
fn settings_act_on_what_was_recorded() {
    let passage = passage();
    assert_eq!(played(&passage, &at(0.5)), [(10, 36), (110, 36), (160, 42)]);
    assert_eq!(played(&passage, &at(1.0)).len(), 4);
    assert_eq!(played(&passage, &at(0.0)), [(10, 36), (110, 36)]);
    let mut open = at(0.5);
    open.sensitivity.by_class[DrumClass::OpenHat.index()] = 0.4;
    assert_eq!(played(&passage, &open).last(), Some(&(160, 46)));
    let kick = Detection {
        source: Source::Kick,
        ..at(1.0)
    };
    assert_eq!(played(&passage, &kick), [(10, 36), (110, 36)]);
    let candidates = passage.resolve(&at(0.5));
    let candidates = candidates
        .iter()
        .filter(|n| n.status == NoteStatus::Candidate);
    assert!(candidates.clone().all(|n| n.note.velocity > 0));
    assert_eq!(candidates.count(), 2);
}

#[test]
fn what_the_user_decides_holds_at_any_sensitivity_and_is_saved() {
    let mut passage = passage();
    let recorded = passage.clone();
    let notes = passage.resolve(&at(0.5));
    let of = |pitch: u8| *notes.iter().find(|n| n.note.pitch == pitch).unwrap();
    passage.edit(|edits| {
        edits.delete(of(36).id);
        // The doubtful snare is accepted, moved and made louder.
        let snare = EditedNote {
            onset_samples: 70 * 384,
            velocity: 120,
            ..EditedNote::of(&of(38).note)
        };
        edits.set(of(38).id, snare);
        edits.add(EditedNote {
            onset_samples: 5 * 384,
            pitch: 49,
            ..snare
        });
    });
    for sensitivity in [0.2, 0.5, 0.6] {
        assert_eq!(
            played(&passage, &at(sensitivity)),
            [(5, 49), (70, 38), (110, 36), (160, 42)]
        );
    }
    let edited = passage.resolve(&at(0.5));
    assert_eq!(edited.iter().filter(|n| n.is_edited).count(), 3);
    let deleted = edited.iter().find(|n| n.status == NoteStatus::Deleted);
    assert_eq!(deleted.map(|n| n.id), Some(of(36).id));
    // Saved and loaded, and taken back.
    let take = Take {
        passages: vec![passage.clone()],
    };
    assert_eq!(Take::from_bytes(&take.to_bytes()).unwrap(), take);
    let ids: Vec<_> = edited.iter().map(|n| n.id).collect();
    passage.edit(|edits| ids.iter().for_each(|id| edits.reset(*id)));
    assert_eq!(passage, recorded);
}

#[test]
fn pitched_notes_are_judged_anew_for_another_source() {
    let mut passage = passage();
    let pitched = PlacedNote {
        onset_samples: 90_000,
        length_samples: 20_000,
        pitch: 40,
        velocity: 90,
        program: 33,
        is_drum: false,
        openness: None,
        confidence: 0.9,
    };
    passage.source = Some(Source::FullMix);
    passage.insert(MarkedNote {
        note: pitched,
        is_leakage: false,
    });
    let is_leakage = |source| {
        let notes = passage.resolve(&Detection { source, ..at(0.5) });
        notes.iter().find(|n| !n.note.is_drum).map(|n| n.is_leakage)
    };
    assert_eq!(is_leakage(Source::FullMix), Some(false));
    assert_eq!(is_leakage(Source::DrumBus), Some(true));
    assert_eq!(is_leakage(Source::Bass), Some(false));
}

#[test]
fn ten_busy_minutes_are_small_and_resolved_quickly() {
    let mut passage = Passage::new(48_000.0);
    // Ten hits a second, and twice as many candidates that are none.
    let mut state = 7u32;
    let candidates: Vec<_> = (0..18_000u64)
        .map(|index| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let class = DrumClass::ALL[state as usize % DrumClass::ALL.len()];
            candidate(index * 4, class, (state >> 8) as f32 / 16e6 * 8.0 - 4.0)
        })
        .collect();
    passage.add_candidates(&candidates, 6_000);
    passage.peaks = vec![128; 600 * crate::take::PEAKS_PER_SECOND];
    let take = Take {
        passages: vec![passage],
    };
    let began = std::time::Instant::now();
    let bytes = take.to_bytes();
    let saving = began.elapsed();
    // Base64 in the project.
    assert!(bytes.len() * 4 / 3 < 1_000_000, "{} bytes", bytes.len());
    let began = std::time::Instant::now();
    let notes = take.passages[0].resolve(&at(0.5));
    let resolving = began.elapsed();
    assert!(notes.len() > 17_000);
    eprintln!(
        "{} bytes, saved in {saving:?}, resolved in {resolving:?}",
        bytes.len()
    );
}
