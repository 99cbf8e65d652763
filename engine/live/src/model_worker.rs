//! The thread of one imported model: loads it, decodes, retries what cannot be loaded, and falls
//! back to the CPU.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam::channel::Receiver;
use hitscribe::imported::{ImportedModel, ModelChoice, ModelUnavailable};
use hitscribe::pipeline::tokens::{SEGMENT_SECONDS, SegmentRequest};
use hitscribe_core::error::Result;
use hitscribe_core::model_store::Store;
use hitscribe_models::device::{Device, DeviceChoice, guarded, load_on, select};
use hitscribe_models::generate::Sequence;

use crate::status::{ModelPhase, ModelStatus, SharedModel};

/// Time after which a model that could not be loaded is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);
/// Time between two checks whether the thread is to end.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// Segments that come within this time are decoded as one batch.
const BATCH_WINDOW: Duration = Duration::from_millis(25);

/// A model's thread.
pub(super) struct Worker {
    pub choice: ModelChoice,
    /// None for the user's store.
    pub store: Option<Store>,
    pub shared: Arc<SharedModel>,
    pub inbox: Receiver<Vec<SegmentRequest>>,
}

/// A loaded model.
struct Loaded {
    model: ImportedModel,
    path: PathBuf,
    can_fall_back: bool,
}

impl Worker {
    /// Works until [`SharedModel::stop`] is set.
    pub fn run(&self) {
        while !self.shared.is_stopped() {
            let Some(device) = self.device() else {
                std::thread::sleep(CHECK_INTERVAL / 10);
                continue;
            };
            let stamp = self.stamp();
            let outcome = match self.load(&device) {
                Ok(mut loaded) => self.serve(&mut loaded, &device),
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                self.show_error(error);
                let is_same = || self.device().as_ref() == Some(&device) && self.stamp() == stamp;
                self.refuse_for(RETRY_INTERVAL);
                while !self.shared.is_stopped() && is_same() {
                    self.refuse_for(RETRY_INTERVAL);
                }
            }
        }
        self.refuse_for(Duration::ZERO);
    }

    /// The device to use; none before the built-in models are loaded.
    fn device(&self) -> Option<DeviceChoice> {
        self.shared.device.lock().clone()
    }

    fn store(&self) -> Result<Store> {
        self.store.clone().map_or_else(Store::for_user, Ok)
    }

    fn stamp(&self) -> impl PartialEq + use<> {
        self.store()
            .ok()
            .and_then(|store| self.choice.stamp(&store))
    }

    fn load(&self, device: &DeviceChoice) -> Result<Loaded, ModelUnavailable> {
        let store = self
            .store()
            .map_err(|e| ModelUnavailable::Missing(e.to_string()))?;
        let path = self.choice.find(&store)?;
        let (device, refusal) = match select(device) {
            Ok(selected) => (selected.device, selected.gpu_failure()),
            // A project may come from another computer.
            Err(error) => (Device::Cpu, Some(error.to_string())),
        };
        let (model, selected) = load_on(device, |device| load(&path, device))?;
        let can_fall_back = selected.device != Device::Cpu;
        self.show_ready(
            &model,
            selected.device,
            selected.fallback_reason.or(refusal),
        );
        Ok(Loaded {
            model,
            path,
            can_fall_back,
        })
    }

    fn show_ready(&self, model: &ImportedModel, device: Device, reason: Option<String>) {
        let form = model.form();
        // The same checksum means the same form.
        let _ = self.shared.form.set(form);
        *self.shared.status.lock() = ModelStatus {
            phase: ModelPhase::Ready,
            family: Some(form.family),
            device: device.to_string(),
            reason,
            real_time_factor: None,
        };
    }

    fn show_error(&self, error: ModelUnavailable) {
        let (phase, reason) = match error {
            ModelUnavailable::Missing(reason) => (ModelPhase::Missing, reason),
            ModelUnavailable::Damaged(reason) => (ModelPhase::Damaged, reason),
        };
        log::warn!("{reason}");
        let mut status = self.shared.status.lock();
        status.phase = phase;
        status.reason = Some(reason);
    }

    /// Answers requests with nothing for some time, or until the thread is to end.
    fn refuse_for(&self, time: Duration) {
        let began = Instant::now();
        loop {
            let left = time.saturating_sub(began.elapsed());
            if let Ok(requests) = self.inbox.recv_timeout(left.min(CHECK_INTERVAL)) {
                requests
                    .into_iter()
                    .for_each(|request| request.answer(None));
            } else if left.is_zero() || self.shared.is_stopped() {
                return;
            }
        }
    }

    /// Decodes until the thread is to end or the device changes.
    fn serve(&self, loaded: &mut Loaded, device: &DeviceChoice) -> Result<(), ModelUnavailable> {
        while !self.shared.is_stopped() && self.device().as_ref() == Some(device) {
            let Ok(mut requests) = self.inbox.recv_timeout(CHECK_INTERVAL) else {
                continue;
            };
            let began = Instant::now();
            while requests.len() < self.shared.users.load(Ordering::Relaxed) {
                let left = BATCH_WINDOW.saturating_sub(began.elapsed());
                match self.inbox.recv_timeout(left) {
                    Ok(more) => requests.extend(more),
                    Err(_) => break,
                }
            }
            while !requests.is_empty() {
                let most = requests.len().min(loaded.model.batch_segments());
                let batch: Vec<SegmentRequest> = requests.drain(..most).collect();
                match self.decode(loaded, &batch) {
                    Ok(decoded) => {
                        for (request, channels) in batch.into_iter().zip(decoded) {
                            request.answer(Some(channels));
                        }
                    }
                    Err(error) => {
                        let all = batch.into_iter().chain(requests);
                        all.for_each(|request| request.answer(None));
                        return Err(error.into());
                    }
                }
            }
        }
        Ok(())
    }

    /// Decodes on the GPU, or on the CPU after the GPU has failed once.
    fn decode(&self, loaded: &mut Loaded, batch: &[SegmentRequest]) -> Result<Vec<Vec<Sequence>>> {
        let error = match self.try_decode(&loaded.model, batch) {
            Err(error) if loaded.can_fall_back => error,
            outcome => return outcome,
        };
        log::error!("{error}");
        loaded.can_fall_back = false;
        loaded.model = load(&loaded.path, Device::Cpu)?;
        self.show_ready(&loaded.model, Device::Cpu, Some(error.to_string()));
        self.try_decode(&loaded.model, batch)
    }

    fn try_decode(
        &self,
        model: &ImportedModel,
        batch: &[SegmentRequest],
    ) -> Result<Vec<Vec<Sequence>>> {
        let began = Instant::now();
        let keep_going = || {
            self.shared.steps.fetch_add(1, Ordering::Relaxed);
            !self.shared.is_stopped()
        };
        let decoded = guarded("model", || model.decode(batch, &keep_going))??;
        let sound_seconds = batch.len() as f64 * SEGMENT_SECONDS;
        let users = self.shared.users.load(Ordering::Relaxed).max(1);
        let factor = (began.elapsed().as_secs_f64() / sound_seconds * users as f64) as f32;
        let mut status = self.shared.status.lock();
        let last = status.real_time_factor.unwrap_or(factor);
        status.real_time_factor = Some((last + factor) / 2.0);
        Ok(decoded)
    }
}

fn load(path: &Path, device: Device) -> Result<ImportedModel> {
    let load = || {
        let model = ImportedModel::load(path, device)?;
        model.warm_up()?;
        Ok(model)
    };
    guarded("model", load).and_then(|model| model)
}
