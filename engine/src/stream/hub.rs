//! One engine thread for all plugin instances of the process.
//!
//! It starts with the first instance and ends with the last. In each round it collects audio from
//! every port, runs all sessions that have enough as one batch, and hands the notes out. Between
//! rounds it sleeps for a millisecond or more: waking it from the audio thread would be a system
//! call there, and a millisecond is nothing beside the model's look-ahead. Hosts that render
//! offline wake it ([`Hub::wake`]), they have the time.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;

use super::client::Client;
use super::ring::{CapturePort, port};
use super::session::{Engine, SessionConfig};
use crate::device::{DeviceChoice, guarded};
use crate::error::Result;
use crate::note::take::Take;

/// Sleep between rounds while audio comes in.
const BUSY_SLEEP: Duration = Duration::from_millis(1);
/// Sleep between rounds when nothing has come for [`IDLE_AFTER`].
const IDLE_SLEEP: Duration = Duration::from_millis(10);
const IDLE_AFTER: Duration = Duration::from_secs(1);

static SHARED: Mutex<Weak<Hub>> = Mutex::new(Weak::new());

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

/// The engine thread and the way to it.
pub struct Hub {
    shared: Arc<Shared>,
    newcomers: Sender<Client>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// Share of one core that the engine uses, in 1/1000.
    load_permille: AtomicU32,
    status: Mutex<EngineStatus>,
}

impl Hub {
    /// The hub of this process; starts it if nobody has.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when the system gives no thread.
    pub fn shared(device: DeviceChoice) -> Result<Arc<Self>> {
        let mut shared = SHARED.lock();
        if let Some(hub) = shared.upgrade() {
            return Ok(hub);
        }
        let hub = Arc::new(Self::start(device)?);
        *shared = Arc::downgrade(&hub);
        Ok(hub)
    }

    fn start(device: DeviceChoice) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (newcomers, arrivals) = unbounded();
        let thread_shared = shared.clone();
        let thread = std::thread::Builder::new()
            .name("hitscribe-engine".to_owned())
            .spawn(move || run(&thread_shared, &arrivals, device))
            .map_err(|source| crate::Error::Io {
                path: "engine thread".into(),
                source,
            })?;
        Ok(Self {
            shared,
            newcomers,
            thread: Some(thread),
        })
    }

    /// Opens a port for one stream of `channel_count` channels. What is heard there goes into
    /// `take` as well. Not for the audio thread.
    pub fn open(
        &self,
        channel_count: usize,
        config: SessionConfig,
        take: Arc<Mutex<Take>>,
    ) -> CapturePort {
        let (capture, engine) = port(channel_count, f64::from(config.sample_rate_hz));
        // The thread outlives every sender, so nothing can be lost here.
        let _ = self.newcomers.send(Client::new(engine, take, config));
        self.wake();
        capture
    }

    /// What there is to show. Not for the audio thread.
    pub fn status(&self) -> EngineStatus {
        self.shared.status.lock().clone()
    }

    /// Share of one core that the engine has used lately, 0 to 1 and more.
    pub fn load(&self) -> f32 {
        self.shared.load_permille.load(Ordering::Relaxed) as f32 / 1000.0
    }

    /// Ends the engine's sleep. A system call: not for the audio thread in real time.
    pub fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // The library may be unloaded after this: the thread must be gone. It catches its
            // panics, so there is nothing to report.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, arrivals: &Receiver<Client>, device: DeviceChoice) {
    let mut clients = Vec::new();
    let mut engine = load(shared, device);
    let mut retried = false;
    let mut last_audio = Instant::now();
    let mut meter = LoadMeter::new();
    while !shared.stop.load(Ordering::Acquire) {
        clients.extend(arrivals.try_iter());
        let began = Instant::now();
        let moved_frames = match &engine {
            Some(running) => match round(running, &mut clients) {
                Ok(moved) => moved,
                Err(error) => {
                    // A GPU that fails once fails again: the rest of the session is the CPU's.
                    log::error!("{error}");
                    engine = if retried {
                        None
                    } else {
                        load(shared, DeviceChoice::Cpu)
                    };
                    retried = true;
                    let reason = Some(error.to_string());
                    let mut status = shared.status.lock();
                    status.reason = reason;
                    if engine.is_none() {
                        status.phase = Phase::Failed;
                    }
                    drop(status);
                    if let Some(fresh) = &engine {
                        for client in &mut clients {
                            if client.restart(fresh).is_err() {
                                client.give_up();
                            }
                        }
                    }
                    0
                }
            },
            None => {
                clients.iter_mut().for_each(Client::give_up);
                0
            }
        };
        clients.retain_mut(|client| !client.is_gone());
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
    clients.iter_mut().for_each(Client::give_up);
}

/// One round over all clients. Returns the frames that were taken from rings.
fn round(engine: &Engine, clients: &mut [Client]) -> Result<usize> {
    guarded("engine", || {
        let mut moved = 0;
        for client in clients.iter_mut() {
            moved += client.collect(engine)?;
        }
        let mut ready: Vec<_> = clients
            .iter_mut()
            .filter_map(Client::ready_session)
            .collect();
        if !ready.is_empty() {
            moved = moved.max(1);
            engine.run(&mut ready)?;
        }
        clients.iter_mut().for_each(Client::deliver);
        Ok(moved)
    })?
}

fn load(shared: &Shared, device: DeviceChoice) -> Option<Engine> {
    *shared.status.lock() = EngineStatus::default();
    let loaded = guarded("engine", || Engine::builtin(device)).and_then(|engine| engine);
    let mut status = shared.status.lock();
    match loaded {
        Ok(engine) => {
            *status = EngineStatus {
                phase: Phase::Ready,
                device: engine.selected().device.to_string(),
                model: engine.model_name().to_owned(),
                reason: engine.selected().fallback_reason.clone(),
            };
            Some(engine)
        }
        Err(error) => {
            log::error!("{error}");
            status.phase = Phase::Failed;
            status.reason = Some(error.to_string());
            None
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{HostTime, Listening};

    fn wait_for(what: &str, is_done: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_done() {
            assert!(began.elapsed() < Duration::from_secs(120), "{what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn an_engine_that_cannot_start_says_why_and_keeps_nobody_waiting() {
        let hub = Hub::start(DeviceChoice::Cuda(4096)).unwrap();
        let mut port = hub.open(1, SessionConfig::new(48_000), Arc::default());
        wait_for("the failure", || port.counters().failed());
        let status = hub.status();
        assert_eq!(status.phase, Phase::Failed);
        assert!(status.reason.is_some());
        // The ring is emptied all the same: audio goes on as long as the host likes.
        for _ in 0..50 {
            wait_for("room", || port.has_room(48_000));
            port.push(
                &[&mut vec![0.1; 48_000]],
                HostTime::default(),
                Listening::default(),
            );
        }
        assert_eq!(port.counters().dropped_frames(), 0);
    }

    #[test]
    fn a_passage_is_settled_when_the_next_one_begins_and_the_take_has_both() {
        let hub = Hub::start(DeviceChoice::Cpu).unwrap();
        let take = Arc::new(Mutex::new(Take::default()));
        let mut port = hub.open(1, SessionConfig::new(48_000), take.clone());
        let playing = |position: i64| HostTime {
            playing: true,
            position_samples: Some(position),
            ..HostTime::default()
        };
        for second in 0..3 {
            port.push(
                &[&mut vec![0.0; 48_000]],
                playing(second * 48_000),
                Listening::default(),
            );
        }
        port.push(&[&mut vec![0.0; 48_000]], playing(0), Listening::default());
        wait_for("the first passage", || {
            port.counters().settled_frames() >= 3 * 48_000
        });
        wait_for("the second", || take.lock().passages.len() == 2);
        assert_eq!(take.lock().passages[1].host_start_samples, Some(0));
    }

    #[test]
    fn all_of_a_process_share_one_engine_that_ends_with_the_last() {
        let first = Hub::shared(DeviceChoice::Cpu).unwrap();
        let second = Hub::shared(DeviceChoice::Cpu).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        drop((first, second));
        assert!(SHARED.lock().upgrade().is_none());
    }
}
