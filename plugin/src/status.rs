//! What the audio thread tells the editor, in atomics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use hitscribe::ModelChoice;
use hitscribe_live::{EngineStatus, ModelStatus, PortCounters, SharedEngine};
use parking_lot::Mutex;

use crate::params::DeviceParam;
use crate::process::ProcessConfig;

/// Figures of one instance.
#[derive(Default)]
pub struct Telemetry {
    /// Notes that the engine found too late to be played live.
    pub late_notes: AtomicU64,
    /// Notes that the host had no room for.
    pub refused_notes: AtomicU64,
    /// Notes that were played.
    pub played_notes: AtomicU64,
    /// The constant between sound and MIDI, in frames.
    pub constant_frames: AtomicU64,
    /// Whether the audio is delayed by it.
    pub is_aligned: AtomicBool,
    /// Frames per second, as bits of an f32; 0 when not active.
    pub sample_rate_bits: AtomicU32,
    /// Frames since the port was opened.
    pub position_frames: AtomicU64,
    /// Whether blocks wait for the engine now.
    pub is_waiting: AtomicBool,
    /// Set when a wait for the engine was given up.
    pub has_stalled: AtomicBool,
    /// What cannot be had as an atomic. Never locked by the audio thread.
    pub links: Mutex<Links>,
}

/// The engine as the editor sees it.
#[derive(Default)]
pub struct Links {
    /// The engine thread, from the first activation on.
    pub hub: Option<Arc<SharedEngine>>,
    /// The device that this instance has asked the engine thread for.
    pub device: Option<DeviceParam>,
    /// Counters of the open port.
    pub port: Option<Arc<PortCounters>>,
    /// Why there is no engine thread, if there is none.
    pub problem: Option<String>,
}

impl Telemetry {
    /// Shows the constant of a setup that holds from now on. Real-time safe.
    pub fn announce(&self, setup: &ProcessConfig) {
        self.constant_frames
            .store(setup.constant_frames, Ordering::Relaxed);
        self.is_aligned
            .store(setup.delay_frames() > 0, Ordering::Relaxed);
    }

    /// Frames per second, or 0 when the host has not activated the plugin.
    pub fn sample_rate_hz(&self) -> f32 {
        f32::from_bits(self.sample_rate_bits.load(Ordering::Relaxed))
    }

    /// State of the engine, if it was started.
    pub fn engine(&self) -> Option<EngineStatus> {
        self.links.lock().hub.as_ref().map(|hub| hub.status())
    }

    /// State of a published model, if an instance uses it.
    pub fn model(&self, choice: &ModelChoice) -> Option<ModelStatus> {
        let links = self.links.lock();
        links.hub.as_ref().and_then(|hub| hub.model_status(choice))
    }

    /// Share of one core that the engine uses, over all instances.
    pub fn engine_load(&self) -> f32 {
        self.links.lock().hub.as_ref().map_or(0.0, |hub| hub.load())
    }

    /// Frames that the engine could not take because it did not keep up.
    pub fn dropped_frames(&self) -> u64 {
        self.links
            .lock()
            .port
            .as_ref()
            .map_or(0, |port| port.dropped_frames())
    }
}
