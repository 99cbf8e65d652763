//! The selected notes of a passage, for export and preview.

use std::ops::Range;

use hitscribe_core::DrumClass;
use hitscribe_live::take::{Passage, TakeNote};

/// The notes that are exported.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Leave out notes that are marked as leakage.
    pub without_leakage: bool,
    /// Only this class.
    pub class: Option<DrumClass>,
    /// Only notes that start in these frames of the passage.
    pub frames: Option<Range<u64>>,
}

impl Selection {
    /// Whether a note is selected.
    pub fn contains(&self, taken: &TakeNote) -> bool {
        let is_inside = |frames: &Range<u64>| frames.contains(&taken.note.onset_samples);
        let is_class = |wanted| taken.note.drum_class() == Some(wanted);
        taken.is_played(self.without_leakage)
            && self.class.is_none_or(is_class)
            && self.frames.as_ref().is_none_or(is_inside)
    }

    /// A frame in the first bar of the export: that of the selected frames, or of the passage.
    ///
    /// When playback starts on a bar line, the plugin may get audio from slightly earlier, because
    /// of rounding and pre-roll. So if a passage starts less than a quarter note before a bar line
    /// and has no note before it, the export starts with the bar after that line.
    pub fn start_frames(&self, passage: &Passage, notes: &[TakeNote]) -> u64 {
        const LEAD_IN_BEATS: f64 = 0.99;
        /// An onset may be found slightly before the sound starts.
        const EARLY_SECONDS: f64 = 0.005;
        if let Some(frames) = &self.frames {
            return frames.start;
        }
        let line = passage
            .bar_at(passage.offset_at_beats(LEAD_IN_BEATS))
            .start_beats;
        let line_frames = passage.offset_at_beats(line);
        let early_frames = (EARLY_SECONDS * passage.sample_rate_hz) as u64;
        let first = notes.iter().find(|taken| taken.is_played(false));
        if line > 0.0
            && first.is_none_or(|first| first.note.onset_samples + early_frames >= line_frames)
        {
            // Inside of the bar, however its line is rounded.
            line_frames + 1
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_core::note::{Note, PlacedNote};
    use hitscribe_live::MarkedNote;
    use hitscribe_live::take::{Detection, HostBar};

    fn passage(start_beats: f64, first_note_frames: u64) -> Passage {
        let mut passage = Passage::new(48_000.0);
        passage.host_start_beats = Some(start_beats);
        let hit = Note::drum(DrumClass::Snare, 0.0, 100, 1.0);
        passage.insert(MarkedNote {
            note: PlacedNote {
                onset_samples: first_note_frames,
                ..PlacedNote::from_note(&hit, 48_000)
            },
            is_leakage: false,
        });
        passage
    }

    #[test]
    fn pre_roll_before_a_bar_line_does_not_add_a_bar() {
        let all = Selection {
            without_leakage: false,
            class: None,
            frames: None,
        };
        let bar = |passage: &Passage| {
            let bar =
                passage.bar_at(all.start_frames(passage, &passage.resolve(&Detection::default())));
            passage.host_start_beats.unwrap() + bar.start_beats
        };
        // 120 quarters per minute: 24,000 frames each; bars of four.
        assert!((bar(&passage(-0.016, 1_000)) - 0.0).abs() < 1e-3);
        assert!((bar(&passage(15.9999, 500_000)) - 16.0).abs() < 1e-3);
        assert!(
            (bar(&passage(15.1, 21_590)) - 16.0).abs() < 1e-3,
            "5 ms early"
        );
        assert!(
            (bar(&passage(15.1, 10_000)) - 12.0).abs() < 1e-3,
            "a pickup"
        );
        assert!((bar(&passage(14.5, 90_000)) - 12.0).abs() < 1e-3, "a rest");
        assert!((bar(&passage(16.0, 0)) - 16.0).abs() < 1e-3);
        let mut odd = passage(6.98, 1_000);
        odd.host_bar = Some(HostBar {
            start_beats: 3.0,
            number: None,
        });
        assert!(
            (bar(&odd) - 7.0).abs() < 1e-3,
            "bar lines off the beat grid"
        );
        let chosen = Selection {
            frames: Some(7..90),
            ..all
        };
        assert_eq!(chosen.start_frames(&passage(-0.016, 1_000), &[]), 7);
    }
}
