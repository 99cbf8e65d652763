//! A take that version 0.1.0 has saved loads unchanged.
//!
//! `data/take-0.1.0.bin` was written by that version and is never written again.

use hitscribe_core::note::PlacedNote;
use hitscribe_live::MarkedNote;
use hitscribe_live::take::{HostBar, Passage, Take, TempoChange};

const SAVED: &[u8] = include_bytes!("data/take-0.1.0.bin");

fn drum(onset_samples: u64, length_samples: u64, pitch: u8, velocity: u8) -> PlacedNote {
    PlacedNote {
        onset_samples,
        length_samples,
        pitch,
        velocity,
        program: 0,
        is_drum: true,
        openness: None,
        confidence: saved(200),
    }
}

/// A confidence as it is saved.
fn saved(confidence: u8) -> f32 {
    f32::from(confidence) / 255.0
}

fn insert(passage: &mut Passage, is_leakage: bool, note: PlacedNote) {
    passage.insert(MarkedNote { note, is_leakage });
}

fn tempo(offset_frames: u64, bpm: f64, (beats_per_bar, beat_unit): (u8, u8)) -> TempoChange {
    TempoChange {
        offset_frames,
        bpm,
        beats_per_bar,
        beat_unit,
    }
}

/// Drums with velocities and openness, and two notes that are marked as leakage.
fn drum_passage() -> Passage {
    let mut passage = Passage::new(48_000.0);
    passage.was_playing = true;
    passage.host_start_samples = Some(-12_000);
    passage.host_start_beats = Some(15.5);
    passage.host_bar = Some(HostBar {
        start_beats: 12.0,
        number: Some(3),
    });
    passage.change_tempo(tempo(0, 98.25, (4, 4)));
    passage.change_tempo(tempo(96_000, 132.0, (7, 8)));
    for step in 0..24u64 {
        let at = 500 + step * 7_001;
        let velocity = 20 + (step * 37 % 107) as u8;
        if step % 4 == 0 {
            insert(
                &mut passage,
                false,
                PlacedNote {
                    confidence: saved(255),
                    ..drum(at, 4_800, 36, velocity)
                },
            );
        }
        if step % 4 == 2 {
            insert(
                &mut passage,
                false,
                PlacedNote {
                    confidence: saved(131),
                    ..drum(at + 17, 2_400, 38, 127 - velocity / 2)
                },
            );
        }
        let (key, openness) = match step % 6 {
            5 => (46, Some(126)),
            3 => (46, Some(64)),
            1 => (44, None),
            _ => (42, Some(0)),
        };
        insert(
            &mut passage,
            false,
            PlacedNote {
                openness,
                ..drum(at + 3, 1_200 + step, key, velocity)
            },
        );
    }
    insert(&mut passage, false, drum(170_000, 9_600, 49, 127));
    insert(&mut passage, false, drum(171_000, 9_600, 54, 1));
    insert(
        &mut passage,
        true,
        PlacedNote {
            is_drum: false,
            program: 33,
            confidence: saved(90),
            ..drum(7_600, 12_000, 41, 77)
        },
    );
    insert(
        &mut passage,
        true,
        PlacedNote {
            confidence: saved(12),
            ..drum(9_000, 600, 45, 30)
        },
    );
    passage.peaks = (0..100u32).map(|step| (step * 53 % 256) as u8).collect();
    passage.length_frames = 192_000;
    passage
}

/// Notes of several programs, one of them marked as leakage, without a host timeline.
fn pitched_passage() -> Passage {
    let mut passage = Passage::new(44_100.0);
    passage.was_playing = true;
    passage.change_tempo(tempo(0, 120.0, (3, 4)));
    let notes = [(40, 33), (52, 27), (64, 0), (67, 0), (28, 33), (88, 80)];
    for (index, (key, program)) in (0u8..).zip(notes) {
        insert(
            &mut passage,
            index == 4,
            PlacedNote {
                is_drum: false,
                program,
                confidence: saved(128 + index),
                ..drum(
                    1_000 + u64::from(index) * 11_025,
                    10_000 + 3_333 * u64::from(index),
                    key,
                    60 + 11 * index,
                )
            },
        );
    }
    passage.peaks = (0..50u32).map(|step| 255 - (step * 5) as u8).collect();
    passage.length_frames = 88_200;
    passage
}

#[test]
fn a_take_of_version_0_1_0_loads_unchanged() {
    let loaded = Take::from_bytes(SAVED).unwrap();
    let expected = Take {
        passages: vec![drum_passage(), pitched_passage()],
    };
    assert_eq!(loaded, expected);
    let saved_again = Take::from_bytes(&loaded.to_bytes()).unwrap();
    assert_eq!(saved_again, expected);
}
