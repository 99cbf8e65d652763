//! The published models in use: each is loaded once, on a thread of its own, and decodes there for all
//! sources that use it. It is dropped soon after nobody does.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, unbounded};
use parking_lot::Mutex;

use super::model_thread::Worker;
use super::published::ModelChoice;
use super::token_ear::Order;
use crate::decode::{Family, SegmentForm};
use crate::device::Device;
use crate::model::catalogue::Store;

/// A model is kept this long after its last use: hosts restart their engine, and projects are reopened.
const KEPT_UNUSED: Duration = Duration::from_secs(5);

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

/// A model with its thread.
struct Entry {
    choice: ModelChoice,
    shared: Arc<Shared>,
    orders: Sender<Vec<Order>>,
    thread: Option<JoinHandle<()>>,
    unused_since: Option<Instant>,
}

/// All models in use.
#[derive(Default)]
pub(super) struct Shelf {
    /// None for that of the user.
    store: Option<Store>,
    device: Option<Device>,
    entries: Vec<Entry>,
    /// Threads that are about to end.
    retired: Vec<JoinHandle<()>>,
}

impl Shelf {
    pub fn new(store: Option<Store>) -> Self {
        Self {
            store,
            ..Self::default()
        }
    }

    /// Where all models compute from now on.
    pub fn set_device(&mut self, device: Device) {
        self.device = Some(device);
        for entry in &self.entries {
            *entry.shared.device.lock() = Some(device);
        }
    }

    /// The model, which begins to load if nobody has asked for it before.
    pub fn get(&mut self, choice: &ModelChoice) -> Arc<Shared> {
        if let Some(entry) = self.entries.iter().find(|entry| &entry.choice == choice) {
            return entry.shared.clone();
        }
        let shared = Arc::new(Shared::default());
        *shared.device.lock() = self.device;
        let (orders, inbox) = unbounded();
        let worker = Worker {
            choice: choice.clone(),
            store: self.store.clone(),
            shared: shared.clone(),
            inbox,
        };
        let spawned = std::thread::Builder::new()
            .name("hitscribe-model".to_owned())
            .spawn(move || worker.run());
        let thread = spawned
            .map_err(|error| {
                *shared.status.lock() = ModelStatus {
                    phase: ModelPhase::Damaged,
                    reason: Some(format!("no thread for the model: {error}")),
                    ..ModelStatus::default()
                };
            })
            .ok();
        self.entries.push(Entry {
            choice: choice.clone(),
            shared: shared.clone(),
            orders,
            thread,
            unused_since: None,
        });
        shared
    }

    /// What there is to show about a model that is in use.
    pub fn status(&self, choice: &ModelChoice) -> Option<ModelStatus> {
        let entry = self.entries.iter().find(|entry| &entry.choice == choice)?;
        Some(entry.shared.status.lock().clone())
    }

    /// Hands segments to their models, those of one model together: `collect` is asked for them.
    pub fn send(&self, mut collect: impl FnMut(&Arc<Shared>) -> Vec<Order>) {
        for entry in &self.entries {
            let orders = collect(&entry.shared);
            if !orders.is_empty()
                && let Err(refused) = entry.orders.send(orders)
            {
                refused.0.into_iter().for_each(|order| order.answer(None));
            }
        }
    }

    /// Lets go of models that nobody has used for a while.
    pub fn tidy(&mut self) {
        for entry in &mut self.entries {
            // The shelf and the thread hold it, too.
            let others = 1 + usize::from(entry.thread.is_some());
            let users = Arc::strong_count(&entry.shared).saturating_sub(others);
            entry.shared.users.store(users, Ordering::Relaxed);
            if users > 0 {
                entry.unused_since = None;
                continue;
            }
            let since = entry.unused_since.get_or_insert_with(Instant::now);
            if since.elapsed() > KEPT_UNUSED {
                entry.shared.stop.store(true, Ordering::Relaxed);
                self.retired.extend(entry.thread.take());
            }
        }
        self.entries.retain(|entry| !entry.shared.is_stopped());
        self.retired.retain(|thread| !thread.is_finished());
    }

    /// Ends all threads and waits for them: the library may be unloaded after this.
    pub fn close(&mut self) {
        for entry in &mut self.entries {
            entry.shared.stop.store(true, Ordering::Relaxed);
            self.retired.extend(entry.thread.take());
        }
        self.entries.clear();
        for thread in self.retired.drain(..) {
            // It catches its panics, so there is nothing to report.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
