//! What the audio thread and the engine thread exchange beside samples.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hitscribe::Sensitivity;
use hitscribe::source::Source;
use hitscribe_core::note::PlacedNote;

use crate::take::HostBar;

/// The host's transport at the start of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TransportState {
    /// Whether the transport runs.
    pub playing: bool,
    /// Position on the host's timeline in samples at the host's rate.
    pub position_samples: Option<i64>,
    /// Position on the host's timeline in quarter notes.
    pub position_beats: Option<f64>,
    /// Tempo in quarter notes per minute.
    pub tempo_bpm: Option<f64>,
    /// Time signature: beats in a bar, and the note value of a beat.
    pub meter: Option<(u8, u8)>,
    /// A bar line around the position, in the meter of the position.
    pub bar: Option<HostBar>,
}

/// The user's settings for a live source; they may change at any block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveSettings {
    /// What the track contains.
    pub source: Source,
    /// How sensitive the models are.
    pub sensitivity: Sensitivity,
    /// Whether notes are left out of the take while the transport is stopped. They are played all
    /// the same.
    pub records_playing_only: bool,
}

/// A change that holds from a certain sample on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// Frames that went into the ring before this mark.
    pub ring_frames: u64,
    /// Stream position of the next frame in the ring, in frames.
    pub position_frames: u64,
    /// Whether a new passage begins here (start, jump, loop, reset).
    pub starts_passage: bool,
    /// Whether no audio follows before the next mark. Transport and settings have no meaning then.
    pub ends_passage: bool,
    /// The host's transport at `position_frames`.
    pub transport: TransportState,
    /// The settings from here on.
    pub settings: LiveSettings,
}

/// A note as it is sent to the audio thread and kept in the take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarkedNote {
    /// The note. Its onset counts from the opening of the port or, in a take, from the start of the
    /// passage.
    pub note: PlacedNote,
    /// Whether the leakage filter, when it is on, removes this note.
    pub is_leakage: bool,
}

/// Counters of a port, shared by both threads. They only grow while the port is open.
#[derive(Debug, Default)]
pub struct PortCounters {
    /// Every note with an onset before this frame is in the note ring.
    pub(super) settled_frames: AtomicU64,
    /// Frames that the engine thread has read from the capture ring.
    pub(super) taken_frames: AtomicU64,
    /// Grows while the imported model of the port computes.
    pub(super) model_steps: AtomicU64,
    /// Frames that did not fit into the capture ring.
    pub(super) dropped_frames: AtomicU64,
    /// Whether the engine has given up on this port.
    pub(super) failed: AtomicBool,
    /// Whether the imported model of the port is still being loaded.
    pub(super) model_pending: AtomicBool,
    /// Whether the imported model of the port cannot be used.
    pub(super) model_unusable: AtomicBool,
    /// Notes that have entered the take.
    pub(super) recorded_notes: AtomicU64,
    watcher: Watcher,
}

/// Called by the engine thread.
#[derive(Default)]
struct Watcher(OnceLock<Box<dyn Fn(u64) + Send + Sync>>);

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watcher")
    }
}

impl PortCounters {
    /// Frames that were lost because the engine did not keep up.
    pub fn dropped_frames(&self) -> u64 {
        self.dropped_frames.load(Ordering::Relaxed)
    }

    /// Frames that the engine has read.
    pub fn taken_frames(&self) -> u64 {
        self.taken_frames.load(Ordering::Relaxed)
    }

    /// Every note with an onset before this frame has been delivered.
    pub fn settled_frames(&self) -> u64 {
        self.settled_frames.load(Ordering::Acquire)
    }

    /// Changes as long as the engine makes progress.
    pub fn progress(&self) -> u64 {
        let steps = self.model_steps.load(Ordering::Relaxed);
        steps + self.taken_frames() + self.settled_frames()
    }

    /// Whether the engine has given up on this port.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Whether the imported model of the port is still being loaded, so that it is not known whether
    /// [`PortCounters::is_without_engine`] holds.
    pub fn is_model_pending(&self) -> bool {
        self.model_pending.load(Ordering::Acquire)
    }

    /// Whether nothing is transcribed: the engine has given up, or the imported model of the port
    /// cannot be used.
    pub fn is_without_engine(&self) -> bool {
        self.failed() || self.model_unusable.load(Ordering::Acquire)
    }

    /// Notes that have entered the take.
    pub fn recorded_notes(&self) -> u64 {
        self.recorded_notes.load(Ordering::Relaxed)
    }

    /// Calls `watcher` on the engine thread with [`PortCounters::recorded_notes`], many times a
    /// second while audio comes in. The first watcher stays.
    pub fn watch(&self, watcher: impl Fn(u64) + Send + Sync + 'static) {
        let _ = self.watcher.0.set(Box::new(watcher));
    }

    pub(super) fn call_watcher(&self) {
        if let Some(watcher) = self.watcher.0.get() {
            watcher(self.recorded_notes());
        }
    }
}
