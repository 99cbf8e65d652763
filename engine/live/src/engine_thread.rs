//! The engine thread: collects audio from every instance, runs the models, delivers notes, and
//! changes the device on request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;

use hitscribe::builtin::BuiltinModels;
use hitscribe_core::error::{Error, Result};
use hitscribe_models::device::{Device, DeviceChoice, guarded};

use crate::instance::Instance;
use crate::load_meter::LoadMeter;
use crate::model_pool::ModelPool;
use crate::status::{EngineStatus, Phase};

/// Sleep between rounds while audio comes in.
const BUSY_SLEEP: Duration = Duration::from_millis(1);
/// Sleep between rounds when nothing has come for [`IDLE_AFTER`].
const IDLE_SLEEP: Duration = Duration::from_millis(10);
const IDLE_AFTER: Duration = Duration::from_secs(1);

/// What the thread shares with the owner of the engine.
#[derive(Default)]
pub struct Shared {
    /// The thread is to end.
    pub stop: AtomicBool,
    /// Share of one core that the engine uses, in 1/1000.
    pub load_permille: AtomicU32,
    pub status: Mutex<EngineStatus>,
    /// The imported models in use.
    pub model_pool: Mutex<ModelPool>,
}

/// Models that were loaded in the background, and the device that was asked for.
type LoadedModels = (DeviceChoice, Result<BuiltinModels>);

/// Loads the models for a device.
pub type Load = fn(DeviceChoice) -> Result<BuiltinModels>;

/// The state of the thread.
pub struct EngineThread {
    shared: Arc<Shared>,
    load: Load,
    new_instances: Receiver<Instance>,
    device_requests: Receiver<DeviceChoice>,
    instances: Vec<Instance>,
    /// None after a failure that left no device.
    models: Option<BuiltinModels>,
    /// Models that are being loaded, and the sender for the next ones.
    loaded: (Sender<LoadedModels>, Receiver<LoadedModels>),
    /// The device that was asked for last.
    requested_device: DeviceChoice,
    /// The request that `models` were loaded for.
    used_device: DeviceChoice,
    /// Whether `models` replace some that failed.
    has_fallen_back: bool,
    last_audio: Instant,
    load_meter: LoadMeter,
}

impl EngineThread {
    /// Loads the built-in models on `device`; to be called on the thread itself.
    pub fn new(
        shared: Arc<Shared>,
        new_instances: Receiver<Instance>,
        device_requests: Receiver<DeviceChoice>,
        device: DeviceChoice,
        load: Load,
    ) -> Self {
        let models = first_models(&shared, &device, load);
        Self {
            shared,
            load,
            new_instances,
            device_requests,
            instances: Vec::new(),
            loaded: unbounded(),
            requested_device: device.clone(),
            used_device: match &models {
                Some(models)
                    if device != DeviceChoice::Auto && models.selected().device == Device::Cpu =>
                {
                    DeviceChoice::Cpu
                }
                _ => device,
            },
            models,
            has_fallen_back: false,
            last_audio: Instant::now(),
            load_meter: LoadMeter::new(),
        }
    }

    /// Works until [`Shared::stop`] is set.
    pub fn run(mut self) {
        while !self.shared.stop.load(Ordering::Acquire) {
            self.instances.extend(self.new_instances.try_iter());
            self.follow_device_requests();
            self.take_loaded_models();
            let began = Instant::now();
            let moved_frames = self.round();
            self.instances.retain_mut(|instance| !instance.is_gone());
            self.shared.model_pool.lock().drop_unused();
            self.rest(began, moved_frames);
        }
        self.close();
    }

    fn follow_device_requests(&mut self) {
        let Some(device) = self.device_requests.try_iter().last() else {
            return;
        };
        if device == self.requested_device {
            return;
        }
        self.requested_device = device.clone();
        match &self.models {
            // Back from a device that could not be used: these models are still there.
            Some(models) if device == self.used_device => {
                show(&self.shared, models);
                self.shared.model_pool.lock().set_device(device);
            }
            _ => load_in_background(device, self.load, &self.loaded.0),
        }
    }

    fn take_loaded_models(&mut self) {
        while let Ok((device, outcome)) = self.loaded.1.try_recv() {
            if device == self.requested_device
                && let Some(models) = accept(&self.shared, &device, outcome)
            {
                self.replace_models(models);
                self.used_device = device;
                self.has_fallen_back = false;
            }
        }
    }

    /// Serves every instance once. Returns the frames that were taken from their ports.
    fn round(&mut self) -> usize {
        let Some(models) = &self.models else {
            self.instances.iter_mut().for_each(Instance::give_up);
            return 0;
        };
        match serve(models, &self.shared.model_pool, &mut self.instances) {
            Ok(moved_frames) => moved_frames,
            Err(error) => {
                self.fall_back(&error);
                0
            }
        }
    }

    /// A GPU that has failed will fail again: the CPU takes over for good.
    fn fall_back(&mut self, error: &Error) {
        log::error!("{error}");
        let models = match self.has_fallen_back {
            true => None,
            false => first_models(&self.shared, &DeviceChoice::Cpu, self.load),
        };
        let mut status = self.shared.status.lock();
        status.reason = Some(error.to_string());
        if models.is_none() {
            status.phase = Phase::Failed;
        }
        drop(status);
        self.used_device = DeviceChoice::Cpu;
        self.has_fallen_back = true;
        match models {
            Some(models) => self.replace_models(models),
            None => self.models = None,
        }
    }

    fn replace_models(&mut self, models: BuiltinModels) {
        for instance in &mut self.instances {
            if instance.restart(&models).is_err() {
                instance.give_up();
            }
        }
        self.models = Some(models);
    }

    /// Publishes the load of the round and sleeps if there was nothing to do.
    fn rest(&mut self, began: Instant, moved_frames: usize) {
        let now = Instant::now();
        let load_permille = self.load_meter.measure(now, now - began);
        let shared_load = &self.shared.load_permille;
        shared_load.store(load_permille, Ordering::Relaxed);
        if moved_frames > 0 {
            self.last_audio = now;
            return;
        }
        let is_idle = now.duration_since(self.last_audio) > IDLE_AFTER;
        std::thread::park_timeout(if is_idle { IDLE_SLEEP } else { BUSY_SLEEP });
    }

    /// Whoever still holds a port must not wait for a thread that is gone.
    fn close(mut self) {
        self.instances.extend(self.new_instances.try_iter());
        self.instances.iter_mut().for_each(Instance::give_up);
        let mut model_pool = std::mem::take(&mut *self.shared.model_pool.lock());
        model_pool.close();
    }
}

/// Serves all instances once. Returns the frames that were taken from their ports.
fn serve(
    models: &BuiltinModels,
    model_pool: &Mutex<ModelPool>,
    instances: &mut [Instance],
) -> Result<usize> {
    guarded("engine", || {
        let mut moved_frames = 0;
        for instance in instances.iter_mut() {
            moved_frames += instance.collect(models)?;
        }
        let mut ready: Vec<_> = instances
            .iter_mut()
            .filter_map(Instance::ready_session)
            .collect();
        if !ready.is_empty() {
            moved_frames = moved_frames.max(1);
            models.run(&mut ready)?;
        }
        model_pool.lock().send(|model| {
            instances
                .iter_mut()
                .flat_map(|instance| instance.requests_to(model))
                .collect()
        });
        instances.iter_mut().for_each(Instance::deliver);
        Ok(moved_frames)
    })?
}

/// Loads the built-in models.
pub fn load(device: DeviceChoice) -> Result<BuiltinModels> {
    guarded("engine", || BuiltinModels::load(device)).and_then(|models| models)
}

/// The models that the thread begins with; without them nothing is transcribed. The CPU replaces a
/// GPU that cannot be used, because a project may come from another computer.
fn first_models(shared: &Shared, device: &DeviceChoice, load: Load) -> Option<BuiltinModels> {
    *shared.status.lock() = EngineStatus::default();
    let mut models = accept(shared, device, load(device.clone()));
    if models.is_none() && *device != DeviceChoice::Cpu {
        let reason = shared.status.lock().reason.take();
        models = accept(shared, &DeviceChoice::Cpu, load(DeviceChoice::Cpu));
        if models.is_some() {
            shared.status.lock().reason = reason;
        }
    }
    if models.is_none() {
        shared.status.lock().phase = Phase::Failed;
    }
    models
}

/// Loads models on another thread while the present ones go on.
fn load_in_background(device: DeviceChoice, load: Load, loaded: &Sender<LoadedModels>) {
    let (finished, failed) = (loaded.clone(), loaded.clone());
    let requested = device.clone();
    let spawned = std::thread::Builder::new()
        .name("hitscribe-load".to_owned())
        .spawn(move || {
            // The engine thread may have ended meanwhile.
            let _ = finished.send((requested.clone(), load(requested)));
        });
    if let Err(source) = spawned {
        let error = Error::Io {
            path: "loading thread".into(),
            source,
        };
        let _ = failed.send((device, Err(error)));
    }
}

/// Shows the outcome of loading for `device`, which imported models follow. After a failure the
/// models in use stay.
fn accept(
    shared: &Shared,
    device: &DeviceChoice,
    loaded: Result<BuiltinModels>,
) -> Option<BuiltinModels> {
    match loaded {
        Ok(models) => {
            shared.model_pool.lock().set_device(device.clone());
            show(shared, &models);
            Some(models)
        }
        Err(error) => {
            log::error!("{error}");
            shared.status.lock().reason = Some(error.to_string());
            None
        }
    }
}

fn show(shared: &Shared, models: &BuiltinModels) {
    *shared.status.lock() = EngineStatus {
        phase: Phase::Ready,
        device: models.selected().device.to_string(),
        model: models.model_name().to_owned(),
        reason: models.selected().fallback_reason.clone(),
    };
}
