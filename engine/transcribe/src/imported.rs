//! Imported models of the MT3 family, and how a project refers to one.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hitscribe_core::error::{Error, Result};
use hitscribe_core::model_store::{Store, StoredModel, sha256_of_file};
use hitscribe_models::device::Device;
use hitscribe_models::generate::Sequence;
use hitscribe_models::generate::allowed::AllowedNotes;
use hitscribe_models::generate::{
    LoadOptions, SegmentForm, SegmentJob, TokenModel, TokenOptions, TokenTranscription,
};
use serde::{Deserialize, Serialize};

use crate::leakage::live::delay_samples;
use crate::pipeline::tokens::{
    LONGEST_LIVE_NOTE_SECONDS, SegmentRequest, latency_samples, resampler,
};
use crate::session::Session;
use crate::session_config::SessionConfig;

/// A reference to a model of the store. The checksum identifies it, the name is for display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelChoice {
    /// Name in the store.
    pub name: String,
    /// SHA-256 of the weights, 64 lowercase hexadecimal digits.
    pub sha256: String,
}

impl From<&StoredModel> for ModelChoice {
    fn from(model: &StoredModel) -> Self {
        Self {
            name: model.name.clone(),
            sha256: model.sha256.clone(),
        }
    }
}

/// Why a model cannot be used, in words that include what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelUnavailable {
    /// It is not in the store.
    Missing(String),
    /// Its file has changed since it was imported, or is not a model.
    Damaged(String),
}

impl ModelChoice {
    /// Whether name and checksum have a valid form; a project file can contain anything.
    pub fn is_sound(&self) -> bool {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        self.sha256.len() == 64 && self.sha256.bytes().all(is_hex) && self.name.len() <= 64
    }

    /// Path, size and modification time of the weights; none if they are not in the store.
    pub fn stamp(&self, store: &Store) -> Option<(PathBuf, u64, Option<SystemTime>)> {
        let listed = store.list().ok()?.into_iter().filter_map(|(_, m)| m.ok());
        let path = store.weights_path(&listed.into_iter().find(|m| m.sha256 == self.sha256)?);
        let metadata = std::fs::metadata(&path).ok()?;
        Some((path, metadata.len(), metadata.modified().ok()))
    }

    /// Path of the weights, after their checksum was compared.
    ///
    /// # Errors
    /// [`ModelUnavailable`].
    pub fn find(&self, store: &Store) -> Result<PathBuf, ModelUnavailable> {
        let name = &self.name;
        let listed = store
            .list()
            .map_err(|e| ModelUnavailable::Missing(e.to_string()))?;
        let stored: Vec<_> = listed.into_iter().filter_map(|(_, m)| m.ok()).collect();
        let Some(model) = stored.iter().find(|model| model.sha256 == self.sha256) else {
            let is_other = stored.iter().any(|model| &model.name == name);
            return Err(ModelUnavailable::Missing(if is_other {
                format!(
                    "the model {name} of this computer is another file than that of the project: choose it \
                     anew to use it, or import the one that the project was made with"
                )
            } else {
                format!(
                    "the model {name} is not on this computer: `hitscribe models add FILE --as {name}` imports \
                     it"
                )
            }));
        };
        let path = store.weights_path(model);
        let damaged = |reason: &dyn std::fmt::Display| {
            let advice = "remove the model and import it again";
            ModelUnavailable::Damaged(format!("{}: {reason}: {advice}", path.display()))
        };
        match sha256_of_file(&path) {
            Err(error) => Err(damaged(&error)),
            Ok((sha256, _)) if sha256 != self.sha256 => {
                Err(damaged(&"has changed since it was imported"))
            }
            Ok(_) => Ok(path),
        }
    }

    /// [`ModelChoice::find`] with the error of a store.
    pub(crate) fn path_in(&self, store: &Store) -> Result<PathBuf> {
        self.find(store).map_err(|error| {
            let (ModelUnavailable::Missing(reason) | ModelUnavailable::Damaged(reason)) = error;
            Error::store(store.folder(), reason)
        })
    }
}

/// Latency of a live session of an imported model in samples: [`Session::latency_samples`] and the
/// delay of the leakage filter, without the time for decoding.
///
/// # Errors
/// [`Error::Setting`] for a sample rate that is out of range.
pub fn imported_latency_samples(sample_rate_hz: u32) -> Result<u64> {
    let config = live_config(&SessionConfig::new(sample_rate_hz));
    let latency = latency_samples(&resampler(&config)?, &config);
    Ok(latency + delay_samples(sample_rate_hz))
}

/// The configuration of a live session of an imported model.
pub fn live_config(config: &SessionConfig) -> SessionConfig {
    SessionConfig {
        longest_note_seconds: LONGEST_LIVE_NOTE_SECONDS,
        ..*config
    }
}

/// A model of the MT3 family on a device. `Send` and `Sync`.
pub struct ImportedModel {
    transcriber: TokenModel,
}

impl ImportedModel {
    /// Loads a checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Model`] for a file that cannot be read or is not a model of the
    /// family, [`Error::Device`] if the GPU fails.
    pub fn load(path: &Path, device: Device) -> Result<Self> {
        let name = path.display().to_string();
        Self::load_as(&name, path, &LoadOptions::default(), device)
    }

    /// The same under the name that users know.
    pub(crate) fn load_as(
        name: &str,
        path: &Path,
        options: &LoadOptions<'_>,
        device: Device,
    ) -> Result<Self> {
        let (transcriber, report) = TokenModel::load(path, options, device)?;
        if !report.unused.is_empty() {
            log::warn!(
                "{name}: {} tensors were not used: {}",
                report.unused.len(),
                report.unused.join(", ")
            );
        }
        Ok(Self { transcriber })
    }

    /// Where it runs.
    pub fn device(&self) -> Device {
        *self.transcriber.device()
    }

    /// Transcribes a whole recording at once, mono at
    /// [`SAMPLE_RATE_HZ`](hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ). `on_progress` gets
    /// the share that is done, 0 to 1, and returns whether to go on.
    ///
    /// # Errors
    /// [`Error::Device`] if the GPU fails; the model must be dropped then.
    pub fn transcribe(
        &self,
        samples: &[f32],
        options: &TokenOptions,
        on_progress: impl FnMut(f64) -> bool,
    ) -> Result<TokenTranscription> {
        self.transcriber.transcribe(samples, options, on_progress)
    }

    /// Has a GPU compile its kernels, so that the first segment does not wait for them.
    ///
    /// # Errors
    /// [`Error::Device`] if the GPU fails; the model must be dropped then.
    pub fn warm_up(&self) -> Result<()> {
        self.transcriber.warm_up()
    }

    /// Most segments that are decoded as one batch.
    pub fn batch_segments(&self) -> usize {
        self.transcriber.batch_segments()
    }

    /// The form of its segments, which sessions need.
    pub fn form(&self) -> SegmentForm {
        self.transcriber.form()
    }

    /// Begins a passage with the notes that the source can contain. Hop and parts of `config` are
    /// not used.
    ///
    /// # Errors
    /// [`Error::Setting`] for a sample rate that is out of range.
    pub fn session(
        &self,
        config: &SessionConfig,
        source: impl Into<AllowedNotes>,
    ) -> Result<Session> {
        let mut session = Session::imported(config, source)?;
        session.model_ready(self.form());
        Ok(session)
    }

    /// Decodes what the sessions, all of this model, are ready for, in batches. Returns the number
    /// of segments; to be called again until it is 0.
    ///
    /// # Errors
    /// [`Error::Device`] if the GPU fails; the model and its sessions must be dropped then.
    pub fn run(&self, sessions: &mut [&mut Session]) -> Result<usize> {
        let mut requests: Vec<SegmentRequest> =
            sessions.iter_mut().flat_map(|s| s.requests()).collect();
        let (count, most) = (requests.len(), self.batch_segments());
        while !requests.is_empty() {
            let batch: Vec<SegmentRequest> = requests.drain(..requests.len().min(most)).collect();
            let decoded = self.decode(&batch, &|| true)?;
            for (request, channels) in batch.into_iter().zip(decoded) {
                request.answer(Some(channels));
            }
        }
        sessions.iter_mut().for_each(|s| s.receive());
        Ok(count)
    }

    /// Decodes segments to `[request][channel]`. `keep_going` is asked between steps; false ends
    /// the work with what has been decoded.
    ///
    /// # Errors
    /// [`Error::Device`] if the GPU fails; the model must be dropped then.
    pub fn decode(
        &self,
        requests: &[SegmentRequest],
        keep_going: &dyn Fn() -> bool,
    ) -> Result<Vec<Vec<Sequence>>> {
        let jobs: Vec<&SegmentJob> = requests.iter().map(|request| &request.job).collect();
        self.transcriber.decode_segments(&jobs, keep_going)
    }
}

impl From<Error> for ModelUnavailable {
    fn from(error: Error) -> Self {
        Self::Damaged(error.to_string())
    }
}
