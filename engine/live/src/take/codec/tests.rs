use super::*;
use crate::take::edits::{EditedNote, NoteId, RecordedKey};
use crate::take::tests::note;
use hitscribe::Source;
use hitscribe_core::DrumClass;
use hitscribe_picking::drums::candidate::{Candidate, Claim, Measured, Peak};
use hitscribe_picking::drums::selection::Rules;

fn take() -> Take {
    let mut passage = Passage::new(44_100.0);
    passage.was_playing = true;
    passage.host_start_samples = Some(-12_345);
    passage.host_start_beats = Some(17.25);
    passage.host_bar = Some(HostBar {
        start_beats: 15.5,
        number: Some(-3),
    });
    passage.change_tempo(TempoChange {
        offset_frames: 900,
        bpm: 93.5,
        ..Default::default()
    });
    passage.notes = (0..500u64)
        .map(|i| note(i * 3001, 36 + (i % 20) as u8))
        .collect();
    passage.notes[3].is_leakage = true;
    for (index, open) in [0, 63, MAX_OPENNESS].into_iter().enumerate() {
        passage.notes[6 + index].note.openness = Some(open);
    }
    passage.peaks = (0..=255).collect();
    passage.length_frames = 2_000_000;
    passage.name = Some("Übung.wav".to_owned());
    passage.source = Some(Source::Overheads);
    let mut other = with_candidates();
    other.host_bar = Some(HostBar {
        start_beats: 0.0,
        number: None,
    });
    Take {
        passages: vec![passage, other, Passage::new(96_000.0)],
    }
}

/// Candidates of the joint network, and edits.
fn with_candidates() -> Passage {
    let mut passage = Passage::new(96_000.0);
    passage.rules = Rules::Joint {
        reach_frames: 3,
        slack: 0.25,
    };
    let candidate = |index: u64, class, claim, openness| Candidate {
        peak: Peak {
            class,
            frame: index * 7,
            confidence: index as f32 / CONFIDENCE_STEPS,
            excess: index as f32 * 0.37 - 3.0,
            velocity: matches!(claim, Claim::Class { .. }).then_some(6 * index as u8),
            claim,
        },
        // Onsets may fall where frames rise.
        onset_samples: 90_000 + index * 700 - (index % 3) * 1_000,
        measured: Measured {
            band_db: -12.5 - index as f32,
            peak_db: -3.25,
            openness,
        },
    };
    let candidates: Vec<_> = (0..40)
        .map(|index| match index % 4 {
            0 => candidate(index, Some(DrumClass::Kick), Claim::Rivals, None),
            1 => candidate(index, None, Claim::Stroke { group: 2 }, None),
            2 => {
                let strokes = index as f32 * 0.1;
                let claim = Claim::Class { group: 1, strokes };
                candidate(index, Some(DrumClass::OpenHat), claim, Some(77))
            }
            _ => candidate(index, Some(DrumClass::Shaker), Claim::Rivals, None),
        })
        .collect();
    passage.add_candidates(&candidates, 9);
    passage.edit(|edits| {
        let note = EditedNote {
            onset_samples: 5,
            length_samples: 77,
            pitch: 38,
            velocity: 127,
            is_drum: true,
            program: 0,
        };
        let key = |onset_samples| {
            NoteId::Recorded(RecordedKey {
                onset_samples,
                pitch: 36,
                is_drum: true,
            })
        };
        edits.delete(key(90_000));
        edits.set(key(91_000), note);
        edits.add(note);
    });
    passage
}

#[test]
fn what_is_written_is_read() {
    assert_eq!(
        Take::from_bytes(&take().to_bytes()).expect("a take"),
        take()
    );
    assert_eq!(
        Take::from_bytes(&Take::default().to_bytes()).expect("empty"),
        Take::default()
    );
}

/// What the writer of version 1 made.
#[rustfmt::skip]
const VERSION_1: &[u8] = &[
    // The magic, version 1, one passage.
    0x48, 0x53, 0x54, 0x4b, 0x01, 0x01,
    // 44.1 kHz, playing, with samples and beats of the host.
    0x00, 0x00, 0x00, 0x00, 0x80, 0x88, 0xe5, 0x40, 0x07,
    0xf1, 0xc0, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x31, 0x40,
    // Two tempi.
    0x02,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x5e, 0x40, 0x04, 0x04,
    0x84, 0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x60, 0x57, 0x40, 0x03, 0x08,
    // Two notes.
    0x02,
    0x64, 0xe0, 0x12, 0x24, 0x64, 0x00, 0x01, 0xc8,
    0xc8, 0x01, 0x07, 0x3c, 0x01, 0x21, 0x02, 0x05,
    // The length, three peaks.
    0x80, 0x89, 0x7a, 0x03, 0x01, 0x02, 0xff,
];

#[test]
fn takes_of_the_first_version_are_read() {
    let mut expected = Passage::new(44_100.0);
    expected.was_playing = true;
    expected.host_start_samples = Some(-12_345);
    expected.host_start_beats = Some(17.25);
    expected.change_tempo(TempoChange {
        offset_frames: 900,
        bpm: 93.5,
        beats_per_bar: 3,
        beat_unit: 8,
    });
    expected.notes = vec![
        note(100, 36),
        MarkedNote {
            note: PlacedNote {
                onset_samples: 300,
                length_samples: 7,
                pitch: 60,
                velocity: 1,
                program: 33,
                is_drum: false,
                openness: None,
                confidence: 5.0 / CONFIDENCE_STEPS,
            },
            is_leakage: true,
        },
    ];
    expected.length_frames = 2_000_000;
    expected.peaks = vec![1, 2, 255];
    let take = Take::from_bytes(VERSION_1).expect("a take");
    assert_eq!(take.passages, [expected]);
    assert_eq!(take.to_bytes()[4], 3, "it is saved as what is written now");
}

#[test]
fn ten_busy_minutes_stay_below_a_quarter_of_a_megabyte() {
    let mut passage = Passage::new(48_000.0);
    passage.notes = (0..600 * 20u64).map(|i| note(i * 2400, 42)).collect();
    passage.peaks = vec![128; 600 * super::super::PEAKS_PER_SECOND];
    assert!(
        Take {
            passages: vec![passage]
        }
        .to_bytes()
        .len()
            < 250_000
    );
}

#[test]
fn the_future_is_named_and_junk_is_refused() {
    let future = Take::from_bytes(b"HSTK\x07...");
    assert!(matches!(future, Err(Error::TooNew { found: 7, .. })));
    assert!(matches!(
        Take::from_bytes(b"RIFF1234"),
        Err(Error::Damaged { at_byte: 0 })
    ));
    assert!(matches!(
        Take::from_bytes(b""),
        Err(Error::Damaged { at_byte: 0 })
    ));
}

#[test]
fn no_cut_and_no_flipped_bit_panics_or_breaks_a_limit() {
    let bytes = take().to_bytes();
    for length in 4..bytes.len() {
        assert!(
            Take::from_bytes(&bytes[..length]).is_err(),
            "cut at {length}"
        );
    }
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1 << bit;
            if let Ok(take) = Take::from_bytes(&damaged) {
                assert!(take.note_count() <= MAX_NOTES);
                for note in take.passages.iter().flat_map(|passage| &passage.notes) {
                    assert!(note.note.pitch < 128 && (1..128).contains(&note.note.velocity));
                }
            }
        }
    }
}
