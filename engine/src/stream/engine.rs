//! The model of the process and its runs.

use std::sync::Arc;

use super::session::{Session, latency_samples};
use crate::audio::mel::FrontEnd;
use crate::audio::resample::Resampler;
use crate::device::{self, Device, DeviceChoice, Selected};
use crate::error::{Error, Result};
use crate::model::builtin::{BUILTIN_WEIGHTS, BuiltinModel, BuiltinStep, BuiltinWeights};
use crate::note::pick::Sensitivity;

/// Frames of the model in one step unless asked otherwise: 2.048 s.
pub const HOP_FRAMES: usize = 256;

/// The shortest step: 0.256 s. Shorter ones only cost more.
pub const MIN_HOP_FRAMES: usize = 32;

/// How a source is listened to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionConfig {
    /// Rate of the samples that will be pushed, 4 to 768 kHz.
    pub sample_rate_hz: u32,
    /// Frames of the model in one step, at least [`MIN_HOP_FRAMES`]: fewer answer sooner.
    pub hop_frames: usize,
    /// How much is a hit.
    pub sensitivity: Sensitivity,
    /// Where the first sample lies on the source's timeline, in samples. The model's frames lie on a
    /// grid that begins at 0 there, so that the same audio gives the same notes wherever a passage
    /// begins.
    pub timeline_samples: i64,
}

impl SessionConfig {
    /// The defaults at a sample rate.
    pub fn new(sample_rate_hz: u32) -> Self {
        Self {
            sample_rate_hz,
            hop_frames: HOP_FRAMES,
            sensitivity: Sensitivity::default(),
            timeline_samples: 0,
        }
    }
}

/// A model on a device, shared by all sessions. `Send` and `Sync`.
pub struct Engine {
    model: BuiltinModel,
    front_end: Arc<FrontEnd>,
    selected: Selected,
}

impl Engine {
    /// The built-in model on the device that was asked for. With [`DeviceChoice::Auto`] a GPU that
    /// turns out not to work is left alone and [`Engine::selected`] says why.
    ///
    /// # Errors
    /// [`Error::Device`] when the device was asked for by name and does not work.
    pub fn builtin(choice: DeviceChoice) -> Result<Self> {
        Self::with_weights(BUILTIN_WEIGHTS, choice)
    }

    /// The same with other weights for the built-in network, such as a fine-tuned copy.
    ///
    /// # Errors
    /// [`Error::Model`] for damaged weights, [`Error::Device`] as for [`Engine::builtin`].
    pub fn with_weights(bytes: &[u8], choice: DeviceChoice) -> Result<Self> {
        let selected = device::select(choice)?;
        let (model, selected) = match try_out(bytes, selected.device) {
            Ok(model) => (model, selected),
            Err(Error::Device { reason, .. }) if choice == DeviceChoice::Auto => {
                let fallback_reason = Some(reason);
                (
                    try_out(bytes, Device::Cpu)?,
                    Selected {
                        device: Device::Cpu,
                        fallback_reason,
                    },
                )
            }
            Err(error) => return Err(error),
        };
        let front_end = Arc::new(FrontEnd::new(model.config().front_end.clone()));
        Ok(Self {
            model,
            front_end,
            selected,
        })
    }

    /// The device that is in use.
    pub fn selected(&self) -> &Selected {
        &self.selected
    }

    /// Name of the model, for people.
    pub fn model_name(&self) -> &'static str {
        "Built-in drums"
    }

    #[cfg(test)]
    pub(super) fn model_config(&self) -> &crate::model::builtin::BuiltinConfig {
        self.model.config()
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
        Session::new(&self.model, Arc::clone(&self.front_end), config)
    }

    /// Runs one step of every session that is ready, as one batch for each hop size, and returns how
    /// many there were. Call it again while any of them is still ready.
    ///
    /// # Errors
    /// [`Error::Device`] when the GPU fails; the engine and all of its sessions are to be dropped then.
    pub fn run(&self, sessions: &mut [&mut Session]) -> Result<usize> {
        let mut ready: Vec<&mut Session> = sessions
            .iter_mut()
            .map(|s| &mut **s)
            .filter(|s| s.is_ready())
            .collect();
        let count = ready.len();
        ready.sort_by_key(|s| s.config().hop_frames);
        for batch in ready.chunk_by_mut(|a, b| a.config().hop_frames == b.config().hop_frames) {
            let mut steps: Vec<BuiltinStep<'_>> = batch.iter_mut().map(|s| s.step()).collect();
            let outputs = self.model.run(&mut steps)?;
            for (session, outputs) in batch.iter_mut().zip(outputs) {
                session.receive(&outputs);
            }
        }
        Ok(count)
    }
}

/// [`Session::latency_samples`] of sessions of the built-in model, for who needs to know before the
/// engine is loaded.
///
/// # Errors
/// [`Error::Setting`] for a sample rate that is out of range.
pub fn builtin_latency_samples(config: &SessionConfig) -> Result<u64> {
    let model = BuiltinWeights::parse(BUILTIN_WEIGHTS)?.config;
    let resampler = Resampler::new(config.sample_rate_hz, model.front_end.sample_rate_hz)?;
    Ok(latency_samples(&model, &resampler, config))
}

/// Loads a model and, on a GPU, runs it once: only then is it known to work.
fn try_out(bytes: &[u8], device: Device) -> Result<BuiltinModel> {
    let model = BuiltinModel::load(bytes, device)?;
    if device != Device::Cpu {
        let features = vec![0.0; MIN_HOP_FRAMES * model.config().front_end.frame_len()];
        let mut state = model.new_state()?;
        model.run(&mut [BuiltinStep {
            state: &mut state,
            features: &features,
            total_frames: None,
        }])?;
    }
    Ok(model)
}
