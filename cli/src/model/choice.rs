//! Which model a recording is given to, and where it computes.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use hitscribe::Transcription;
use hitscribe::content::{Content, advise};
use hitscribe_core::Error;
use hitscribe_core::model_store::{RESERVED_NAME, Store};
use hitscribe_models::device::{Device, DeviceChoice};

use crate::audio_in::Recording;
use crate::model::{Model, PublishedArgs, Sound, tell_of_fallback};

/// Published models in the order of their published scores on recordings of several instruments.
const PREFERRED: [&str; 2] = ["yourmt3", "mt3"];

/// The models for one call of a command.
pub struct Models {
    args: PublishedArgs,
    weights: Option<PathBuf>,
    device: DeviceChoice,
    loaded: Loaded,
}

enum Loaded {
    /// The same for every recording.
    One(Box<Model>),
    /// By what each recording contains.
    ByContent(Box<ByContent>),
}

/// The built-in model for drums, a model of the MT3 family for all else.
struct ByContent {
    builtin: Model,
    /// `None` until it is needed, then the model, or why there is none.
    published: Option<Result<Model, String>>,
}

/// What was heard, and what heard it.
pub struct Heard {
    /// Name of the model.
    pub model: String,
    /// Where it computed, such as `cuda:0`.
    pub device: String,
    /// The notes.
    pub transcription: Transcription,
}

impl Models {
    /// Loads what the arguments ask for. `weights` is a weights file for the built-in network.
    pub fn load(
        args: &PublishedArgs,
        weights: Option<&Path>,
        device: DeviceChoice,
    ) -> Result<Self> {
        let loaded = match args.model.as_deref() {
            None => Loaded::One(Box::new(Model::builtin(args, weights, device)?)),
            Some(RESERVED_NAME) if args.source.is_some() => bail!(
                "--source says what the recordings contain, --model auto listens for it: leave one of them out"
            ),
            Some(RESERVED_NAME) => Loaded::ByContent(Box::new(ByContent {
                builtin: Model::builtin(args, weights, device)?,
                published: None,
            })),
            Some(name) => Loaded::One(Box::new(Model::published(name, args, device)?)),
        };
        Ok(Self {
            args: args.clone(),
            weights: weights.map(Path::to_owned),
            device,
            loaded,
        })
    }

    /// Transcribes what goes by the name `input`. `on_progress` is given the seconds done and, if known, the
    /// length.
    ///
    /// A GPU that fails is an error where it was asked for by name. Where it was not, this recording and all
    /// after it are the CPU's.
    pub fn transcribe(
        &mut self,
        input: &Path,
        sound: Sound<'_>,
        sensitivity: f32,
        on_progress: &mut dyn FnMut(f64, Option<f64>),
    ) -> Result<Heard> {
        let outcome = self.attempt(input, sound, sensitivity, on_progress);
        let reason = outcome.as_ref().err().and_then(device_failure);
        let Some(reason) = reason.filter(|_| self.device == DeviceChoice::Auto) else {
            return outcome;
        };
        tell_of_fallback(reason);
        *self = Self::load(&self.args, self.weights.as_deref(), DeviceChoice::Cpu)?;
        self.attempt(input, sound, sensitivity, on_progress)
    }

    fn attempt(
        &mut self,
        input: &Path,
        sound: Sound<'_>,
        sensitivity: f32,
        on_progress: &mut dyn FnMut(f64, Option<f64>),
    ) -> Result<Heard> {
        let model: &Model = match &mut self.loaded {
            Loaded::One(model) => model,
            Loaded::ByContent(models) => {
                let recording = match sound {
                    Sound::File => Recording::open(input)?,
                    Sound::Samples {
                        interleaved,
                        channel_count,
                        rate_hz,
                    } => Recording::of_samples(interleaved, channel_count, rate_hz),
                };
                models.choose(&self.args, self.device, input, &recording)
            }
        };
        Ok(Heard {
            model: model.name().to_owned(),
            device: model.device().to_string(),
            transcription: model.transcribe(input, sound, sensitivity, on_progress)?,
        })
    }
}

/// Why the device failed, if that is what the error is about.
fn device_failure(error: &anyhow::Error) -> Option<&str> {
    match error.downcast_ref::<Error>() {
        Some(Error::Device { reason, .. }) => Some(reason),
        _ => None,
    }
}

impl ByContent {
    /// Says on standard error what it chooses and why.
    fn choose(
        &mut self,
        args: &PublishedArgs,
        device: DeviceChoice,
        input: &Path,
        recording: &Recording,
    ) -> &Model {
        let advice = advise(&recording.samples, recording.sample_rate_hz);
        let file = input.display();
        if matches!(advice.content, Content::Drums | Content::Unknown) {
            crate::tell(&format!("{file}: the built-in model, because it {advice}"));
            return &self.builtin;
        }
        // A GPU that has failed the built-in model is not tried again.
        let device = if self.builtin.device() == Device::Cpu {
            DeviceChoice::Cpu
        } else {
            device
        };
        let published = self
            .published
            .get_or_insert_with(|| first_that_loads(args, device));
        match published {
            Ok(model) => {
                let name = model.name();
                crate::tell(&format!("{file}: the model {name}, because it {advice}"));
                model
            }
            Err(reason) => {
                crate::tell(&format!(
                    "{file}: the built-in model, although it {advice}: {reason}"
                ));
                &self.builtin
            }
        }
    }
}

/// The first model of the store that loads, in order of preference; else why there is none.
fn first_that_loads(args: &PublishedArgs, device: DeviceChoice) -> Result<Model, String> {
    let stored = Store::of_user().and_then(|store| store.list());
    let mut stored: Vec<_> = stored
        .map_err(|error| error.to_string())?
        .into_iter()
        .filter_map(|(_, model)| model.ok())
        .collect();
    stored.sort_by_key(|model| {
        let published = model.published_as.as_deref();
        PREFERRED
            .iter()
            .position(|name| Some(*name) == published)
            .unwrap_or(PREFERRED.len())
    });
    let mut failures = Vec::new();
    for stored in stored {
        match Model::published(&stored.name, args, device) {
            Ok(model) => return Ok(model),
            Err(error) => failures.push(format!("{}: {error:#}", stored.name)),
        }
    }
    Err(match failures.is_empty() {
        true => {
            "no model of the MT3 family is in the store; `hitscribe models fetch` gets one".into()
        }
        false => failures.join("; "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_device_does_wrong_makes_another_take_over() {
        let gone = Error::Device {
            device: "cuda:0".to_owned(),
            reason: "gone".to_owned(),
        };
        assert_eq!(device_failure(&gone.into()), Some("gone"));
        let damaged = Error::Model {
            model: "mt3".to_owned(),
            reason: "damaged".to_owned(),
        };
        assert_eq!(device_failure(&damaged.into()), None);
    }
}
