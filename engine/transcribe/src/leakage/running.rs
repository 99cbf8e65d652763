//! The leakage filter on a running window of one passage.

use std::cmp::Ordering;

use hitscribe_core::Note;

use crate::leakage::judge::judge;
use crate::leakage::strategy::Settings;
use crate::leakage::verdict::Verdict;

/// The part of a passage that a verdict depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Seconds before the onset of a note.
    pub behind_seconds: f64,
    /// Seconds after the onset of a note: the delay after which its verdict is final.
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
    /// The verdict.
    pub verdict: Verdict,
}

/// Most notes before a note that are kept and used.
const MAX_NOTES_BEHIND: usize = 1024;
/// Most notes after a note that are used.
const MAX_NOTES_AHEAD: usize = 256;

/// Order of notes in a passage. Ties are broken by everything that a verdict can depend on, so that
/// the order in which simultaneous notes arrive does not matter.
fn order(a: &Note, b: &Note) -> Ordering {
    let key = |n: &Note| (n.is_drum, n.program, n.pitch, n.velocity);
    a.onset_seconds
        .total_cmp(&b.onset_seconds)
        .then_with(|| key(a).cmp(&key(b)))
        .then_with(|| a.offset_seconds.total_cmp(&b.offset_seconds))
        .then_with(|| a.confidence.total_cmp(&b.confidence))
}

/// Judges the notes of one passage as they arrive. Not for the audio thread: it allocates.
///
/// A verdict depends only on the notes from [`Window::behind_seconds`] before to
/// [`Window::ahead_seconds`] after the onset of the note, not on how they are pushed.
#[derive(Clone, Debug)]
pub struct RunningFilter {
    settings: Settings,
    window: Window,
    /// Notes in order, of which the first `judged` have their verdict.
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

    /// Sets the settings for all notes that have no verdict yet.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Sets the window for all notes that have no verdict yet.
    pub fn set_window(&mut self, window: Window) {
        self.window = window;
    }

    /// Takes notes in any order and returns, by onset, those whose verdict has become final.
    ///
    /// Every note with an onset before `complete_until_seconds` has been pushed; one that is late
    /// is judged with the notes that are left.
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
        self.drop_old();
        out
    }

    /// Ends the passage and returns the notes that are left. A new passage can begin.
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
        let behind = self.judged.saturating_sub(MAX_NOTES_BEHIND);
        let first =
            behind + self.notes[behind..self.judged].partition_point(|n| n.onset_seconds < oldest);
        let ahead = (self.judged + 1 + MAX_NOTES_AHEAD).min(self.notes.len());
        // Strictly before: notes at exactly `latest` may still be missing.
        let after = self.judged + 1;
        let end = after + self.notes[after..ahead].partition_point(|n| n.onset_seconds < latest);
        let verdict = judge(&note, &self.notes[first..end], &self.settings);
        self.judged += 1;
        Judged { note, verdict }
    }

    fn drop_old(&mut self) {
        let excess = self.judged.saturating_sub(MAX_NOTES_BEHIND);
        let oldest = match self.notes.get(self.judged) {
            Some(next) => next.onset_seconds - self.window.behind_seconds,
            // The next note is not before the last one.
            None => self.notes.last().map_or(0.0, |n| n.onset_seconds) - self.window.behind_seconds,
        };
        let old = self.notes[..self.judged].partition_point(|n| n.onset_seconds < oldest);
        let drop = old.max(excess);
        self.notes.drain(..drop);
        self.judged -= drop;
    }
}

/// The verdicts of [`RunningFilter`] on all notes of a passage, in the order of `notes`.
pub fn filter_running(notes: &[Note], settings: &Settings, window: Window) -> Vec<Verdict> {
    let mut indices: Vec<usize> = (0..notes.len()).collect();
    indices.sort_by(|&a, &b| order(&notes[a], &notes[b]));
    let mut running = RunningFilter::new(*settings, window);
    let mut judged = running.push(notes, f64::INFINITY);
    judged.extend(running.finish());
    let mut verdicts = vec![Verdict::Keep; notes.len()];
    for (index, judged) in indices.into_iter().zip(judged) {
        verdicts[index] = judged.verdict;
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leakage::strategy::Strategy;
    use hitscribe_core::DrumClass;

    #[test]
    fn memory_stays_bounded_over_hours() {
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
                "{} notes kept",
                filter.notes.len()
            );
        }
        // A burst of notes at one instant.
        for _ in 0..20 {
            let burst = vec![Note::drum(DrumClass::Kick, 20_001.0, 90, 1.0); 500];
            filter.push(&burst, 20_002.0);
            assert!(filter.notes.len() <= MAX_NOTES_BEHIND);
        }
    }
}
