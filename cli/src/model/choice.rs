//! Which model a recording is given to.

use std::path::Path;

use anyhow::{Result, bail};
use hitscribe_engine::device::DeviceChoice;
use hitscribe_engine::model::advice::{Content, advise};
use hitscribe_engine::model::catalogue::{RESERVED_NAME, Store};

use super::{Model, PublishedArgs};
use crate::audio_in::Recording;

/// Published models in the order of their published scores on recordings of several instruments.
const PREFERRED: [&str; 2] = ["yourmt3", "mt3"];

/// The models for one call of a command.
pub enum Models {
    /// The same for every recording.
    One(Box<Model>),
    /// By what each recording contains.
    ByContent(Box<ByContent>),
}

/// The built-in model for drums, a model of the MT3 family for all else.
pub struct ByContent {
    args: PublishedArgs,
    device: DeviceChoice,
    builtin: Model,
    /// `None` until it is needed, then the model, or why there is none.
    published: Option<Result<Model, String>>,
}

impl Models {
    /// Loads what the arguments ask for. `weights` is a weights file for the built-in network.
    pub fn load(
        args: &PublishedArgs,
        weights: Option<&Path>,
        device: DeviceChoice,
    ) -> Result<Self> {
        let model = match args.model.as_deref() {
            None => Model::builtin(args, weights, device)?,
            Some(RESERVED_NAME) if args.source.is_some() => bail!(
                "--source says what the recordings contain, --model auto listens for it: leave one of them out"
            ),
            Some(RESERVED_NAME) => {
                return Ok(Self::ByContent(Box::new(ByContent {
                    args: args.clone(),
                    device,
                    builtin: Model::builtin(args, weights, device)?,
                    published: None,
                })));
            }
            Some(name) => Model::published(name, args, device)?,
        };
        Ok(Self::One(Box::new(model)))
    }

    /// The model for the audio file `input`, which is read only if that matters.
    pub fn for_file(&mut self, input: &Path) -> Result<&Model> {
        match self {
            Self::One(model) => Ok(model),
            Self::ByContent(models) => models.choose(input, &Recording::open(input)?),
        }
    }

    /// The model for a recording that goes by the name `input`.
    pub fn for_recording(&mut self, input: &Path, recording: &Recording) -> Result<&Model> {
        match self {
            Self::One(model) => Ok(model),
            Self::ByContent(models) => models.choose(input, recording),
        }
    }
}

impl ByContent {
    /// Says on standard error what it chooses and why.
    fn choose(&mut self, input: &Path, recording: &Recording) -> Result<&Model> {
        let advice = advise(&recording.samples, recording.sample_rate_hz);
        let file = input.display();
        if matches!(advice.content, Content::Drums | Content::Unknown) {
            crate::tell(&format!("{file}: the built-in model, because it {advice}"));
            return Ok(&self.builtin);
        }
        let (args, device) = (&self.args, self.device);
        let published = self
            .published
            .get_or_insert_with(|| first_that_loads(args, device));
        match published {
            Ok(model) => {
                let name = model.name();
                crate::tell(&format!("{file}: the model {name}, because it {advice}"));
                Ok(model)
            }
            Err(reason) => {
                crate::tell(&format!(
                    "{file}: the built-in model, although it {advice}: {reason}"
                ));
                Ok(&self.builtin)
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
