//! What there is to show about the engine and the models.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use hitscribe_models::device::Device;
use hitscribe_models::generate::{Family, SegmentForm};

/// What the engine thread is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Reading the model.
    #[default]
    Loading,
    /// Transcribing.
    Ready,
    /// Given up; audio passes, nothing is transcribed.
    Failed,
}

/// What there is to show about the engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineStatus {
    /// What it is doing.
    pub phase: Phase,
    /// The device it computes on.
    pub device: String,
    /// The model.
    pub model: String,
    /// Why it is not on the GPU, or why it failed; one line.
    pub reason: Option<String>,
}

/// What has become of a published model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelPhase {
    /// It is being read.
    #[default]
    Loading,
    /// Transcribing.
    Ready,
    /// It is not in the store. It is looked for again and again.
    Missing,
    /// It cannot be used as it is.
    Damaged,
}

/// What there is to show about a published model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelStatus {
    /// What has become of it.
    pub phase: ModelPhase,
    /// Which system it is, once that is known.
    pub family: Option<Family>,
    /// Where it computes.
    pub device: String,
    /// Why it cannot be used, or is not on the GPU; one line.
    pub reason: Option<String>,
    /// Time that decoding takes, for each second of sound; none before the first segment. From 1 on
    /// notes come late.
    pub real_time_factor: Option<f32>,
}

/// What a model's thread shares with the engine's and with those who look.
#[derive(Default)]
pub(super) struct Shared {
    pub status: Mutex<ModelStatus>,
    pub form: OnceLock<SegmentForm>,
    /// Where it is to compute, once that is known.
    pub device: Mutex<Option<Device>>,
    /// The thread is to end.
    pub stop: AtomicBool,
    /// Grows while the thread decodes.
    pub steps: AtomicU64,
    /// Sources that use the model.
    pub users: AtomicUsize,
}

/// What a source knows of its model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ModelState {
    Loading,
    Ready(SegmentForm),
    Unusable,
}

impl Shared {
    pub fn state(&self) -> ModelState {
        match (self.status.lock().phase, self.form.get()) {
            (ModelPhase::Ready, Some(form)) => ModelState::Ready(*form),
            (ModelPhase::Loading | ModelPhase::Ready, _) => ModelState::Loading,
            (ModelPhase::Missing | ModelPhase::Damaged, _) => ModelState::Unusable,
        }
    }

    /// Grows while the model is at work.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
