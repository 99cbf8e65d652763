//! Status of one instance, written by the audio thread and read by the editor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use hitscribe::ModelChoice;
use hitscribe_live::{EngineStatus, ModelStatus, PortCounters, SharedEngine};
use parking_lot::Mutex;

use crate::params::device::RequestedDevice;
use crate::params::latency_key::LatencyKey;
use crate::process::config::ProcessConfig;

/// Status of one instance.
#[derive(Default)]
pub struct PluginStatus {
    /// Notes that were found too late to be sent live.
    pub late_notes: AtomicU64,
    /// Notes that the host's event queue had no room for.
    pub refused_notes: AtomicU64,
    /// Notes that were sent.
    pub played_notes: AtomicU64,
    /// Frames between a sound and its MIDI.
    pub midi_delay_frames: AtomicU64,
    /// Whether the audio is delayed by the same time.
    pub is_aligned: AtomicBool,
    /// The active [`LatencyKey`] as its bits; 0 before the first activation.
    active_key: [AtomicU64; 2],
    /// Sample rate in Hz as the bits of an f32; 0 while not active.
    pub sample_rate_bits: AtomicU32,
    /// Frames since the capture port was opened.
    pub position_frames: AtomicU64,
    /// Whether blocks currently wait for the engine.
    pub is_waiting: AtomicBool,
    /// Set when a wait for the engine timed out.
    pub has_stalled: AtomicBool,
    /// Whether the host shows menus of parameters.
    pub has_host_menu: AtomicBool,
    /// What does not fit into an atomic. Never locked by the audio thread.
    pub links: Mutex<Links>,
}

/// What takes effect when playback stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// Another delay.
    Delay,
    /// The same, and pitched notes, which are not transcribed yet.
    PitchedNotes,
}

/// The instance's connection to the engine.
#[derive(Default)]
pub struct Links {
    /// The engine that all instances of the process share, from the first activation on.
    pub engine: Option<Arc<SharedEngine>>,
    /// The device that this instance last requested.
    pub device: Option<RequestedDevice>,
    /// Counters of the open capture port.
    pub port: Option<Arc<PortCounters>>,
    /// Why the engine could not start.
    pub error: Option<String>,
}

impl PluginStatus {
    /// Publishes the delay of the active configuration. Real-time safe.
    pub fn set_delay(&self, config: &ProcessConfig) {
        self.midi_delay_frames
            .store(config.midi_delay_frames, Ordering::Relaxed);
        self.is_aligned
            .store(config.latency_frames() > 0, Ordering::Relaxed);
        for (word, bits) in self.active_key.iter().zip(config.key.to_bits()) {
            word.store(bits, Ordering::Relaxed);
        }
    }

    /// What the parameters ask for and the running playback does not do yet.
    pub fn pending(&self, wanted: LatencyKey) -> Option<Pending> {
        let active = [0, 1].map(|word: usize| self.active_key[word].load(Ordering::Relaxed));
        if self.sample_rate_hz() == 0.0 || active[0] == 0 || active == wanted.to_bits() {
            return None;
        }
        let is_new = wanted.is_pitched && !LatencyKey::is_pitched_in(active[0]);
        Some(match is_new {
            true => Pending::PitchedNotes,
            false => Pending::Delay,
        })
    }

    /// Frames per second, or 0 while the plugin is not active.
    pub fn sample_rate_hz(&self) -> f32 {
        f32::from_bits(self.sample_rate_bits.load(Ordering::Relaxed))
    }

    /// Status of the engine, once it was started.
    pub fn engine_status(&self) -> Option<EngineStatus> {
        let links = self.links.lock();
        links.engine.as_ref().map(|engine| engine.status())
    }

    /// Status of an imported model, if an instance uses it.
    pub fn model_status(&self, choice: &ModelChoice) -> Option<ModelStatus> {
        let links = self.links.lock();
        links
            .engine
            .as_ref()
            .and_then(|engine| engine.model_status(choice))
    }

    /// CPU time of the engine for all instances, as a share of one core.
    pub fn engine_load(&self) -> f32 {
        let links = self.links.lock();
        links.engine.as_ref().map_or(0.0, |engine| engine.load())
    }

    /// Frames that were lost because the engine did not keep up.
    pub fn dropped_frames(&self) -> u64 {
        let links = self.links.lock();
        links.port.as_ref().map_or(0, |port| port.dropped_frames())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::choices::{Hop, LatencyMode};
    use crate::params::model::ModelTag;

    #[test]
    fn what_changes_during_playback_is_pending_until_the_next_start() {
        let key = LatencyKey {
            mode: LatencyMode::Direct,
            hop: Hop::Ms64,
            is_pitched: false,
            model: ModelTag::Builtin,
        };
        let start = |status: &PluginStatus, key| {
            let config = ProcessConfig::new(48_000.0, 2, key, false).unwrap();
            status
                .sample_rate_bits
                .store(48_000f32.to_bits(), Ordering::Relaxed);
            status.set_delay(&config);
        };
        let status = PluginStatus::default();
        assert_eq!(status.pending(key), None, "not active");
        start(&status, key);
        assert_eq!(status.pending(key), None);
        let pitched = LatencyKey {
            is_pitched: true,
            ..key
        };
        assert_eq!(status.pending(pitched), Some(Pending::PitchedNotes));
        let other = |change: fn(&mut LatencyKey)| {
            let mut other = key;
            change(&mut other);
            status.pending(other)
        };
        assert_eq!(
            other(|key| key.mode = LatencyMode::Aligned),
            Some(Pending::Delay)
        );
        assert_eq!(other(|key| key.hop = Hop::Ms128), Some(Pending::Delay));
        let imported = |key: &mut LatencyKey| {
            key.model = ModelTag::Imported(std::num::NonZeroU64::MIN);
        };
        assert_eq!(other(imported), Some(Pending::Delay));
        start(&status, pitched);
        assert_eq!(status.pending(pitched), None);
        assert_eq!(status.pending(key), Some(Pending::Delay));
    }
}
