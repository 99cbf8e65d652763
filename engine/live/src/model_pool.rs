//! The imported models in use. Each is loaded once, on a thread of its own, which decodes for all
//! instances that use it; it is dropped soon after the last of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, unbounded};
use hitscribe::imported::ModelChoice;
use hitscribe::pipeline::tokens::SegmentRequest;
use hitscribe_core::model_store::Store;
use hitscribe_models::device::DeviceChoice;

use crate::model_worker::Worker;
use crate::status::{ModelPhase, ModelStatus, SharedModel};

/// A model is kept this long after its last use: hosts restart plugins, users reopen projects.
const KEPT_UNUSED: Duration = Duration::from_secs(5);

/// A model with its thread.
struct Entry {
    choice: ModelChoice,
    shared: Arc<SharedModel>,
    requests: Sender<Vec<SegmentRequest>>,
    thread: Option<JoinHandle<()>>,
    unused_since: Option<Instant>,
}

/// All models in use.
#[derive(Default)]
pub(super) struct ModelPool {
    /// None for the user's store.
    store: Option<Store>,
    device: Option<DeviceChoice>,
    entries: Vec<Entry>,
    /// Threads that are ending.
    retired: Vec<JoinHandle<()>>,
}

impl ModelPool {
    pub fn new(store: Option<Store>) -> Self {
        Self {
            store,
            ..Self::default()
        }
    }

    /// Sets the device of all models.
    pub fn set_device(&mut self, device: DeviceChoice) {
        for entry in &self.entries {
            *entry.shared.device.lock() = Some(device.clone());
        }
        self.device = Some(device);
    }

    /// The model, which begins to load if it is not in use yet.
    pub fn get(&mut self, choice: &ModelChoice) -> Arc<SharedModel> {
        if let Some(entry) = self.entries.iter().find(|entry| &entry.choice == choice) {
            return entry.shared.clone();
        }
        let shared = Arc::new(SharedModel::default());
        *shared.device.lock() = self.device.clone();
        let (requests, inbox) = unbounded();
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
            requests,
            thread,
            unused_since: None,
        });
        shared
    }

    /// The state of a model; none if it is not in use.
    pub fn status(&self, choice: &ModelChoice) -> Option<ModelStatus> {
        let entry = self.entries.iter().find(|entry| &entry.choice == choice)?;
        Some(entry.shared.status.lock().clone())
    }

    /// Sends each model the segments that `collect` returns for it.
    pub fn send(&self, mut collect: impl FnMut(&Arc<SharedModel>) -> Vec<SegmentRequest>) {
        for entry in &self.entries {
            let requests = collect(&entry.shared);
            if !requests.is_empty()
                && let Err(refused) = entry.requests.send(requests)
            {
                refused
                    .0
                    .into_iter()
                    .for_each(|request| request.answer(None));
            }
        }
    }

    /// Drops models that have not been used for a while.
    pub fn drop_unused(&mut self) {
        for entry in &mut self.entries {
            // This entry and the thread hold it, too.
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

    /// Ends all threads and waits for them: the plugin's library may be unloaded after this.
    pub fn close(&mut self) {
        for entry in &mut self.entries {
            entry.shared.stop.store(true, Ordering::Relaxed);
            self.retired.extend(entry.thread.take());
        }
        self.entries.clear();
        for thread in self.retired.drain(..) {
            // The thread catches its panics.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
