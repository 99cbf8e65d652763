//! One engine thread for all plugin instances of the process.
//!
//! It starts with the first instance and ends with the last. In each round it collects audio from
//! every port, runs all sessions that have enough as one batch, and hands the notes out. Between
//! rounds it sleeps for a millisecond or more: waking it from the audio thread would be a system
//! call there, and a millisecond is nothing beside the model's look-ahead. Hosts that render
//! offline wake it ([`SharedEngine::wake`]), they have the time.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use crossbeam::channel::{Sender, unbounded};
use parking_lot::Mutex;

use crate::engine_thread::{Shared, run};
use crate::instance::Instance;
use crate::model_pool::ModelPool;
use crate::port::{CapturePort, port};
use crate::status::{EngineStatus, ModelStatus};
use crate::take::Take;
use hitscribe::imported::ModelChoice;
use hitscribe::session_config::SessionConfig;
use hitscribe_core::error::{Error, Result};
use hitscribe_core::model_store::Store;
use hitscribe_models::device::DeviceChoice;

static SHARED: Mutex<Weak<SharedEngine>> = Mutex::new(Weak::new());

/// The engine thread and the way to it.
pub struct SharedEngine {
    shared: Arc<Shared>,
    newcomers: Sender<Instance>,
    choices: Sender<DeviceChoice>,
    thread: Option<JoinHandle<()>>,
}

impl SharedEngine {
    /// The hub of this process; starts it if nobody has.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Io`] when the system gives no thread.
    pub fn shared(device: DeviceChoice) -> Result<Arc<Self>> {
        let mut shared = SHARED.lock();
        if let Some(hub) = shared.upgrade() {
            return Ok(hub);
        }
        let hub = Arc::new(Self::start(device, None)?);
        *shared = Arc::downgrade(&hub);
        Ok(hub)
    }

    /// A hub of its own, with the models of `store`; none for those of the user.
    pub(super) fn start(device: DeviceChoice, store: Option<Store>) -> Result<Self> {
        let shared = Arc::new(Shared {
            shelf: Mutex::new(ModelPool::new(store)),
            ..Shared::default()
        });
        let (newcomers, arrivals) = unbounded();
        let (choices, wishes) = unbounded();
        let thread_shared = shared.clone();
        let thread = std::thread::Builder::new()
            .name("hitscribe-engine".to_owned())
            .spawn(move || run(&thread_shared, &arrivals, &wishes, device))
            .map_err(|source| Error::Io {
                path: "engine thread".into(),
                source,
            })?;
        Ok(Self {
            shared,
            newcomers,
            choices,
            thread: Some(thread),
        })
    }

    /// Opens a port for one stream of `channel_count` channels. What is heard there goes into
    /// `take` as well. It is heard by the built-in models or by `model`, which is loaded in the
    /// background and shared by all ports; where it cannot be used nothing is heard, and
    /// [`SharedEngine::model`] says why. Not for the audio thread.
    pub fn open(
        &self,
        channel_count: usize,
        config: SessionConfig,
        model: Option<&ModelChoice>,
        take: Arc<Mutex<Take>>,
    ) -> CapturePort {
        let (capture, engine) = port(channel_count, f64::from(config.sample_rate_hz));
        let model = model.map(|choice| self.shared.shelf.lock().get(choice));
        // The thread outlives every sender, so nothing can be lost here.
        let _ = self
            .newcomers
            .send(Instance::new(engine, take, config, model));
        self.wake();
        capture
    }

    /// Computes on another device from now on, for the whole process, as soon as the model is loaded
    /// there; until then the present one goes on. Hits of the last second before the change may be
    /// missing. A GPU that cannot be used leaves everything as it is, and [`EngineStatus::reason`] says
    /// why. Not for the audio thread.
    pub fn choose(&self, device: DeviceChoice) {
        // The thread outlives every sender.
        let _ = self.choices.send(device);
        self.wake();
    }

    /// What there is to show. Not for the audio thread.
    pub fn status(&self) -> EngineStatus {
        self.shared.status.lock().clone()
    }

    /// What there is to show about a published model; none while no port uses it. Not for the audio
    /// thread.
    pub fn model(&self, choice: &ModelChoice) -> Option<ModelStatus> {
        self.shared.shelf.lock().status(choice)
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

impl Drop for SharedEngine {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Phase;
    use std::time::{Duration, Instant};

    use crate::{LiveSettings, TransportState};

    fn wait_for(what: &str, is_done: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_done() {
            assert!(began.elapsed() < Duration::from_secs(120), "{what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn an_engine_that_cannot_start_says_why_and_keeps_nobody_waiting() {
        let hub = SharedEngine::start(DeviceChoice::Cuda(4096), None).unwrap();
        let mut port = hub.open(1, SessionConfig::new(48_000), None, Arc::default());
        wait_for("the failure", || port.counters().failed());
        let status = hub.status();
        assert_eq!(status.phase, Phase::Failed);
        assert!(status.reason.is_some());
        // The ring is emptied all the same: audio goes on as long as the host likes.
        for _ in 0..50 {
            wait_for("room", || port.has_room(48_000));
            port.push(
                &[&mut vec![0.1; 48_000]],
                TransportState::default(),
                LiveSettings::default(),
            );
        }
        assert_eq!(port.counters().dropped_frames(), 0);
    }

    #[test]
    fn a_passage_is_settled_when_the_next_one_begins_and_the_take_has_both() {
        let hub = SharedEngine::start(DeviceChoice::Cpu, None).unwrap();
        let take = Arc::new(Mutex::new(Take::default()));
        let mut port = hub.open(1, SessionConfig::new(48_000), None, take.clone());
        let playing = |position: i64| TransportState {
            playing: true,
            position_samples: Some(position),
            ..TransportState::default()
        };
        for second in 0..3 {
            port.push(
                &[&mut vec![0.0; 48_000]],
                playing(second * 48_000),
                LiveSettings::default(),
            );
        }
        port.push(
            &[&mut vec![0.0; 48_000]],
            playing(0),
            LiveSettings::default(),
        );
        wait_for("the first passage", || {
            port.counters().settled_frames() >= 3 * 48_000
        });
        wait_for("the second", || take.lock().passages.len() == 2);
        assert_eq!(take.lock().passages[1].host_start_samples, Some(0));
    }

    #[test]
    fn a_device_that_cannot_be_used_leaves_the_present_one_at_work() {
        let hub = SharedEngine::start(DeviceChoice::Cpu, None).unwrap();
        wait_for("the engine", || hub.status().phase == Phase::Ready);
        assert_eq!(hub.status().reason, None);
        hub.choose(DeviceChoice::Cuda(4096));
        wait_for("the reason", || hub.status().reason.is_some());
        let status = hub.status();
        assert_eq!(
            (status.phase, status.device.as_str()),
            (Phase::Ready, "cpu")
        );
        hub.choose(DeviceChoice::Cpu);
        wait_for("the CPU", || hub.status().reason.is_none());
    }

    #[test]
    fn all_of_a_process_share_one_engine_that_ends_with_the_last() {
        let first = SharedEngine::shared(DeviceChoice::Cpu).unwrap();
        let second = SharedEngine::shared(DeviceChoice::Cpu).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        drop((first, second));
        assert!(SHARED.lock().upgrade().is_none());
    }
}
