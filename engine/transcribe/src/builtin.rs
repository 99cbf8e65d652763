//! The built-in models.

use hitscribe_core::audio::resample::Resampler;
use hitscribe_core::error::{Error, Result};
use hitscribe_models::device::{self, DeviceChoice, Selected};
use hitscribe_models::frame::drums::{DRUM_WEIGHTS, DrumConfig, DrumNet};
use hitscribe_models::frame::pitched::{PITCH_WEIGHTS, PitchConfig, PitchNet};
use hitscribe_models::frame::weights_file::NetworkConfig as _;

use crate::pipeline::drums::DrumPipeline;
use crate::pipeline::frames::run_ready;
use crate::pipeline::pitched::PitchedPipeline;
use crate::session::{Session, latency_samples};
use crate::session_config::SessionConfig;

/// The built-in models on a device, shared by all sessions. `Send` and `Sync`.
pub struct BuiltinModels {
    drums: DrumNet,
    pitched: PitchNet,
    selected: Selected,
}

impl BuiltinModels {
    /// Loads the models. With [`DeviceChoice::Auto`] the CPU replaces a GPU that does not work, and
    /// [`BuiltinModels::selected`] has the reason.
    ///
    /// # Errors
    /// [`Error::Device`] if a device that was asked for by name does not work.
    pub fn load(choice: DeviceChoice) -> Result<Self> {
        Self::with_weights(DRUM_WEIGHTS, choice)
    }

    /// The same with other weights for one of the networks, such as a fine-tuned copy: for the
    /// pitched network if they fit it, else for the drum network.
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

    /// The device in use.
    pub fn selected(&self) -> &Selected {
        &self.selected
    }

    /// Name for display.
    pub fn model_name(&self) -> &'static str {
        "Built-in"
    }

    #[cfg(test)]
    pub(super) fn drum_config(&self) -> &DrumConfig {
        self.drums.config()
    }

    /// Begins a passage.
    ///
    /// # Errors
    /// [`Error::Setting`] for a sample rate or hop that is out of range, [`Error::Device`].
    pub fn session(&self, config: &SessionConfig) -> Result<Session> {
        let least = DrumPipeline::least_hop_frames(self.drums.config());
        if config.hop_frames < least {
            return Err(Error::Setting {
                name: "hop",
                value: format!("{} frames", config.hop_frames),
                reason: format!("must be at least {least}"),
            });
        }
        Session::builtin(&self.drums, &self.pitched, config)
    }

    /// Runs one step of every session that is ready, in one batch for each hop size. Returns the
    /// number of sessions that were ready; to be called again until it is 0.
    ///
    /// # Errors
    /// [`Error::Device`] if the GPU fails; the models and all of their sessions must be dropped
    /// then.
    pub fn run(&self, sessions: &mut [&mut Session]) -> Result<usize> {
        let count = sessions.iter().filter(|s| s.is_ready()).count();
        let drums = sessions.iter_mut().filter_map(|s| s.drum_pipeline());
        run_ready(self.drums.frames(), drums.collect())?;
        let pitched = sessions.iter_mut().filter_map(|s| s.pitched_pipeline());
        run_ready(self.pitched.frames(), pitched.collect())?;
        Ok(count)
    }

    /// Length in seconds at which pitched notes must be cut so that a session with them has no more
    /// latency than one for drums alone.
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

/// [`Session::latency_samples`] of sessions of the built-in models, before these are loaded.
///
/// # Errors
/// [`Error::Setting`] for a sample rate that is out of range.
pub fn builtin_latency_samples(config: &SessionConfig) -> Result<u64> {
    let drums = DrumConfig::of_weights(DRUM_WEIGHTS)?;
    let pitched = PitchConfig::of_weights(PITCH_WEIGHTS)?;
    let resampler = Resampler::new(config.sample_rate_hz, drums.front_end().sample_rate_hz)?;
    Ok(latency_samples(&drums, &pitched, &resampler, config))
}
