//! The model of the process and its runs.

use crate::pipeline::drums::DrumPipeline;
use crate::pipeline::frames::run_ready;
use crate::pipeline::pitched::PitchedPipeline;
use crate::session::{Session, latency_samples};
use crate::session_config::{MIN_HOP_FRAMES, SessionConfig};
use hitscribe_core::audio::resample::Resampler;
use hitscribe_core::error::{Error, Result};
use hitscribe_models::device::{self, DeviceChoice, Selected};
use hitscribe_models::frame::drums::{DRUM_WEIGHTS, DrumConfig, DrumNet};
use hitscribe_models::frame::pitched::{PITCH_WEIGHTS, PitchConfig, PitchNet};

/// The built-in models on a device, shared by all sessions. `Send` and `Sync`.
pub struct BuiltinModels {
    pub(super) drums: DrumNet,
    pub(super) pitched: PitchNet,
    selected: Selected,
}

impl BuiltinModels {
    /// The built-in model on the device that was asked for. With [`DeviceChoice::Auto`] a GPU that
    /// turns out not to work is left alone and [`BuiltinModels::selected`] says why.
    ///
    /// # Errors
    /// [`Error::Device`] when the device was asked for by name and does not work.
    pub fn load(choice: DeviceChoice) -> Result<Self> {
        Self::with_weights(DRUM_WEIGHTS, choice)
    }

    /// The same with other weights for one of the built-in networks, such as a fine-tuned copy: for the
    /// pitched network if the file is one of its, else for the drum network.
    ///
    /// # Errors
    /// [`Error::Model`] for damaged weights, [`Error::Device`] as for [`BuiltinModels::load`].
    pub fn with_weights(bytes: &[u8], choice: DeviceChoice) -> Result<Self> {
        let (drums, pitched) = match PitchConfig::of_weights(bytes) {
            Ok(_) => (DRUM_WEIGHTS, bytes),
            Err(_) => (bytes, PITCH_WEIGHTS),
        };
        let ((drums, pitched), selected) = device::load(choice, |device| {
            let drums = DrumNet::load(drums, device)?;
            Ok((drums, PitchNet::load(pitched, device)?))
        })?;
        Ok(Self {
            drums,
            pitched,
            selected,
        })
    }

    /// The device that is in use.
    pub fn selected(&self) -> &Selected {
        &self.selected
    }

    /// Name of the model, for people.
    pub fn model_name(&self) -> &'static str {
        "Built-in"
    }

    #[cfg(test)]
    pub(super) fn model_config(&self) -> &DrumConfig {
        self.drums.config()
    }

    /// Begins a passage.
    ///
    /// # Errors
    /// [`Error::Setting`] for a sample rate or hop that is out of range, [`Error::Device`].
    pub fn session(&self, config: &SessionConfig) -> Result<Session> {
        if config.hop_frames < MIN_HOP_FRAMES {
            return Err(Error::Setting {
                name: "hop",
                value: format!("{} frames", config.hop_frames),
                reason: format!("must be at least {MIN_HOP_FRAMES}"),
            });
        }
        Session::new(self, config)
    }

    /// Runs one step of every session that is ready, as one batch for each hop size, and returns how
    /// many there were. Call it again while any of them is still ready.
    ///
    /// # Errors
    /// [`Error::Device`] when the GPU fails; the engine and all of its sessions are to be dropped then.
    pub fn run(&self, sessions: &mut [&mut Session]) -> Result<usize> {
        let count = sessions.iter().filter(|s| s.is_ready()).count();
        let drums = sessions.iter_mut().filter_map(|s| s.drum_pipeline());
        run_ready(self.drums.frames(), drums.collect())?;
        let pitched = sessions.iter_mut().filter_map(|s| s.pitched_pipeline());
        run_ready(self.pitched.frames(), pitched.collect())?;
        Ok(count)
    }

    /// The length at which pitched notes must be cut so that a session that hears them has no more latency
    /// than one that hears drums alone.
    pub fn longest_live_note_seconds(&self, config: &SessionConfig) -> f64 {
        let pitched = self.pitched.config();
        let of_drums = DrumPipeline::latency_samples(self.drums.config(), config.hop_frames);
        let shortest = SessionConfig {
            longest_note_seconds: 0.0,
            ..*config
        };
        let of_onsets = PitchedPipeline::latency_samples(pitched, &shortest);
        let front_end = &pitched.front_end;
        let frames = of_drums.saturating_sub(of_onsets) / front_end.hop_samples;
        (frames * front_end.hop_samples) as f64 / f64::from(front_end.sample_rate_hz)
    }
}

/// [`Session::latency_samples`] of sessions of the built-in model, for who needs to know before the
/// engine is loaded.
///
/// # Errors
/// [`Error::Setting`] for a sample rate that is out of range.
pub fn builtin_latency_samples(config: &SessionConfig) -> Result<u64> {
    let drums = DrumConfig::of_weights(DRUM_WEIGHTS)?;
    let pitched = PitchConfig::of_weights(PITCH_WEIGHTS)?;
    let resampler = Resampler::new(config.sample_rate_hz, drums.front_end.sample_rate_hz)?;
    Ok(latency_samples(&drums, &pitched, &resampler, config))
}
