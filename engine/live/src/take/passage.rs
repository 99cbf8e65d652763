//! A passage and its notes.

use std::sync::atomic::{AtomicU64, Ordering};

use hitscribe::Source;
use hitscribe_core::note::PlacedNote;
use hitscribe_picking::drums::candidate::Candidate;
use hitscribe_picking::drums::selection::Rules;

use crate::messages::MarkedNote;
use crate::take::edits::Edits;
use crate::take::tempo::{HostBar, TempoChange};

/// Steps of the level overview in a second.
pub const PEAKS_PER_SECOND: usize = 25;
/// Most steps of the level overview in a take, over all passages: three hours.
pub(super) const MAX_PEAKS: usize = 3 * 3600 * PEAKS_PER_SECOND;
/// Most steps in a passage of a stopped transport, which may last for days: ten minutes.
pub(super) const MAX_STOPPED_PEAKS: usize = 600 * PEAKS_PER_SECOND;
/// Steps of a saved confidence between 0 and 1.
pub(super) const CONFIDENCE_STEPS: f32 = 255.0;
/// Notes for which memory is allocated at once.
pub const NOTE_RESERVE: usize = 1_024;

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
    /// Name of the recording that it was transcribed from; none for one that was played.
    pub name: Option<String>,
    /// What the track contained; unknown in takes of older versions.
    pub source: Option<Source>,
    /// Notes by onset, then by key: pitched ones, those of imported models, and the drums of takes
    /// of older versions. Other drums are among the candidates.
    pub notes: Vec<MarkedNote>,
    /// How hits are selected among the candidates.
    pub rules: Rules,
    /// Candidates of the built-in drum network, in order of their frames.
    pub candidates: Vec<Candidate>,
    /// Candidates that were hits when they were recorded.
    pub recorded_hits: u64,
    /// The user's changes.
    pub edits: Edits,
    /// Grows with every change of notes, candidates and edits. Not saved.
    pub revision: u64,
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
            name,
            source,
            notes,
            rules,
            candidates,
            recorded_hits,
            edits,
            revision: _,
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
            && *name == other.name
            && *source == other.source
            && *notes == other.notes
            && *rules == other.rules
            && *candidates == other.candidates
            && *recorded_hits == other.recorded_hits
            && *edits == other.edits
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
            name: None,
            source: None,
            notes: Vec::new(),
            rules: Rules::Independent,
            candidates: Vec::new(),
            recorded_hits: 0,
            edits: Edits::default(),
            revision: 0,
            peaks: Vec::new(),
            length_frames: 0,
            is_open: false,
        }
    }

    /// Whether it has no notes and the transport was stopped: not worth keeping.
    pub(super) fn is_silence(&self) -> bool {
        !self.has_notes() && !self.was_playing
    }

    /// Whether it has notes, or has had some with the settings that it was recorded with.
    pub fn has_notes(&self) -> bool {
        self.note_count() > 0
    }

    /// Number of notes with the settings that it was recorded with, without edits, and of added
    /// notes.
    pub fn note_count(&self) -> usize {
        self.notes.len() + self.recorded_hits as usize + self.edits.added().count()
    }

    /// Adds candidates, whose frames do not fall, and the number of hits among them. Keeps what a
    /// saved take can hold: confidences in steps of 1/255.
    pub fn add_candidates(&mut self, candidates: &[Candidate], hits: usize) {
        self.revision += 1;
        self.recorded_hits += hits as u64;
        if self.candidates.capacity() - self.candidates.len() < candidates.len() {
            // In constant steps, as below.
            let room = candidates.len().max(NOTE_RESERVE);
            self.candidates.reserve_exact(room);
        }
        self.candidates.extend(candidates.iter().map(|candidate| {
            let mut kept = *candidate;
            let confidence = &mut kept.peak.confidence;
            *confidence =
                (confidence.clamp(0.0, 1.0) * CONFIDENCE_STEPS).round() / CONFIDENCE_STEPS;
            kept
        }));
    }

    /// Changes the edits.
    pub fn edit<R>(&mut self, change: impl FnOnce(&mut Edits) -> R) -> R {
        self.revision += 1;
        change(&mut self.edits)
    }

    /// Adds a note in order of onset, then key. Keeps what a saved take can hold: lengths up to
    /// [`u32::MAX`] and confidences in steps of 1/255.
    pub fn insert(&mut self, mut note: MarkedNote) {
        self.revision += 1;
        let PlacedNote {
            length_samples,
            confidence,
            ..
        } = &mut note.note;
        *length_samples = (*length_samples).clamp(1, u32::MAX.into());
        *confidence = (confidence.clamp(0.0, 1.0) * CONFIDENCE_STEPS).round() / CONFIDENCE_STEPS;
        let order = |n: &MarkedNote| (n.note.onset_samples, n.note.pitch);
        let index = self
            .notes
            .partition_point(|other| order(other) <= order(&note));
        if self.notes.len() == self.notes.capacity() {
            // In constant steps: doubling would look like a memory leak over hours.
            self.notes.reserve_exact(NOTE_RESERVE);
        }
        self.notes.insert(index, note);
    }

    /// Extends the pitched note with the onset, pitch and program of `ended` to its length, if
    /// there is one that is shorter.
    pub fn lengthen(&mut self, ended: &PlacedNote) {
        self.revision += 1;
        let order = |n: &MarkedNote| (n.note.onset_samples, n.note.pitch);
        let first = self
            .notes
            .partition_point(|n| order(n) < (ended.onset_samples, ended.pitch));
        let here = self.notes[first..].iter_mut();
        let mut same = here.map(|marked| &mut marked.note).take_while(|note| {
            (note.onset_samples, note.pitch) == (ended.onset_samples, ended.pitch)
        });
        if let Some(note) = same.find(|note| !note.is_drum && note.program == ended.program) {
            let length_samples = ended.length_samples.min(u32::MAX.into());
            note.length_samples = note.length_samples.max(length_samples);
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
