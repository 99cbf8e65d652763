//! The filter for live use: verdicts from a running window of one passage.

use std::cmp::Ordering;

use crate::leakage::{Settings, Verdict, judge};
use hitscribe_core::Note;

/// How much of a passage a verdict may rest on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Seconds before a note's onset that are remembered.
    pub behind_seconds: f64,
    /// Seconds after a note's onset that are waited for: the delay after which its verdict is final.
    pub ahead_seconds: f64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            behind_seconds: 8.0,
            ahead_seconds: 0.5,
        }
    }
}

/// A raw note with its final verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// As it was pushed.
    pub note: Note,
    /// What happens to it.
    pub verdict: Verdict,
}

/// At most this many notes before a note are looked at and remembered, however dense the music.
const MAXIMUM_NOTES_BEHIND: usize = 1024;
/// At most this many after it are looked at.
const MAXIMUM_NOTES_AHEAD: usize = 256;

/// Order of notes in a passage; ties are broken by everything a verdict can depend on, so that the order in which
/// simultaneous notes arrive does not matter.
pub(super) fn order(a: &Note, b: &Note) -> Ordering {
    let key = |n: &Note| (n.is_drum, n.program, n.pitch, n.velocity);
    a.onset_seconds
        .total_cmp(&b.onset_seconds)
        .then_with(|| key(a).cmp(&key(b)))
        .then_with(|| a.offset_seconds.total_cmp(&b.offset_seconds))
        .then_with(|| a.confidence.total_cmp(&b.confidence))
}

/// Judges the notes of one passage as they come. Not for the audio thread: it allocates.
///
/// A note's verdict depends on the notes from [`Window::behind_seconds`] before to [`Window::ahead_seconds`] after its
/// onset and on nothing else, so it is the same however the notes are cut into pushes.
#[derive(Clone, Debug)]
pub struct RunningFilter {
    settings: Settings,
    window: Window,
    /// Notes in order; the first `judged` of them have their verdict and are only remembered.
    notes: Vec<Note>,
    judged: usize,
}

impl RunningFilter {
    /// A filter at the start of a passage.
    pub fn new(settings: Settings, window: Window) -> Self {
        Self {
            settings,
            window,
            notes: Vec::new(),
            judged: 0,
        }
    }

    /// Other settings for all notes that have no verdict yet.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Takes notes in any order and returns, in order of onset, those whose verdict has become final.
    ///
    /// `complete_until_seconds`: every note with an onset before it has been pushed. A note that comes too late for
    /// that promise is judged all the same, with the notes that are remembered.
    pub fn push(&mut self, notes: &[Note], complete_until_seconds: f64) -> Vec<Judged> {
        self.notes.extend_from_slice(notes);
        self.notes[self.judged..].sort_by(order);
        let mut out = Vec::new();
        while let Some(next) = self.notes.get(self.judged) {
            if next.onset_seconds + self.window.ahead_seconds > complete_until_seconds {
                break;
            }
            out.push(self.judge_next());
        }
        self.forget();
        out
    }

    /// The passage has ended: verdicts on everything that is left. The filter is then at the start of a new passage.
    pub fn finish(&mut self) -> Vec<Judged> {
        let mut out = Vec::new();
        while self.judged < self.notes.len() {
            out.push(self.judge_next());
        }
        self.notes.clear();
        self.judged = 0;
        out
    }

    fn judge_next(&mut self) -> Judged {
        let note = self.notes[self.judged];
        let oldest = note.onset_seconds - self.window.behind_seconds;
        let latest = note.onset_seconds + self.window.ahead_seconds;
        let behind = self.judged.saturating_sub(MAXIMUM_NOTES_BEHIND);
        let first =
            behind + self.notes[behind..self.judged].partition_point(|n| n.onset_seconds < oldest);
        let ahead = (self.judged + 1 + MAXIMUM_NOTES_AHEAD).min(self.notes.len());
        // Strictly before: notes at exactly `latest` may still be missing.
        let after = self.judged + 1;
        let end = after + self.notes[after..ahead].partition_point(|n| n.onset_seconds < latest);
        let verdict = judge(&note, &self.notes[first..end], &self.settings);
        self.judged += 1;
        Judged { note, verdict }
    }

    fn forget(&mut self) {
        let excess = self.judged.saturating_sub(MAXIMUM_NOTES_BEHIND);
        let oldest = match self.notes.get(self.judged) {
            Some(next) => next.onset_seconds - self.window.behind_seconds,
            // What comes next is not known, only that it is not before the last note.
            None => self.notes.last().map_or(0.0, |n| n.onset_seconds) - self.window.behind_seconds,
        };
        let old = self.notes[..self.judged].partition_point(|n| n.onset_seconds < oldest);
        let drop = old.max(excess);
        self.notes.drain(..drop);
        self.judged -= drop;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leakage::Strategy;
    use hitscribe_core::DrumClass;

    #[test]
    fn hours_of_notes_leave_memory_flat() {
        let mut filter = RunningFilter::new(Strategy::Smart.into(), Window::default());
        for second in 0..20_000 {
            let notes: Vec<Note> = (0..20)
                .map(|i| {
                    let onset = f64::from(second) + f64::from(i) * 0.05;
                    Note::drum(DrumClass::ClosedHat, onset, 90, 1.0)
                })
                .collect();
            filter.push(&notes, f64::from(second) + 1.0);
            assert!(
                filter.notes.len() < 200,
                "{} notes remembered",
                filter.notes.len()
            );
        }
        // A burst of notes at one instant.
        for _ in 0..20 {
            let burst = vec![Note::drum(DrumClass::Kick, 20_001.0, 90, 1.0); 500];
            filter.push(&burst, 20_002.0);
            assert!(filter.notes.len() <= MAXIMUM_NOTES_BEHIND);
        }
    }
}
