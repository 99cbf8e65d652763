//! What the audio thread and the engine thread tell each other beside samples.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::take::HostBar;
use hitscribe::drums::candidate::Sensitivity;
use hitscribe::source::Source;

/// What the host's transport says at the start of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TransportState {
    /// Whether the transport runs.
    pub playing: bool,
    /// Position on the host's timeline in samples at the host's rate.
    pub position_samples: Option<i64>,
    /// The same in quarter notes.
    pub position_beats: Option<f64>,
    /// Tempo in quarter notes per minute.
    pub tempo_bpm: Option<f64>,
    /// Beats in a bar, and the note value of a beat.
    pub meter: Option<(u8, u8)>,
    /// A bar line around the position, in the meter of the position.
    pub bar: Option<HostBar>,
}

/// What the user asks of the engine; may change at any block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveSettings {
    /// What the track contains.
    pub source: Source,
    /// How much is a hit.
    pub sensitivity: Sensitivity,
    /// Whether what is heard while the transport stands is played only, not kept in the take.
    pub records_playing_only: bool,
}

/// Something that holds from a certain sample on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// Frames that went into the ring before this mark.
    pub ring_frames: u64,
    /// Position in the stream of the next frame in the ring, in frames.
    pub position_frames: u64,
    /// Whether what follows does not continue what was before (start, jump, loop, reset).
    pub starts_passage: bool,
    /// Whether nothing is heard from here to the next mark. Then host and settings say nothing.
    pub ends_passage: bool,
    /// The host's clock at `position_frames`.
    pub host: TransportState,
    /// The settings from here on.
    pub listening: LiveSettings,
}

/// A note on its way to the audio thread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LiveNote {
    /// Onset in frames since the port was opened.
    pub position_frames: u64,
    /// Length in frames, at least 1.
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
    /// Whether the leakage filter takes this note away when it is on.
    pub is_leakage: bool,
}

/// Figures that both sides see. All only grow while a port is open.
#[derive(Debug, Default)]
pub struct PortCounters {
    /// Every note with an onset before this frame has been put into the note ring.
    pub(super) settled_frames: AtomicU64,
    /// Frames that the engine thread has taken out of the capture ring.
    pub(super) taken_frames: AtomicU64,
    /// Grows while the model that the port waits for is at work.
    pub(super) model_steps: AtomicU64,
    /// Frames that did not fit into the capture ring.
    pub(super) dropped_frames: AtomicU64,
    /// Set when the engine has given up on this port.
    pub(super) failed: AtomicBool,
}

impl PortCounters {
    /// Frames lost because the engine did not keep up.
    pub fn dropped_frames(&self) -> u64 {
        self.dropped_frames.load(Ordering::Relaxed)
    }

    /// Frames the engine has taken over.
    pub fn taken_frames(&self) -> u64 {
        self.taken_frames.load(Ordering::Relaxed)
    }

    /// Every note before this frame has been delivered.
    pub fn settled_frames(&self) -> u64 {
        self.settled_frames.load(Ordering::Acquire)
    }

    /// Changes as long as the engine gets on with what it was given.
    pub fn progress(&self) -> u64 {
        let steps = self.model_steps.load(Ordering::Relaxed);
        steps + self.taken_frames() + self.settled_frames()
    }

    /// Whether the engine has given up.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}
