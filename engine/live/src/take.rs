//! What was transcribed so far, with its place on the host's timeline.
//!
//! A take is a list of passages. Within a passage the audio is continuous; a start, a stop, a jump
//! or a loop begins another. Positions are frames at the sample rate of the passage.

mod bars;
mod codec;
pub mod edits;
mod error;
mod loops;
mod overview;
mod passage;
mod resolve;
mod tempo;

use edits::Edits;
use passage::MAX_PEAKS;

pub use error::Error;
pub use overview::Overview;
pub use passage::{NOTE_RESERVE, PEAKS_PER_SECOND, Passage};
pub use resolve::{Detection, NoteStatus, TakeNote};
pub use tempo::{Bar, HostBar, TempoChange};

/// Most notes in a take; the oldest are dropped first.
pub const MAX_NOTES: usize = 100_000;
/// Most candidates in a take; the oldest are dropped first.
pub const MAX_CANDIDATES: usize = 400_000;
/// Most passages in a take; the oldest are dropped first.
pub const MAX_PASSAGES: usize = 2_000;

/// The notes of a plugin instance, passage by passage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Take {
    /// In the order in which they began.
    pub passages: Vec<Passage>,
}

impl Take {
    /// Number of notes with the settings that they were recorded with.
    pub fn note_count(&self) -> usize {
        self.passages.iter().map(Passage::note_count).sum()
    }

    /// The last passage with notes.
    pub fn latest(&self) -> Option<&Passage> {
        self.passages
            .iter()
            .rev()
            .find(|passage| passage.has_notes())
    }

    /// The passage that is being recorded.
    pub fn open_passage(&mut self) -> Option<&mut Passage> {
        self.passages
            .iter_mut()
            .rev()
            .find(|passage| passage.is_open)
    }

    /// The passage with this [`Passage::id`].
    pub fn passage_mut(&mut self, id: u64) -> Option<&mut Passage> {
        self.passages
            .iter_mut()
            .rev()
            .find(|passage| passage.id == id)
    }

    /// Ends the passage that is being recorded.
    pub fn close_passage(&mut self) {
        if let Some(open) = self.open_passage() {
            open.is_open = false;
        }
    }

    /// Starts to record a passage. The one before it is dropped if it has no notes and the
    /// transport was stopped.
    pub fn start_passage(&mut self, passage: Passage) {
        self.close_passage();
        if self.passages.last().is_some_and(Passage::is_silence) {
            self.passages.pop();
        }
        self.passages.push(Passage {
            is_open: true,
            ..passage
        });
        self.trim();
    }

    /// Inserts a complete passage before the one that is being recorded. Returns its index.
    pub fn add_passage(&mut self, passage: Passage) -> usize {
        let id = passage.id;
        let is_recording = self.passages.last().is_some_and(|last| last.is_open);
        let index = self.passages.len() - usize::from(is_recording);
        self.passages.insert(index, passage);
        self.trim();
        let added = self.passages.iter().position(|passage| passage.id == id);
        added.unwrap_or(0)
    }

    /// Removes everything and returns it. The passage that is being recorded goes on without its
    /// notes.
    pub fn clear(&mut self) -> Self {
        let mut empty = Self::default();
        if let Some(open) = self.open_passage() {
            empty.passages.push(Passage {
                notes: Vec::new(),
                candidates: Vec::new(),
                recorded_hits: 0,
                edits: Edits::default(),
                revision: open.revision + 1,
                ..open.clone()
            });
        }
        std::mem::replace(self, empty)
    }

    /// Puts what [`Take::clear`] returned before what has been recorded since.
    pub fn restore(&mut self, cleared: Self) {
        let mut since = std::mem::replace(self, cleared).passages;
        if let Some(index) = self.passages.iter().rposition(|passage| passage.is_open) {
            let old = &mut self.passages[index];
            if let Some(same) = since.iter().position(|new| new.id == old.id) {
                // It was being recorded when the take was cleared, and went on.
                let new = since.remove(same);
                for note in new.notes {
                    old.insert(note);
                }
                old.add_candidates(&new.candidates, new.recorded_hits as usize);
                old.edit(|edits| edits.append(new.edits));
                old.tempo = new.tempo;
                old.peaks = new.peaks;
                old.length_frames = new.length_frames;
                old.is_open = new.is_open;
            } else {
                old.is_open = false;
                if old.is_silence() {
                    self.passages.remove(index);
                }
            }
        }
        self.passages.extend(since);
        self.trim();
    }

    /// Removes a passage that is not being recorded. Returns it with its index.
    pub fn remove(&mut self, id: u64) -> Option<(usize, Passage)> {
        let is_it = |passage: &Passage| passage.id == id && !passage.is_open;
        let index = self.passages.iter().position(is_it)?;
        Some((index, self.passages.remove(index)))
    }

    /// Puts what [`Take::remove`] returned back to its index, if there still is one.
    pub fn put_back(&mut self, index: usize, passage: Passage) {
        let index = index.min(self.passages.len());
        self.passages.insert(index, passage);
        self.trim();
    }

    /// Drops what exceeds the limits of a take.
    pub fn trim(&mut self) {
        while self.passages.len() > MAX_PASSAGES {
            let is_spare = |passage: &Passage| !passage.is_open && !passage.has_notes();
            let index = self.passages.iter().position(is_spare).unwrap_or(0);
            self.passages.remove(index);
        }
        let exceeds = |passages: &[Passage]| {
            let notes: usize = passages.iter().map(|p| p.notes.len()).sum();
            let candidates: usize = passages.iter().map(|p| p.candidates.len()).sum();
            notes > MAX_NOTES || candidates > MAX_CANDIDATES
        };
        while self.passages.len() > 1 && exceeds(&self.passages) {
            self.passages.remove(0);
        }
        if let Some(only) = self.passages.first_mut() {
            if only.notes.len() > MAX_NOTES {
                only.notes.drain(..MAX_NOTES / 10);
            }
            if only.candidates.len() > MAX_CANDIDATES {
                only.candidates.drain(..MAX_CANDIDATES / 10);
            }
        }
        self.trim_peaks();
    }

    /// Drops level overviews: first of passages without notes, then of the oldest.
    fn trim_peaks(&mut self) {
        let mut peaks: usize = self.passages.iter().map(|p| p.peaks.len()).sum();
        for has_notes in [false, true] {
            for passage in &mut self.passages {
                if peaks <= MAX_PEAKS {
                    return;
                }
                if !passage.is_open && passage.has_notes() == has_notes {
                    peaks -= passage.peaks.len();
                    passage.peaks = Vec::new();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
