//! Everything that was heard, where it lies on the host's timeline.
//!
//! A take is a row of passages. Within a passage the audio is continuous; a jump, a loop, a stop
//! or a new tempo map starts another. Times inside are frames, exact at the rate of the passage.

mod codec;
mod overview;

pub use overview::Overview;

use serde::{Deserialize, Serialize};

/// Notes that a take holds; the oldest go first.
pub const MAX_NOTES: usize = 100_000;
/// Passages that a take holds; the oldest go first.
pub const MAX_PASSAGES: usize = 2_000;
/// Steps of the loudness overview that a take holds, over all passages: three hours.
const MAX_PEAKS: usize = 3 * 3600 * PEAKS_PER_SECOND;
/// Steps of the loudness overview in a second.
pub const PEAKS_PER_SECOND: usize = 25;
/// Tempo changes that a passage holds.
const MAX_TEMPO_CHANGES: usize = 4_096;

/// A tempo and meter that hold from some frame of a passage on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TempoChange {
    /// Frames since the start of the passage.
    pub offset_frames: u64,
    /// Quarter notes per minute.
    pub bpm: f64,
    /// Beats in a bar.
    pub beats_per_bar: u8,
    /// Note value of a beat: 4 for quarters.
    pub beat_unit: u8,
}

impl Default for TempoChange {
    fn default() -> Self {
        Self {
            offset_frames: 0,
            bpm: 120.0,
            beats_per_bar: 4,
            beat_unit: 4,
        }
    }
}

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
    /// Whether the leakage filter takes the note away when it is on.
    pub is_leakage: bool,
    /// Confidence of the model, 0..=255 for 0 to 1.
    pub confidence: u8,
}

/// A stretch of continuous audio.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// Frames per second.
    pub sample_rate_hz: f64,
    /// Whether the host's transport ran.
    pub was_playing: bool,
    /// Where the passage starts on the host's timeline, in samples, if the host said so.
    pub host_start_samples: Option<i64>,
    /// The same in quarter notes.
    pub host_start_beats: Option<f64>,
    /// At least one, the first at offset 0, in order.
    pub tempo: Vec<TempoChange>,
    /// In the order of onset.
    pub notes: Vec<TakeNote>,
    /// Greatest level in each step of 1 / [`PEAKS_PER_SECOND`] seconds, 255 for full scale; of the
    /// first three hours.
    pub peaks: Vec<u8>,
    /// Frames heard so far.
    pub length_frames: u64,
    /// Whether it is being heard now. Not saved.
    pub is_open: bool,
}

/// Everything that was heard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Take {
    /// In the order in which they were heard.
    pub passages: Vec<Passage>,
}

impl Passage {
    /// An empty passage at `sample_rate_hz`, at 120 quarters per minute until a tempo is known.
    pub fn new(sample_rate_hz: f64) -> Self {
        Self {
            sample_rate_hz,
            was_playing: false,
            host_start_samples: None,
            host_start_beats: None,
            tempo: vec![TempoChange::default()],
            notes: Vec::new(),
            peaks: Vec::new(),
            length_frames: 0,
            is_open: false,
        }
    }

    /// Notes with or without what the leakage filter takes away.
    pub fn notes_filtered(&self, without_leakage: bool) -> impl Iterator<Item = &TakeNote> {
        self.notes
            .iter()
            .filter(move |note| !(without_leakage && note.is_leakage))
    }

    /// Quarter notes from the start of the passage to `offset_frames`, by its tempo map.
    pub fn beats_at(&self, offset_frames: u64) -> f64 {
        let mut beats = 0.0;
        for (index, change) in self.tempo.iter().enumerate() {
            let next = self
                .tempo
                .get(index + 1)
                .map_or(u64::MAX, |next| next.offset_frames);
            let end = next.min(offset_frames);
            if end > change.offset_frames {
                let seconds = (end - change.offset_frames) as f64 / self.sample_rate_hz;
                beats += seconds * change.bpm / 60.0;
            }
            if next >= offset_frames {
                break;
            }
        }
        beats
    }

    /// Frames from the start of the passage to the place `beats` quarter notes after it, by its tempo
    /// map; 0 for places before it.
    pub fn offset_at_beats(&self, beats: f64) -> u64 {
        let before = |change: &TempoChange| self.beats_at(change.offset_frames) <= beats;
        let count = self.tempo.partition_point(before).max(1);
        let change = self.tempo.get(count - 1).copied().unwrap_or_default();
        let seconds = (beats - self.beats_at(change.offset_frames)) * 60.0 / change.bpm;
        change
            .offset_frames
            .saturating_add_signed((seconds * self.sample_rate_hz).round() as i64)
    }

    /// Quarter notes from the start of the passage to the bar line at or before `offset_frames`:
    /// negative where that bar began before the passage.
    pub fn bar_start_beats(&self, offset_frames: u64) -> f64 {
        /// Hosts tell of a new meter with the block that its bar line lies in.
        const BLOCK_BEATS: f64 = 0.25;
        let bar_beats = |change: &TempoChange| {
            f64::from(change.beats_per_bar.max(1)) * 4.0 / f64::from(change.beat_unit.max(1))
        };
        let first = self.tempo.first().copied().unwrap_or_default();
        let mut bar = bar_beats(&first);
        let mut line = -self
            .host_start_beats
            .map_or(0.0, |beats| beats.rem_euclid(bar));
        for change in self.tempo.iter().skip(1) {
            if change.offset_frames > offset_frames {
                break;
            }
            if bar_beats(change) != bar {
                let beats = self.beats_at(change.offset_frames);
                let nearest = line + ((beats - line) / bar).round() * bar;
                line = if (beats - nearest).abs() < BLOCK_BEATS {
                    nearest
                } else {
                    beats
                };
                bar = bar_beats(change);
            }
        }
        line + ((self.beats_at(offset_frames) - line) / bar)
            .floor()
            .max(0.0)
            * bar
    }

    /// Adds a note in the order of onset, then key.
    pub fn insert(&mut self, note: TakeNote) {
        let order = |n: &TakeNote| (n.offset_frames, n.key);
        let index = self
            .notes
            .partition_point(|other| order(other) <= order(&note));
        self.notes.insert(index, note);
    }

    /// The pitched note at `offset_frames` has turned out to be this long. Nothing where there is none,
    /// or where it is longer.
    pub fn lengthen(&mut self, offset_frames: u64, key: u8, program: u8, length_frames: u32) {
        let order = |n: &TakeNote| (n.offset_frames, n.key);
        let first = self
            .notes
            .partition_point(|n| order(n) < (offset_frames, key));
        let here = self.notes[first..].iter_mut();
        let mut same = here.take_while(|n| order(n) == (offset_frames, key));
        if let Some(note) = same.find(|n| !n.is_drum && n.program == program) {
            note.length_frames = note.length_frames.max(length_frames);
        }
    }

    /// Adds a tempo or meter that holds from its offset on, if it is a change.
    pub fn change_tempo(&mut self, change: TempoChange) {
        if !change.bpm.is_finite() || change.bpm <= 0.0 || self.tempo.len() >= MAX_TEMPO_CHANGES {
            return;
        }
        match self.tempo.last_mut() {
            Some(last) if last.offset_frames >= change.offset_frames => {
                *last = TempoChange {
                    offset_frames: last.offset_frames,
                    ..change
                };
            }
            Some(last)
                if TempoChange {
                    offset_frames: change.offset_frames,
                    ..*last
                } == change => {}
            _ => self.tempo.push(change),
        }
    }

    /// Adds what was heard next: its length and steps of the overview.
    pub fn extend(&mut self, frames: u64, peaks: &[u8]) {
        self.length_frames += frames;
        let room = MAX_PEAKS.saturating_sub(self.peaks.len());
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

    /// Ends the passage that is being heard.
    pub fn close_passage(&mut self) {
        if let Some(open) = self.open_passage() {
            open.is_open = false;
        }
    }

    /// Starts a passage, which is being heard from now on. One that was heard before it, without notes
    /// and while the transport stood, is forgotten: silence between two plays is not worth remembering.
    pub fn start_passage(&mut self, passage: Passage) {
        let is_silence = |last: &Passage| last.notes.is_empty() && !last.was_playing;
        self.close_passage();
        if self.passages.last().is_some_and(is_silence) {
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
        let is_heard = self.passages.last().is_some_and(|last| last.is_open);
        let index = self.passages.len() - usize::from(is_heard);
        self.passages.insert(index, passage);
        let before = self.passages.len();
        self.trim();
        (index + self.passages.len()).saturating_sub(before)
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
        let since = std::mem::replace(self, cleared);
        let mut since = since.passages.into_iter();
        if let Some(old) = self.open_passage()
            && let Some(new) = since.next()
        {
            // It has gone on under the same beginning.
            for note in new.notes {
                old.insert(note);
            }
            old.peaks = new.peaks;
            old.length_frames = new.length_frames;
            old.is_open = new.is_open;
        }
        self.passages.extend(since);
        self.trim();
    }

    /// Keeps memory flat however long the plugin runs.
    pub fn trim(&mut self) {
        let mut notes = self.note_count();
        let mut peaks: usize = self
            .passages
            .iter()
            .map(|passage| passage.peaks.len())
            .sum();
        while self.passages.len() > 1
            && (notes > MAX_NOTES || peaks > MAX_PEAKS || self.passages.len() > MAX_PASSAGES)
        {
            let oldest = self.passages.remove(0);
            notes -= oldest.notes.len();
            peaks -= oldest.peaks.len();
        }
        if let Some(only) = self.passages.first_mut()
            && notes > MAX_NOTES
        {
            only.notes.drain(..MAX_NOTES / 10);
        }
    }
}

#[cfg(test)]
mod tests;
