//! Tempo, meter and bars as data.

use serde::{Deserialize, Serialize};

/// Most tempo changes in a passage; a longer list is thinned.
pub(super) const MAX_TEMPO_CHANGES: usize = 4_096;
/// The slowest valid tempo, in quarter notes per minute.
pub(super) const MIN_BPM: f64 = 0.1;
/// The fastest valid tempo.
pub(super) const MAX_BPM: f64 = 100_000.0;
/// More bars than any timeline has; a damaged take cannot cause an overflow.
const MAX_BARS: f64 = 1e9;

/// A tempo and meter from a frame of a passage on.
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

impl TempoChange {
    /// Quarter notes in a bar.
    pub fn bar_beats(&self) -> f64 {
        f64::from(self.beats_per_bar.max(1)) * 4.0 / f64::from(self.beat_unit.max(1))
    }

    pub(super) fn meter(&self) -> (u8, u8) {
        (self.beats_per_bar, self.beat_unit)
    }

    /// Merges this change and the next, with their mean tempo up to `end_frames`.
    pub(super) fn joined(self, next: Self, end_frames: u64) -> Self {
        let own_frames = next.offset_frames.saturating_sub(self.offset_frames) as f64;
        let next_frames = end_frames.saturating_sub(next.offset_frames) as f64;
        let mean = (self.bpm * own_frames + next.bpm * next_frames) / (own_frames + next_frames);
        Self {
            bpm: mean.clamp(MIN_BPM, MAX_BPM),
            ..self
        }
    }
}

/// A bar line of the host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostBar {
    /// Position on the host's timeline in quarter notes.
    pub start_beats: f64,
    /// Number of the bar that starts there, from 0, if the host reports it.
    pub number: Option<i32>,
}

/// A bar of a passage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Start in quarter notes from the start of the passage; negative if it began before.
    pub start_beats: f64,
    /// Length in quarter notes.
    pub length_beats: f64,
    /// Number on the host's timeline, from 1.
    pub number: i64,
}

impl Bar {
    /// The bar `bars` later in the same meter.
    pub(super) fn after(self, bars: f64) -> Self {
        Self {
            start_beats: self.start_beats + bars * self.length_beats,
            number: self.number + bars.clamp(-MAX_BARS, MAX_BARS) as i64,
            ..self
        }
    }
}
