//! MT3 tokens to notes, segment by segment.

use crate::note::Note;
use crate::tokens::mt3::parse::{ParseRules, State};
use crate::tokens::segment::SegmentTokens;

/// Parses the segments of a recording in order, as they arrive, into the notes of
/// [`parse`](super::parse()).
pub struct Mt3IncrementalParser {
    state: State,
    max_note_seconds: f64,
    /// No later segment has an onset before this time.
    known_seconds: f64,
}

impl Mt3IncrementalParser {
    /// A parser before the first segment. A note that still sounds after `max_note_seconds` is
    /// emitted with that length, without waiting for its end.
    pub fn new(rules: ParseRules, max_note_seconds: f64) -> Self {
        Self {
            state: State::new(rules),
            max_note_seconds,
            known_seconds: 0.0,
        }
    }

    /// Parses the next segment. `next_seconds` is the start of the segment after it, `None` for the
    /// last one.
    pub fn push(&mut self, segment: &SegmentTokens, next_seconds: Option<f64>) {
        let rules = self.state.rules;
        let start_seconds = rules.start_seconds(segment.start_seconds);
        let next_seconds = next_seconds.map(|next| rules.start_seconds(next));
        self.state
            .segment(start_seconds, segment, rules.limit_seconds(next_seconds));
        if let Some(next_seconds) = next_seconds {
            self.known_seconds = next_seconds;
            let before_seconds = next_seconds - self.max_note_seconds;
            self.state.cut(before_seconds, self.max_note_seconds);
        }
    }

    /// Ends all sounding notes: there are no more segments.
    pub fn finish(&mut self) {
        self.state.finish();
    }

    /// Time before which every onset has been emitted, in seconds from the start of the audio.
    pub fn settled_seconds(&self) -> f64 {
        let sounding = self.state.active.iter().filter(|note| !note.is_emitted);
        sounding.fold(self.known_seconds, |settled, note| {
            settled.min(note.onset_seconds)
        })
    }

    /// Returns the notes since the last call: new notes, and, with their final length, notes that
    /// were emitted earlier at `max_note_seconds`.
    pub fn take(&mut self) -> (Vec<Note>, Vec<Note>) {
        let notes = std::mem::take(&mut self.state.out.notes);
        (notes, std::mem::take(&mut self.state.ended))
    }
}
