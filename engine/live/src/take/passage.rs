//! A passage and its notes.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::take::tempo::{HostBar, TempoChange};

/// Steps of the level overview in a second.
pub const PEAKS_PER_SECOND: usize = 25;
/// Most steps of the level overview in a take, over all passages: three hours.
pub(super) const MAX_PEAKS: usize = 3 * 3600 * PEAKS_PER_SECOND;
/// Most steps in a passage of a stopped transport, which may last for days: ten minutes.
pub(super) const MAX_STOPPED_PEAKS: usize = 600 * PEAKS_PER_SECOND;
/// Notes for which a passage allocates memory at once.
const NOTE_RESERVE: usize = 1_024;

/// A note of a take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TakeNote {
    /// Onset in frames since the start of the passage.
    pub offset_frames: u64,
    /// Length in frames, at least 1.
    pub length_frames: u32,
    /// MIDI key 0..=127; for drums the General MIDI percussion key.
    pub key: u8,
    /// MIDI velocity 1..=127.
    pub velocity: u8,
    /// General MIDI program 0..=127 of a pitched note; 0 for drums.
    pub program: u8,
    /// Whether `key` is a percussion key.
    pub is_drum: bool,
    /// How open a hi-hat was, 0 to [`hitscribe_core::note::MAX_OPENNESS`]; none for other notes.
    pub openness: Option<u8>,
    /// Whether the leakage filter, when it is on, removes this note.
    pub is_leakage: bool,
    /// Confidence of the model: 0..=255 for 0 to 1.
    pub confidence: u8,
}

/// A stretch of continuous audio. Comparison ignores the `id`.
#[derive(Clone, Debug)]
pub struct Passage {
    /// Identifies the passage, and copies of it, within this process. Not saved.
    pub id: u64,
    /// Sample rate in Hz.
    pub sample_rate_hz: f64,
    /// Whether the host's transport ran.
    pub was_playing: bool,
    /// Start on the host's timeline in samples, if the host reported it.
    pub host_start_samples: Option<i64>,
    /// Start on the host's timeline in quarter notes, if the host reported it.
    pub host_start_beats: Option<f64>,
    /// A bar line of the host near the start, if the host reported one.
    pub host_bar: Option<HostBar>,
    /// Tempo map, in order: at least one entry, the first at offset 0.
    pub tempo: Vec<TempoChange>,
    /// Notes by onset, then by key.
    pub notes: Vec<TakeNote>,
    /// Level overview: the peak in each step of 1 / [`PEAKS_PER_SECOND`] seconds, 255 for full
    /// scale. It covers the first three hours, or ten minutes if the transport was stopped; old
    /// passages may have none.
    pub peaks: Vec<u8>,
    /// Length so far.
    pub length_frames: u64,
    /// Whether it is being recorded. Not saved.
    pub is_open: bool,
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
    /// An empty passage at 120 quarter notes per minute.
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

    /// Whether it has no notes and the transport was stopped: not worth keeping.
    pub(super) fn is_silence(&self) -> bool {
        self.notes.is_empty() && !self.was_playing
    }

    /// The notes, without leakage if asked.
    pub fn notes_filtered(&self, without_leakage: bool) -> impl Iterator<Item = &TakeNote> {
        self.notes
            .iter()
            .filter(move |note| !(without_leakage && note.is_leakage))
    }

    /// Adds a note in order of onset, then key.
    pub fn insert(&mut self, note: TakeNote) {
        let order = |n: &TakeNote| (n.offset_frames, n.key);
        let index = self
            .notes
            .partition_point(|other| order(other) <= order(&note));
        if self.notes.len() == self.notes.capacity() {
            // In constant steps: doubling would look like a memory leak over hours.
            self.notes.reserve_exact(NOTE_RESERVE);
        }
        self.notes.insert(index, note);
    }

    /// Extends the pitched note at `offset_frames` to `length_frames`, if there is one that is
    /// shorter.
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

    /// Adds audio: its length and its steps of the level overview.
    pub fn extend(&mut self, frames: u64, peaks: &[u8]) {
        self.length_frames += frames;
        let limit = if self.was_playing {
            MAX_PEAKS
        } else {
            MAX_STOPPED_PEAKS
        };
        let room = limit.saturating_sub(self.peaks.len());
        self.peaks.extend(&peaks[..peaks.len().min(room)]);
    }
}
