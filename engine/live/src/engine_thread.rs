//! What the engine thread does: collect, run, hand out, and change the device when asked to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;

use crate::instance::Instance;
use crate::model_pool::ModelPool;
use crate::status::{EngineStatus, Phase};
use hitscribe::builtin::BuiltinModels;
use hitscribe_core::error::{Error, Result};
use hitscribe_models::device::{DeviceChoice, guarded};

/// Sleep between rounds while audio comes in.
const BUSY_SLEEP: Duration = Duration::from_millis(1);
/// Sleep between rounds when nothing has come for [`IDLE_AFTER`].
const IDLE_SLEEP: Duration = Duration::from_millis(10);
const IDLE_AFTER: Duration = Duration::from_secs(1);

/// What the thread and those who hold the hub see.
#[derive(Default)]
pub struct Shared {
    /// The thread is to end.
    pub stop: AtomicBool,
    /// Share of one core that the engine uses, in 1/1000.
    pub load_permille: AtomicU32,
    /// What there is to show.
    pub status: Mutex<EngineStatus>,
    /// The published models in use.
    pub shelf: Mutex<ModelPool>,
}

/// Works until it is told to stop.
pub fn run(
    shared: &Arc<Shared>,
    arrivals: &Receiver<Instance>,
    wishes: &Receiver<DeviceChoice>,
    device: DeviceChoice,
) {
    let mut clients = Vec::new();
    let mut engine = first_engine(shared, device);
    let (loaded, loads) = unbounded();
    let (mut chosen, mut in_use) = (device, device);
    let mut retried = false;
    let mut last_audio = Instant::now();
    let mut meter = LoadMeter::new();
    while !shared.stop.load(Ordering::Acquire) {
        clients.extend(arrivals.try_iter());
        if let Some(wish) = wishes.try_iter().last().filter(|wish| *wish != chosen) {
            chosen = wish;
            match &engine {
                // Back from a device that could not be had: nothing is to be loaded anew.
                Some(running) if wish == in_use => show(shared, running),
                _ => load_in_background(wish, &loaded),
            }
        }
        for (wish, outcome) in loads.try_iter() {
            if wish == chosen
                && let Some(fresh) = take_over(shared, outcome)
            {
                restart(&mut clients, &fresh);
                engine = Some(fresh);
                in_use = wish;
                retried = false;
            }
        }
        let began = Instant::now();
        let moved_frames = match &engine {
            Some(running) => match round(running, &shared.shelf, &mut clients) {
                Ok(moved) => moved,
                Err(error) => {
                    engine = after_failure(shared, &error, retried);
                    in_use = DeviceChoice::Cpu;
                    retried = true;
                    if let Some(fresh) = &engine {
                        restart(&mut clients, fresh);
                    }
                    0
                }
            },
            None => {
                clients.iter_mut().for_each(Instance::give_up);
                0
            }
        };
        clients.retain_mut(|client| !client.is_gone());
        shared.shelf.lock().tidy();
        let now = Instant::now();
        if moved_frames > 0 {
            last_audio = now;
        }
        shared
            .load_permille
            .store(meter.measure(now, now - began), Ordering::Relaxed);
        if moved_frames == 0 {
            let idle = now.duration_since(last_audio) > IDLE_AFTER;
            std::thread::park_timeout(if idle { IDLE_SLEEP } else { BUSY_SLEEP });
        }
    }
    // Whoever still holds a port must not wait for a thread that is gone.
    clients.extend(arrivals.try_iter());
    clients.iter_mut().for_each(Instance::give_up);
    let mut shelf = std::mem::take(&mut *shared.shelf.lock());
    shelf.close();
}

fn restart(clients: &mut [Instance], engine: &BuiltinModels) {
    for client in clients {
        if client.restart(engine).is_err() {
            client.give_up();
        }
    }
}

/// A GPU that fails once fails again: the rest of the session is the CPU's.
fn after_failure(shared: &Shared, error: &Error, retried: bool) -> Option<BuiltinModels> {
    log::error!("{error}");
    let engine = if retried {
        None
    } else {
        first_engine(shared, DeviceChoice::Cpu)
    };
    let mut status = shared.status.lock();
    status.reason = Some(error.to_string());
    if engine.is_none() {
        status.phase = Phase::Failed;
    }
    engine
}

/// One round over all clients. Returns the frames that were taken from rings.
fn round(
    engine: &BuiltinModels,
    shelf: &Mutex<ModelPool>,
    clients: &mut [Instance],
) -> Result<usize> {
    guarded("engine", || {
        let mut moved = 0;
        for client in clients.iter_mut() {
            moved += client.collect(engine)?;
        }
        let mut ready: Vec<_> = clients
            .iter_mut()
            .filter_map(Instance::ready_session)
            .collect();
        if !ready.is_empty() {
            moved = moved.max(1);
            engine.run(&mut ready)?;
        }
        shelf.lock().send(|model| {
            clients
                .iter_mut()
                .flat_map(|client| client.requests_to(model))
                .collect()
        });
        clients.iter_mut().for_each(Instance::deliver);
        Ok(moved)
    })?
}

fn load(device: DeviceChoice) -> Result<BuiltinModels> {
    guarded("engine", || BuiltinModels::load(device)).and_then(|engine| engine)
}

/// The engine that the thread begins with; without it nothing is transcribed.
fn first_engine(shared: &Shared, device: DeviceChoice) -> Option<BuiltinModels> {
    *shared.status.lock() = EngineStatus::default();
    let engine = take_over(shared, load(device));
    if engine.is_none() {
        shared.status.lock().phase = Phase::Failed;
    }
    engine
}

/// Loads an engine on a thread of its own, so that the present one goes on meanwhile.
fn load_in_background(
    device: DeviceChoice,
    loaded: &Sender<(DeviceChoice, Result<BuiltinModels>)>,
) {
    let (finished, failed) = (loaded.clone(), loaded.clone());
    let spawned = std::thread::Builder::new()
        .name("hitscribe-load".to_owned())
        .spawn(move || {
            // Nobody waits for it any more where the hub has ended.
            let _ = finished.send((device, load(device)));
        });
    if let Err(source) = spawned {
        let error = Error::Io {
            path: "loading thread".into(),
            source,
        };
        let _ = failed.send((device, Err(error)));
    }
}

/// Shows what came of loading an engine; what is in use stays so where it failed.
fn take_over(shared: &Shared, loaded: Result<BuiltinModels>) -> Option<BuiltinModels> {
    match loaded {
        Ok(engine) => {
            shared.shelf.lock().set_device(engine.selected().device);
            show(shared, &engine);
            Some(engine)
        }
        Err(error) => {
            log::error!("{error}");
            shared.status.lock().reason = Some(error.to_string());
            None
        }
    }
}

fn show(shared: &Shared, engine: &BuiltinModels) {
    *shared.status.lock() = EngineStatus {
        phase: Phase::Ready,
        device: engine.selected().device.to_string(),
        model: engine.model_name().to_owned(),
        reason: engine.selected().fallback_reason.clone(),
    };
}

/// Busy time over the last second or so.
struct LoadMeter {
    since: Instant,
    busy: Duration,
    permille: u32,
}

impl LoadMeter {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            busy: Duration::ZERO,
            permille: 0,
        }
    }

    fn measure(&mut self, now: Instant, busy: Duration) -> u32 {
        self.busy += busy;
        let passed = now.duration_since(self.since);
        if passed >= Duration::from_secs(1) {
            self.permille = (self.busy.as_secs_f64() / passed.as_secs_f64() * 1000.0) as u32;
            *self = Self {
                since: now,
                busy: Duration::ZERO,
                permille: self.permille,
            };
        }
        self.permille
    }
}
