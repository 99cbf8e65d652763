//! The state of the engine and of imported models, for display.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use hitscribe_models::device::DeviceChoice;
use hitscribe_models::generate::{Family, SegmentForm};
use parking_lot::Mutex;

/// What the engine thread is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Loading the models.
    #[default]
    Loading,
    /// Transcribing.
    Ready,
    /// Given up: audio passes, nothing is transcribed.
    Failed,
}

/// The state of the engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineStatus {
    /// What the engine thread is doing.
    pub phase: Phase,
    /// The device that is in use, such as `cpu` or `gpu:0`.
    pub device: String,
    /// Name of the model.
    pub model: String,
    /// Why the GPU is not in use, or why the engine failed; one line.
    pub reason: Option<String>,
}

/// The state of an imported model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelPhase {
    /// It is being loaded.
    #[default]
    Loading,
    /// Transcribing.
    Ready,
    /// It is not in the store, which is searched again from time to time.
    Missing,
    /// Its file cannot be used.
    Damaged,
}

/// An imported model in use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelStatus {
    /// Its state.
    pub phase: ModelPhase,
    /// The family of the model, once it is loaded.
    pub family: Option<Family>,
    /// The device that it runs on.
    pub device: String,
    /// Why it cannot be used, or why the GPU is not in use; one line.
    pub reason: Option<String>,
    /// Seconds of decoding for a second of audio; none before the first segment. From 1 on notes
    /// are late.
    pub real_time_factor: Option<f32>,
}

/// What a model's thread shares with the engine thread and the editor.
#[derive(Default)]
pub(super) struct SharedModel {
    pub status: Mutex<ModelStatus>,
    pub form: OnceLock<SegmentForm>,
    /// The device to use; none before the built-in models are loaded.
    pub device: Mutex<Option<DeviceChoice>>,
    /// The thread is to end.
    pub stop: AtomicBool,
    /// Grows while the thread decodes.
    pub steps: AtomicU64,
    /// Instances that use the model.
    pub users: AtomicUsize,
}

/// The state of an imported model as a session needs it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ModelState {
    Loading,
    Ready(SegmentForm),
    Unusable,
}

impl SharedModel {
    pub fn state(&self) -> ModelState {
        match (self.status.lock().phase, self.form.get()) {
            (ModelPhase::Ready, Some(form)) => ModelState::Ready(*form),
            (ModelPhase::Loading | ModelPhase::Ready, _) => ModelState::Loading,
            (ModelPhase::Missing | ModelPhase::Damaged, _) => ModelState::Unusable,
        }
    }

    /// Grows while the model decodes.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
