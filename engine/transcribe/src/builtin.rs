//! The built-in models.

use hitscribe_core::audio::resample::Resampler;
use hitscribe_core::error::{Error, Result};
use hitscribe_models::device::{self, DeviceChoice, Selected};
use hitscribe_models::frame::drums::{DRUM_WEIGHTS, DrumConfig, DrumNet, INDEPENDENT_DRUM_WEIGHTS};
use hitscribe_models::frame::pitched::{PITCH_WEIGHTS, PitchConfig, PitchNet};
use hitscribe_models::frame::weights_file::NetworkConfig as _;

use crate::pipeline::drums::DrumPipeline;
use crate::pipeline::frames::run_ready;
use crate::session::{Session, latency_samples};
use crate::session_config::{MIN_HOP_FRAMES, SessionConfig};

/// The built-in models on a device, shared by all sessions. `Send` and `Sync`.
pub struct BuiltinModels {
    drums: DrumNet,
    /// For recordings, averaged with `drums`; none beside other weights than the built-in ones.
    second_drums: Option<DrumNet>,
    pitched: PitchNet,
    selected: Selected,
}

impl BuiltinModels {
    /// Loads the models. With [`DeviceChoice::Auto`] they run on the CPU, which is as fast for them
    /// as a GPU.
    ///
    /// # Errors
    /// [`Error::Device`] if a device that was asked for by name does not work.
    pub fn load(choice: DeviceChoice) -> Result<Self> {
        let second = Some(INDEPENDENT_DRUM_WEIGHTS);
        Self::with_all_weights(DRUM_WEIGHTS, second, PITCH_WEIGHTS, choice)
    }

    /// The same with other weights for one of the networks, such as a fine-tuned copy: for the
    /// pitched network if they fit it, else for drums, in place of both networks.
    ///
    /// # Errors
    /// [`Error::Model`] for damaged weights, [`Error::Device`] as for [`BuiltinModels::load`].
    pub fn with_weights(bytes: &[u8], choice: DeviceChoice) -> Result<Self> {
        match PitchConfig::of_weights(bytes) {
            Ok(_) => {
                let second = Some(INDEPENDENT_DRUM_WEIGHTS);
                Self::with_all_weights(DRUM_WEIGHTS, second, bytes, choice)
            }
            Err(_) => Self::with_all_weights(bytes, None, PITCH_WEIGHTS, choice),
        }
    }

    fn with_all_weights(
        drums: &[u8],
        second_drums: Option<&[u8]>,
        pitched: &[u8],
        choice: DeviceChoice,
    ) -> Result<Self> {
        let choice = choice.for_builtin();
        let ((drums, second_drums, pitched), selected) = device::load(&choice, |device| {
            let second = second_drums.map(|bytes| DrumNet::load(bytes, device));
            let pitched = PitchNet::load(pitched, device)?;
            Ok((DrumNet::load(drums, device)?, second.transpose()?, pitched))
        })?;
        Ok(Self {
            drums,
            second_drums,
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
        if config.hop_frames < MIN_HOP_FRAMES {
            return Err(Error::Setting {
                name: "hop",
                value: format!("{} frames", config.hop_frames),
                reason: format!("must be at least {MIN_HOP_FRAMES}"),
            });
        }
        let second = self.second_drums.as_ref();
        let second = second.filter(|_| config.averages_networks);
        Session::builtin(&self.drums, second, &self.pitched, config)
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
        run_ready(
            self.drums.frames(),
            drums.map(DrumPipeline::first).collect(),
        )?;
        if let Some(second) = &self.second_drums {
            let drums = sessions.iter_mut().filter_map(|s| s.drum_pipeline());
            run_ready(
                second.frames(),
                drums.filter_map(DrumPipeline::second).collect(),
            )?;
        }
        let drums = sessions.iter_mut().filter_map(|s| s.drum_pipeline());
        drums.for_each(DrumPipeline::pick);
        let pitched = sessions.iter_mut().filter_map(|s| s.pitched_pipeline());
        run_ready(self.pitched.frames(), pitched.collect())?;
        Ok(count)
    }
}

/// [`Session::latency_samples`] of live sessions of the built-in models, before these are loaded.
///
/// # Errors
/// [`Error::Setting`] for a sample rate that is out of range.
pub fn builtin_latency_samples(config: &SessionConfig) -> Result<u64> {
    let drums = DrumConfig::of_weights(DRUM_WEIGHTS)?;
    let pitched = PitchConfig::of_weights(PITCH_WEIGHTS)?;
    let resampler = Resampler::new(config.sample_rate_hz, drums.front_end().sample_rate_hz)?;
    Ok(latency_samples(&drums, None, &pitched, &resampler, config))
}
