//! The model of the process and its runs.

use super::drum_ear::DrumEar;
use super::pitched_ear::PitchedEar;
use super::reader::{Loaded, run_ready};
use super::session::{Session, latency_samples};
use crate::audio::resample::Resampler;
use crate::decode::source::Source;
use crate::device::{self, Device, DeviceChoice, Selected};
use crate::error::{Error, Result};
use crate::model::builtin::{BUILTIN_WEIGHTS, BuiltinWeights, Drums};
use crate::model::pitched::{PITCHED_WEIGHTS, Pitched, PitchedWeights};
use crate::note::pick::Sensitivity;

/// Frames of the model in one step unless asked otherwise: 2.048 s.
pub const HOP_FRAMES: usize = 256;

/// The shortest step: 0.256 s. Shorter ones only cost more.
pub const MIN_HOP_FRAMES: usize = 32;

/// Length at which pitched notes are cut unless asked otherwise.
pub const LONGEST_NOTE_SECONDS: f64 = 10.0;

/// What there is to hear in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Whether to listen for drums.
    pub drums: bool,
    /// The General MIDI program that pitched notes are written with; none to not listen for them.
    pub pitched_program: Option<u8>,
}

impl Parts {
    /// Drums alone.
    pub const DRUMS: Self = Self {
        drums: true,
        pitched_program: None,
    };
    /// Everything. The model does not tell instruments apart: pitched notes are written as a piano's.
    pub const ALL: Self = Self {
        drums: true,
        pitched_program: Some(0),
    };
}

impl From<&Source> for Parts {
    fn from(source: &Source) -> Self {
        Self {
            drums: source.allows_drums(),
            pitched_program: source.usual_program(),
        }
    }
}

/// How a source is listened to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionConfig {
    /// Rate of the samples that will be pushed, 4 to 768 kHz.
    pub sample_rate_hz: u32,
    /// Frames of the drum model (8 ms) in one step, at least [`MIN_HOP_FRAMES`]: fewer answer sooner.
    pub hop_frames: usize,
    /// How much is a hit.
    pub sensitivity: Sensitivity,
    /// Where the first sample lies on the source's timeline, in samples. The model's frames lie on a
    /// grid that begins at 0 there, so that the same audio gives the same notes wherever a passage
    /// begins.
    pub timeline_samples: i64,
    /// What to listen for.
    pub parts: Parts,
    /// Pitched notes that last longer are cut. A note comes out when it ends, so this is part of the
    /// latency of sessions that hear pitched notes.
    pub longest_note_seconds: f64,
}

impl SessionConfig {
    /// The defaults at a sample rate: drums.
    pub fn new(sample_rate_hz: u32) -> Self {
        Self {
            sample_rate_hz,
            hop_frames: HOP_FRAMES,
            sensitivity: Sensitivity::default(),
            timeline_samples: 0,
            parts: Parts::DRUMS,
            longest_note_seconds: LONGEST_NOTE_SECONDS,
        }
    }
}

/// The built-in models on a device, shared by all sessions. `Send` and `Sync`.
pub struct Engine {
    pub(super) drums: Loaded<Drums>,
    pub(super) pitched: Loaded<Pitched>,
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

    /// The same with other weights for one of the built-in networks, such as a fine-tuned copy: for the
    /// pitched network if the file is one of its, else for the drum network.
    ///
    /// # Errors
    /// [`Error::Model`] for damaged weights, [`Error::Device`] as for [`Engine::builtin`].
    pub fn with_weights(bytes: &[u8], choice: DeviceChoice) -> Result<Self> {
        let selected = device::select(choice)?;
        let (drums, pitched) = match PitchedWeights::parse(bytes) {
            Ok(_) => (BUILTIN_WEIGHTS, bytes),
            Err(_) => (bytes, PITCHED_WEIGHTS),
        };
        let load = |device| -> Result<(Loaded<Drums>, Loaded<Pitched>)> {
            Ok((Loaded::new(drums, device)?, Loaded::new(pitched, device)?))
        };
        let ((drums, pitched), selected) = match load(selected.device) {
            Ok(loaded) => (loaded, selected),
            Err(Error::Device { reason, .. }) if choice == DeviceChoice::Auto => {
                let fallback_reason = Some(reason);
                (
                    load(Device::Cpu)?,
                    Selected {
                        device: Device::Cpu,
                        fallback_reason,
                    },
                )
            }
            Err(error) => return Err(error),
        };
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
    pub(super) fn model_config(&self) -> &crate::model::builtin::BuiltinConfig {
        self.drums.model.config()
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
        let drums = sessions.iter_mut().filter_map(|s| s.drums.as_mut());
        run_ready(&self.drums, drums.collect())?;
        let pitched = sessions.iter_mut().filter_map(|s| s.pitched.as_mut());
        run_ready(&self.pitched, pitched.collect())?;
        Ok(count)
    }

    /// The length at which pitched notes must be cut so that a session that hears them has no more latency
    /// than one that hears drums alone.
    pub fn longest_live_note_seconds(&self, config: &SessionConfig) -> f64 {
        let pitched = self.pitched.model.config();
        let of_drums = DrumEar::latency_samples(self.drums.model.config(), config.hop_frames);
        let shortest = SessionConfig {
            longest_note_seconds: 0.0,
            ..*config
        };
        let of_onsets = PitchedEar::latency_samples(pitched, &shortest);
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
    let drums = BuiltinWeights::parse(BUILTIN_WEIGHTS)?.config;
    let pitched = PitchedWeights::parse(PITCHED_WEIGHTS)?.config;
    let resampler = Resampler::new(config.sample_rate_hz, drums.front_end.sample_rate_hz)?;
    Ok(latency_samples(&drums, &pitched, &resampler, config))
}
