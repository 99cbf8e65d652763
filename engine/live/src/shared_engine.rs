//! One engine thread for all plugin instances of the process.
//!
//! It starts with the first instance and ends with the last. In each round it collects audio from
//! every port, runs all sessions that have enough as one batch, and delivers the notes. Between
//! rounds it sleeps for a millisecond or more: the audio thread cannot wake it without a system
//! call, and a millisecond is short beside the model's look-ahead. When a host renders offline, the
//! audio thread does wake it ([`SharedEngine::wake`]).

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use crossbeam::channel::{Sender, unbounded};
use hitscribe::imported::ModelChoice;
use hitscribe::session_config::SessionConfig;
use hitscribe_core::error::{Error, Result};
use hitscribe_core::model_store::Store;
use hitscribe_models::device::DeviceChoice;
use parking_lot::Mutex;

use crate::engine_thread::{EngineThread, Load, Shared, load};
use crate::instance::Instance;
use crate::model_pool::ModelPool;
use crate::port::{CapturePort, port};
use crate::status::{EngineStatus, ModelStatus};
use crate::take::Take;

static SHARED: Mutex<Weak<SharedEngine>> = Mutex::new(Weak::new());

/// The owner of the engine thread.
pub struct SharedEngine {
    shared: Arc<Shared>,
    new_instances: Sender<Instance>,
    device_requests: Sender<DeviceChoice>,
    thread: Option<JoinHandle<()>>,
}

impl SharedEngine {
    /// The engine of this process, which is started if there is none. `device` has no effect on one
    /// that runs. Not for the audio thread.
    ///
    /// # Errors
    /// [`Error::Io`] if no thread can be started.
    pub fn shared(device: DeviceChoice) -> Result<Arc<Self>> {
        let mut shared = SHARED.lock();
        if let Some(engine) = shared.upgrade() {
            return Ok(engine);
        }
        let engine = Arc::new(Self::start(device, load, None)?);
        *shared = Arc::downgrade(&engine);
        Ok(engine)
    }

    /// Another engine, with the imported models of `store`; none for the user's store.
    pub(super) fn start(device: DeviceChoice, load: Load, store: Option<Store>) -> Result<Self> {
        let shared = Arc::new(Shared {
            model_pool: Mutex::new(ModelPool::new(store)),
            ..Shared::default()
        });
        let (new_instances, instances) = unbounded();
        let (device_requests, devices) = unbounded();
        let thread_shared = shared.clone();
        let thread = std::thread::Builder::new()
            .name("hitscribe-engine".to_owned())
            .spawn(move || EngineThread::new(thread_shared, instances, devices, device, load).run())
            .map_err(|source| Error::Io {
                path: "engine thread".into(),
                source,
            })?;
        Ok(Self {
            shared,
            new_instances,
            device_requests,
            thread: Some(thread),
        })
    }

    /// Opens a port for one stream of `channel_count` channels, whose notes go into `take` as well.
    /// The built-in models transcribe it, or `model`, which is loaded in the background and shared
    /// by all ports. While that cannot be used nothing is transcribed, and
    /// [`SharedEngine::model_status`] has the reason. Not for the audio thread.
    pub fn open(
        &self,
        channel_count: usize,
        config: SessionConfig,
        model: Option<&ModelChoice>,
        take: Arc<Mutex<Take>>,
    ) -> CapturePort {
        let (capture, engine) = port(channel_count, f64::from(config.sample_rate_hz));
        let model = model.map(|choice| self.shared.model_pool.lock().get(choice));
        let is_pending = model.is_some();
        engine
            .counters
            .model_pending
            .store(is_pending, Ordering::Release);
        // The thread outlives every sender, so nothing can be lost here.
        let instance = Instance::new(engine, take, config, model);
        let _ = self.new_instances.send(instance);
        self.wake();
        capture
    }

    /// Changes the device for the whole process, as soon as the models are loaded there; until then
    /// the present one is used. What is being transcribed is heard again by the new models. If the
    /// device cannot be used nothing changes, and [`EngineStatus::reason`] has the reason. Not for
    /// the audio thread.
    pub fn set_device(&self, device: DeviceChoice) {
        // The thread outlives every sender.
        let _ = self.device_requests.send(device);
        self.wake();
    }

    /// The state of the engine. Not for the audio thread.
    pub fn status(&self) -> EngineStatus {
        self.shared.status.lock().clone()
    }

    /// The state of an imported model; none while no port uses it. Not for the audio thread.
    pub fn model_status(&self, choice: &ModelChoice) -> Option<ModelStatus> {
        self.shared.model_pool.lock().status(choice)
    }

    /// Share of one core that the engine thread used in the last second, 0 to 1.
    pub fn load(&self) -> f32 {
        self.shared.load_permille.load(Ordering::Relaxed) as f32 / 1000.0
    }

    /// Ends the engine thread's sleep. A system call: not for an audio thread in real time.
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
    fn the_cpu_replaces_a_gpu_that_a_project_asks_for_in_vain() {
        let engine = SharedEngine::start(DeviceChoice::Cuda(4096), load, None).unwrap();
        wait_for("the engine", || engine.status().phase == Phase::Ready);
        let status = engine.status();
        assert_eq!(status.device, "cpu");
        let reason = status.reason.unwrap();
        assert!(reason.contains("cuda:4096"), "{reason}");
        // The choice of the CPU has nothing to explain.
        engine.set_device(DeviceChoice::Cpu);
        wait_for("the CPU", || engine.status().reason.is_none());
    }

    #[test]
    fn an_engine_that_cannot_start_gives_a_reason_and_blocks_no_host() {
        let fails = |device: DeviceChoice| {
            Err(Error::Device {
                device: device.to_string(),
                reason: "broken".to_owned(),
            })
        };
        let engine = SharedEngine::start(DeviceChoice::Cuda(4096), fails, None).unwrap();
        let mut port = engine.open(1, SessionConfig::new(48_000), None, Arc::default());
        wait_for("the failure", || port.counters().failed());
        let status = engine.status();
        assert_eq!(status.phase, Phase::Failed);
        assert!(status.reason.is_some());
        // The ring is emptied all the same, however long the audio.
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
    fn a_passage_is_settled_when_the_next_begins_and_the_take_has_both() {
        let engine = SharedEngine::start(DeviceChoice::Cpu, load, None).unwrap();
        let take = Arc::new(Mutex::new(Take::default()));
        let mut port = engine.open(1, SessionConfig::new(48_000), None, take.clone());
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
    fn a_watcher_is_called_on_the_engine_thread() {
        let engine = SharedEngine::start(DeviceChoice::Cpu, load, None).unwrap();
        let port = engine.open(1, SessionConfig::new(48_000), None, Arc::default());
        let caller = Arc::new(Mutex::new(None));
        let shared = caller.clone();
        port.counters().watch(move |notes| {
            *shared.lock() = Some((notes, std::thread::current().id()));
        });
        wait_for("the watcher", || caller.lock().is_some());
        let (notes, thread) = caller.lock().take().unwrap();
        assert_eq!(notes, 0);
        assert_ne!(thread, std::thread::current().id());
    }

    #[test]
    fn a_device_that_cannot_be_used_leaves_the_present_one_in_use() {
        let engine = SharedEngine::start(DeviceChoice::Cpu, load, None).unwrap();
        wait_for("the engine", || engine.status().phase == Phase::Ready);
        assert_eq!(engine.status().reason, None);
        engine.set_device(DeviceChoice::Cuda(4096));
        wait_for("the reason", || engine.status().reason.is_some());
        let status = engine.status();
        assert_eq!(
            (status.phase, status.device.as_str()),
            (Phase::Ready, "cpu")
        );
        engine.set_device(DeviceChoice::Cpu);
        wait_for("the CPU", || engine.status().reason.is_none());
    }

    #[test]
    fn instances_share_one_engine_that_ends_with_the_last() {
        let first = SharedEngine::shared(DeviceChoice::Cpu).unwrap();
        let second = SharedEngine::shared(DeviceChoice::Cpu).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        drop((first, second));
        assert!(SHARED.lock().upgrade().is_none());
    }
}
