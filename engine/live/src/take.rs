//! Everything that was heard, where it lies on the host's timeline.
//!
//! A take is a row of passages. Within a passage the audio is continuous; a jump, a loop, a stop
//! or a new tempo map starts another. Times inside are frames, exact at the rate of the passage.

mod codec;
mod overview;
mod tempo;

use std::sync::atomic::{AtomicU64, Ordering};

pub use overview::Overview;
pub use tempo::{Bar, HostBar, TempoChange};

/// Notes that a take holds; the oldest go first.
pub const MAX_NOTES: usize = 100_000;
/// Passages that a take holds; the oldest go first.
pub const MAX_PASSAGES: usize = 2_000;
/// Steps of the loudness overview that a take holds, over all passages: three hours.
const MAX_PEAKS: usize = 3 * 3600 * PEAKS_PER_SECOND;
/// Steps that a passage holds while the transport stands, as it may for days: ten minutes.
const MAX_STANDING_PEAKS: usize = 600 * PEAKS_PER_SECOND;
/// By how many notes the memory of a passage grows.
const NOTES_AT_ONCE: usize = 1_024;
/// Steps of the loudness overview in a second.
pub const PEAKS_PER_SECOND: usize = 25;

/// A note of a take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TakeNote {
    /// Onset in frames since the start of the passage.
    pub offset_frames: u64,
    /// Length in frames.
    pub length_frames: u32,
    /// MIDI key.
    pub key: u8,
    /// MIDI velocity 1..=127.
    pub velocity: u8,
    /// General MIDI program of a pitched note.
    pub program: u8,
    /// Whether `key` is a percussion key.
    pub is_drum: bool,
    /// How open a hi-hat was, 0 to [`hitscribe_core::note::MAX_OPENNESS`], where it was measured.
    pub openness: Option<u8>,
    /// Whether the leakage filter takes the note away when it is on.
    pub is_leakage: bool,
    /// Confidence of the model, 0..=255 for 0 to 1.
    pub confidence: u8,
}

/// A stretch of continuous audio. Equal are those that say the same, whatever their `id`.
#[derive(Clone, Debug)]
pub struct Passage {
    /// Tells it and its copies from every other passage of this process. Not saved.
    pub id: u64,
    /// Frames per second.
    pub sample_rate_hz: f64,
    /// Whether the host's transport ran.
    pub was_playing: bool,
    /// Where the passage starts on the host's timeline, in samples, if the host said so.
    pub host_start_samples: Option<i64>,
    /// The same in quarter notes.
    pub host_start_beats: Option<f64>,
    /// A bar line of the host around the start, if the host told one.
    pub host_bar: Option<HostBar>,
    /// At least one, the first at offset 0, in request.
    pub tempo: Vec<TempoChange>,
    /// In the request of onset.
    pub notes: Vec<TakeNote>,
    /// Greatest level in each step of 1 / [`PEAKS_PER_SECOND`] seconds, 255 for full scale; of the
    /// first three hours, or ten minutes where the transport stood. Old passages may have lost theirs.
    pub peaks: Vec<u8>,
    /// Frames heard so far.
    pub length_frames: u64,
    /// Whether it is being heard now. Not saved.
    pub is_open: bool,
}

/// Everything that was heard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Take {
    /// In the request in which they were heard.
    pub passages: Vec<Passage>,
}

impl PartialEq for Passage {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            id: _,
            sample_rate_hz,
            was_playing,
            host_start_samples,
            host_start_beats,
            host_bar,
            tempo,
            notes,
            peaks,
            length_frames,
            is_open,
        } = self;
        *sample_rate_hz == other.sample_rate_hz
            && *was_playing == other.was_playing
            && *host_start_samples == other.host_start_samples
            && *host_start_beats == other.host_start_beats
            && *host_bar == other.host_bar
            && *tempo == other.tempo
            && *notes == other.notes
            && *peaks == other.peaks
            && *length_frames == other.length_frames
            && *is_open == other.is_open
    }
}

impl Passage {
    /// An empty passage at `sample_rate_hz`, at 120 quarters per minute until a tempo is known.
    pub fn new(sample_rate_hz: f64) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            sample_rate_hz,
            was_playing: false,
            host_start_samples: None,
            host_start_beats: None,
            host_bar: None,
            tempo: vec![TempoChange::default()],
            notes: Vec::new(),
            peaks: Vec::new(),
            length_frames: 0,
            is_open: false,
        }
    }

    /// Without notes, and heard while the transport stood: not worth remembering.
    fn is_silence(&self) -> bool {
        self.notes.is_empty() && !self.was_playing
    }

    /// Notes with or without what the leakage filter takes away.
    pub fn notes_filtered(&self, without_leakage: bool) -> impl Iterator<Item = &TakeNote> {
        self.notes
            .iter()
            .filter(move |note| !(without_leakage && note.is_leakage))
    }

    /// Adds a note in the request of onset, then key.
    pub fn insert(&mut self, note: TakeNote) {
        let request = |n: &TakeNote| (n.offset_frames, n.key);
        let index = self
            .notes
            .partition_point(|other| request(other) <= request(&note));
        if self.notes.len() == self.notes.capacity() {
            // Not by half of what is there: hours of play shall not look like a leak.
            self.notes.reserve_exact(NOTES_AT_ONCE);
        }
        self.notes.insert(index, note);
    }

    /// The pitched note at `offset_frames` has turned out to be this long. Nothing where there is none,
    /// or where it is longer.
    pub fn lengthen(&mut self, offset_frames: u64, key: u8, program: u8, length_frames: u32) {
        let request = |n: &TakeNote| (n.offset_frames, n.key);
        let first = self
            .notes
            .partition_point(|n| request(n) < (offset_frames, key));
        let here = self.notes[first..].iter_mut();
        let mut same = here.take_while(|n| request(n) == (offset_frames, key));
        if let Some(note) = same.find(|n| !n.is_drum && n.program == program) {
            note.length_frames = note.length_frames.max(length_frames);
        }
    }

    /// Adds what was heard next: its length and steps of the overview.
    pub fn extend(&mut self, frames: u64, peaks: &[u8]) {
        self.length_frames += frames;
        let limit = if self.was_playing {
            MAX_PEAKS
        } else {
            MAX_STANDING_PEAKS
        };
        let room = limit.saturating_sub(self.peaks.len());
        self.peaks.extend(&peaks[..peaks.len().min(room)]);
    }
}

impl Take {
    /// Number of notes.
    pub fn note_count(&self) -> usize {
        self.passages
            .iter()
            .map(|passage| passage.notes.len())
            .sum()
    }

    /// The passage that is worth most to the user now: the last one with notes.
    pub fn latest(&self) -> Option<&Passage> {
        self.passages
            .iter()
            .rev()
            .find(|passage| !passage.notes.is_empty())
    }

    /// The passage that is being heard now.
    pub fn open_passage(&mut self) -> Option<&mut Passage> {
        self.passages
            .iter_mut()
            .rev()
            .find(|passage| passage.is_open)
    }

    /// The passage of this [`Passage::id`], whether it is being heard or not.
    pub fn passage_mut(&mut self, id: u64) -> Option<&mut Passage> {
        self.passages
            .iter_mut()
            .rev()
            .find(|passage| passage.id == id)
    }

    /// Ends the passage that is being heard.
    pub fn close_passage(&mut self) {
        if let Some(open) = self.open_passage() {
            open.is_open = false;
        }
    }

    /// Starts a passage, which is being heard from now on. One that was heard before it, without notes
    /// and while the transport stood, is forgotten: silence between two plays is not worth remembering.
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

    /// Adds a passage that is whole already, before the one that is being heard. Returns its index.
    pub fn add_passage(&mut self, passage: Passage) -> usize {
        let id = passage.id;
        let is_heard = self.passages.last().is_some_and(|last| last.is_open);
        let index = self.passages.len() - usize::from(is_heard);
        self.passages.insert(index, passage);
        self.trim();
        let added = self.passages.iter().position(|passage| passage.id == id);
        added.unwrap_or(0)
    }

    /// Forgets everything and returns it. The passage that is being heard goes on, without its notes.
    pub fn clear(&mut self) -> Self {
        let mut empty = Self::default();
        if let Some(open) = self.open_passage() {
            empty.passages.push(Passage {
                notes: Vec::new(),
                ..open.clone()
            });
        }
        std::mem::replace(self, empty)
    }

    /// Brings back what [`Take::clear`] returned, before what has been heard since.
    pub fn restore(&mut self, cleared: Self) {
        let mut since = std::mem::replace(self, cleared).passages;
        if let Some(index) = self.passages.iter().rposition(|passage| passage.is_open) {
            let old = &mut self.passages[index];
            if let Some(same) = since.iter().position(|new| new.id == old.id) {
                // It has gone on under the same beginning.
                let new = since.remove(same);
                for note in new.notes {
                    old.insert(note);
                }
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

    /// Keeps memory flat however long the plugin runs.
    pub fn trim(&mut self) {
        while self.passages.len() > MAX_PASSAGES {
            let is_spare = |passage: &Passage| !passage.is_open && passage.notes.is_empty();
            let index = self.passages.iter().position(is_spare).unwrap_or(0);
            self.passages.remove(index);
        }
        let mut notes = self.note_count();
        while self.passages.len() > 1 && notes > MAX_NOTES {
            notes -= self.passages.remove(0).notes.len();
        }
        if let Some(only) = self.passages.first_mut()
            && notes > MAX_NOTES
        {
            only.notes.drain(..MAX_NOTES / 10);
        }
        self.trim_peaks();
    }

    /// The overview never costs notes: it is forgotten where there are none, then where they are oldest.
    fn trim_peaks(&mut self) {
        let mut peaks: usize = self.passages.iter().map(|p| p.peaks.len()).sum();
        for has_notes in [false, true] {
            for passage in &mut self.passages {
                if peaks <= MAX_PEAKS {
                    return;
                }
                if !passage.is_open && passage.notes.is_empty() != has_notes {
                    peaks -= passage.peaks.len();
                    passage.peaks = Vec::new();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
