//! Which models a transcriber loads, where, and which of them suits a recording.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use hitscribe_core::error::Result;
use hitscribe_core::features::mt3_family::FrontEndKind;
use hitscribe_core::model_store::Store;
use hitscribe_models::Precision;
use hitscribe_models::device::{self, DeviceChoice};
use hitscribe_models::generate::LoadOptions;

use crate::audio_input::MonoRecording;
use crate::builtin::BuiltinModels;
use crate::content::{Content, analyze};
use crate::imported::{ImportedModel, ModelChoice};
use crate::model::Model;
use crate::request::Notice;

/// Published models, the better one on recordings of several instruments first.
const PREFERRED: [&str; 2] = ["yourmt3", "mt3"];

/// Why a GPU that was selected is not used.
type FallbackReason = Option<String>;

/// What to load.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub which: Which,
    pub device: DeviceChoice,
    /// Weights for one of the built-in networks.
    pub weights: Option<Vec<u8>>,
    pub front_end: Option<FrontEndKind>,
    pub precision: Precision,
    /// None for the user's.
    pub store: Option<Store>,
}

#[derive(Clone, Default)]
pub(crate) enum Which {
    #[default]
    Builtin,
    /// A name in the store, or a path.
    Named(String),
    Stored(ModelChoice),
    ByContent,
}

/// Models in memory.
pub(crate) enum Loaded {
    /// One for every recording.
    One(Arc<Model>),
    /// Chosen by the content of each recording.
    ByContent(ByContent),
}

/// The built-in models for drums, a model of the MT3 family for everything else.
pub(crate) struct ByContent {
    builtin: Model,
    /// For the imported model: the CPU after a GPU has failed.
    device: DeviceChoice,
    /// Loaded when first needed; else why there is none.
    imported: OnceLock<Result<Model, String>>,
}

impl Settings {
    pub(crate) fn load(&self, device: &DeviceChoice) -> Result<(Loaded, FallbackReason)> {
        let one = |(model, reason)| (Loaded::One(Arc::new(model)), reason);
        match &self.which {
            Which::Builtin => self.load_builtin(device).map(one),
            Which::Named(name) => self.load_named(name, device).map(one),
            Which::Stored(choice) => {
                let path = choice.path_in(&self.store()?)?;
                self.load_file(&choice.name, path, device).map(one)
            }
            Which::ByContent => {
                let (builtin, reason) = self.load_builtin(device)?;
                let imported = OnceLock::new();
                let models = ByContent {
                    builtin,
                    device: device.clone(),
                    imported,
                };
                Ok((Loaded::ByContent(models), reason))
            }
        }
    }

    fn store(&self) -> Result<Store> {
        self.store.clone().map_or_else(Store::for_user, Ok)
    }

    fn load_builtin(&self, device: &DeviceChoice) -> Result<(Model, FallbackReason)> {
        let models = match &self.weights {
            None => BuiltinModels::load(device.clone())?,
            Some(bytes) => BuiltinModels::with_weights(bytes, device.clone())?,
        };
        let reason = models.selected().gpu_failure();
        Ok((Model::Builtin(Box::new(models)), reason))
    }

    fn load_named(&self, name: &str, device: &DeviceChoice) -> Result<(Model, FallbackReason)> {
        let path = self.store()?.find(name)?;
        self.load_file(name, path, device)
    }

    fn load_file(
        &self,
        name: &str,
        path: PathBuf,
        device: &DeviceChoice,
    ) -> Result<(Model, FallbackReason)> {
        let options = LoadOptions {
            front_end: self.front_end,
            precision: self.precision,
            ..LoadOptions::default()
        };
        let (model, selected) = device::load(device, |device| {
            ImportedModel::load_as(name, &path, &options, device)
        })?;
        let reason = selected.gpu_failure();
        let (name, model) = (name.to_owned(), Box::new(model));
        Ok((Model::Imported { name, model }, reason))
    }

    /// The first model of the store that can be loaded, in order of preference; else why there is
    /// none.
    fn load_preferred(&self, device: &DeviceChoice) -> Result<(Model, FallbackReason), String> {
        let stored = self.store().and_then(|store| store.list());
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
            match self.load_named(&stored.name, device) {
                Ok(loaded) => return Ok(loaded),
                Err(error) => failures.push(format!("{}: {error}", stored.name)),
            }
        }
        Err(match failures.is_empty() {
            true => "no model of the MT3 family is in the store; `hitscribe models fetch` gets one"
                .into(),
            false => failures.join("; "),
        })
    }
}

impl Loaded {
    /// The model in use, or the first of several.
    pub(crate) fn first(&self) -> &Model {
        match self {
            Self::One(model) => model,
            Self::ByContent(models) => &models.builtin,
        }
    }
}

impl ByContent {
    /// The model that suits the recording. Reports the choice, and a GPU that fails meanwhile.
    pub(crate) fn choose(
        &self,
        settings: &Settings,
        recording: &MonoRecording,
        mut notify: impl FnMut(&Notice<'_>),
    ) -> &Model {
        let analysis = analyze(&recording.samples, recording.sample_rate_hz);
        let is_for_builtin = matches!(analysis.content, Content::Drums | Content::Unknown);
        let imported = (!is_for_builtin).then(|| self.imported(settings, &mut notify));
        let (model, imported, unavailable) = match imported {
            None => (&self.builtin, None, None),
            Some(Ok(model)) => (model, Some(model.name()), None),
            Some(Err(reason)) => (&self.builtin, None, Some(reason)),
        };
        notify(&Notice::ModelChosen {
            imported,
            analysis: &analysis,
            unavailable,
        });
        model
    }

    fn imported(
        &self,
        settings: &Settings,
        notify: &mut dyn FnMut(&Notice<'_>),
    ) -> Result<&Model, &str> {
        let imported = self.imported.get_or_init(|| {
            let (model, reason) = settings.load_preferred(&self.device)?;
            if let Some(reason) = &reason {
                notify(&Notice::Fallback { reason });
            }
            Ok(model)
        });
        imported.as_ref().map_err(String::as_str)
    }
}
