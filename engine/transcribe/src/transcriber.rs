//! A model that transcribes files, samples and streams.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use hitscribe_core::error::{Error, Result};
use hitscribe_core::features::mt3_family::FrontEndKind;
use hitscribe_core::model_store::{RESERVED_NAME, Store};
use hitscribe_models::Precision;
use hitscribe_models::device::{Device, DeviceChoice};
use hitscribe_models::generate::allowed::AllowedNotes;
use parking_lot::{Mutex, RwLock};

use crate::audio_input::Input;
use crate::imported::ModelChoice;
use crate::leakage;
use crate::loading::{Loaded, Settings, Which};
use crate::request::{AudioBlock, Callbacks, Candidates, Notice, Progress, Request};
use crate::session_config::SessionConfig;
use crate::streaming::StreamingSession;
use crate::transcription::Transcription;
use hitscribe_picking::drums::candidate::Sensitivity;

/// A model that is ready to transcribe.
///
/// `Send` and `Sync`: threads can share one behind an [`Arc`] and transcribe at the same time.
///
/// With [`DeviceChoice::Auto`], the default, imported models run on a GPU if one works, the built-in
/// networks on the CPU, which suits them. A GPU that fails is replaced by the CPU, for the
/// recording in progress and all that follow; [`Transcriber::fallback_reason`] gives the reason.
pub struct Transcriber {
    settings: Settings,
    loaded: RwLock<Arc<Loaded>>,
    fallback_reason: Mutex<Option<String>>,
}

/// How a [`Transcriber`] is loaded; from [`Transcriber::builder`].
#[derive(Clone, Default)]
#[must_use = "no model is loaded before `builtin` or `open`"]
pub struct TranscriberBuilder {
    settings: Settings,
}

/// How a recording is transcribed; from [`Transcriber::options`]. Can be used for several
/// recordings.
///
/// The callbacks are called on the thread that transcribes.
#[must_use = "nothing is transcribed before `file` or `samples`"]
pub struct Options<'a> {
    transcriber: &'a Transcriber,
    request: Request,
    callbacks: Callbacks<'a>,
}

impl Transcriber {
    /// The models that come with the library, for drums and pitched notes.
    ///
    /// # Errors
    /// [`Error::Device`] if no device works.
    pub fn builtin() -> Result<Self> {
        Self::builder().builtin()
    }

    /// A checkpoint of the MT3 family, or a choice by content; see [`TranscriberBuilder::open`].
    ///
    /// # Errors
    /// Those of [`TranscriberBuilder::open`].
    pub fn open(model: impl AsRef<Path>) -> Result<Self> {
        Self::builder().open(model)
    }

    /// Settings that differ from the defaults.
    pub fn builder() -> TranscriberBuilder {
        TranscriberBuilder::default()
    }

    /// Transcribes an audio file with the default options.
    ///
    /// # Errors
    /// Those of [`Options::file`].
    pub fn file(&self, path: impl AsRef<Path>) -> Result<Transcription> {
        self.options().file(path)
    }

    /// Transcribes interleaved samples with the default options.
    ///
    /// # Errors
    /// Those of [`Options::samples`].
    pub fn samples(
        &self,
        interleaved: &[f32],
        channel_count: usize,
        sample_rate_hz: u32,
    ) -> Result<Transcription> {
        self.options()
            .samples(interleaved, channel_count, sample_rate_hz)
    }

    /// Source, sensitivity, leakage filter, progress and notices for recordings.
    pub fn options(&self) -> Options<'_> {
        Options::new(self)
    }

    /// Begins to transcribe a stream. What is transcribed is [`SessionConfig::parts`]: drums unless
    /// it says otherwise.
    ///
    /// # Errors
    /// [`Error::Setting`] for a sample rate or hop that is out of range, or a model that is chosen
    /// by content, which a stream does not have yet; [`Error::Device`].
    pub fn session(&self, config: SessionConfig) -> Result<StreamingSession> {
        let loaded = Arc::clone(&self.loaded.read());
        let Loaded::One(model) = &*loaded else {
            return Err(Error::Setting {
                name: "model",
                value: RESERVED_NAME.to_owned(),
                reason: "chooses by the content of a whole recording; name a model for a stream"
                    .to_owned(),
            });
        };
        let session = model.session(&config, None)?;
        Ok(StreamingSession::new(Arc::clone(model), session))
    }

    /// Name of the model; of the built-in one where another may be chosen by content.
    pub fn model_name(&self) -> String {
        self.loaded.read().first().name().to_owned()
    }

    /// Where the model runs.
    pub fn device(&self) -> Device {
        self.loaded.read().first().device()
    }

    /// Why the CPU is in use although there is a GPU; none while nothing has failed.
    pub fn fallback_reason(&self) -> Option<String> {
        self.fallback_reason.lock().clone()
    }

    pub(crate) fn transcribe(
        &self,
        input: Input<'_>,
        request: &Request,
        callbacks: &mut Callbacks<'_>,
    ) -> Result<Transcription> {
        let loaded = Arc::clone(&self.loaded.read());
        match self.attempt(&loaded, input, request, callbacks) {
            Err(Error::Device { reason, .. }) if self.settings.device == DeviceChoice::Auto => {
                let loaded = self.fall_back(&loaded, &reason)?;
                callbacks.notice(&Notice::Fallback { reason: &reason });
                self.attempt(&loaded, input, request, callbacks)
            }
            outcome => outcome,
        }
    }

    fn attempt(
        &self,
        loaded: &Loaded,
        input: Input<'_>,
        request: &Request,
        callbacks: &mut Callbacks<'_>,
    ) -> Result<Transcription> {
        match loaded {
            Loaded::One(model) => model.transcribe(input, request, callbacks),
            Loaded::ByContent(models) => {
                let recording = input.read()?;
                let model = models.choose(&self.settings, &recording, |notice| {
                    if let Notice::Fallback { reason } = notice {
                        *self.fallback_reason.lock() = Some((*reason).to_owned());
                    }
                    callbacks.notice(notice);
                });
                model.transcribe(recording.input(), request, callbacks)
            }
        }
    }

    /// Replaces models that have failed on a GPU by the same on the CPU, once.
    fn fall_back(&self, failed: &Arc<Loaded>, reason: &str) -> Result<Arc<Loaded>> {
        let mut loaded = self.loaded.write();
        if Arc::ptr_eq(&loaded, failed) {
            let (on_cpu, _) = self.settings.load(&DeviceChoice::Cpu)?;
            *loaded = Arc::new(on_cpu);
            *self.fallback_reason.lock() = Some(reason.to_owned());
        }
        Ok(Arc::clone(&loaded))
    }
}

impl<'a> Options<'a> {
    fn new(transcriber: &'a Transcriber) -> Self {
        Self {
            transcriber,
            request: Request::default(),
            callbacks: Callbacks::default(),
        }
    }

    /// What the recording can contain; nothing else is transcribed. Without it everything is,
    /// except that the built-in models' pitched notes are left out where hardly any is certain (see
    /// [`crate::Warning::UncertainPitchedNotes`]).
    ///
    /// Accepts a [`crate::Source`] or an [`AllowedNotes`]. The built-in models do not distinguish
    /// pitched instruments: their notes get the usual program of the source.
    pub fn source(mut self, source: impl Into<AllowedNotes>) -> Self {
        self.request.source = Some(source.into());
        self
    }

    /// From 0 (only the surest notes) to 1 (every candidate); 0.5 by default.
    pub fn sensitivity(mut self, sensitivity: impl Into<Sensitivity>) -> Self {
        self.request.sensitivity = sensitivity.into();
        self
    }

    /// Whether drums are transcribed as in a live session: by one network, where otherwise the mean
    /// of two decides. A third of the time, and the notes of the plugin. Off by default.
    pub fn live(mut self, is_live: bool) -> Self {
        self.request.is_live = is_live;
        self
    }

    /// The filter against drum hits that were transcribed as pitched notes; off by default. Accepts
    /// a [`leakage::Strategy`] or [`leakage::Settings`].
    pub fn leakage(mut self, settings: impl Into<leakage::Settings>) -> Self {
        self.request.leakage = settings.into();
        self
    }

    /// Reports progress, block by block. [`ControlFlow::Break`] ends the transcription with
    /// [`Error::Cancelled`].
    pub fn on_progress(mut self, callback: impl FnMut(Progress) -> ControlFlow<()> + 'a) -> Self {
        self.callbacks.on_progress = Some(Box::new(callback));
        self
    }

    /// Reports decisions. Without this they are logged.
    pub fn on_notice(mut self, callback: impl FnMut(&Notice<'_>) + 'a) -> Self {
        self.callbacks.on_notice = Some(Box::new(callback));
        self
    }

    /// Gets the audio as it is transcribed, for a picture of the waveform: every sample once, in
    /// order.
    pub fn on_audio(mut self, callback: impl FnMut(AudioBlock<'_>) + 'a) -> Self {
        self.callbacks.on_audio = Some(Box::new(callback));
        self
    }

    /// Gets the candidates of the built-in drum network once, at the end.
    pub fn on_candidates(mut self, callback: impl FnMut(Candidates<'_>) + 'a) -> Self {
        self.callbacks.on_candidates = Some(Box::new(callback));
        self
    }

    /// Transcribes an audio file of a kind that [`crate::audio::file`] lists.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Audio`] for a file that cannot be read,
    /// [`Error::Device`] if a GPU that was asked for by number fails,
    /// [`Error::Cancelled`].
    pub fn file(&mut self, path: impl AsRef<Path>) -> Result<Transcription> {
        self.run(Input::File(path.as_ref()))
    }

    /// Transcribes interleaved samples, full scale at 1, at 4 to 768 kHz. An incomplete last frame
    /// is left out; samples that are not finite count as silence.
    ///
    /// # Errors
    /// [`Error::Setting`] for a sample rate that is out of range; otherwise as
    /// [`Options::file`].
    pub fn samples(
        &mut self,
        interleaved: &[f32],
        channel_count: usize,
        sample_rate_hz: u32,
    ) -> Result<Transcription> {
        self.run(Input::Samples {
            interleaved,
            channel_count,
            sample_rate_hz,
            warnings: &[],
        })
    }

    fn run(&mut self, input: Input<'_>) -> Result<Transcription> {
        self.callbacks.start_recording();
        self.transcriber
            .transcribe(input, &self.request, &mut self.callbacks)
    }
}

impl TranscriberBuilder {
    /// Where the model runs; [`DeviceChoice::Auto`] by default.
    pub fn device(mut self, device: DeviceChoice) -> Self {
        self.settings.device = device;
        self
    }

    /// Weights, in the format of the built-in ones (safetensors), that replace those of the
    /// built-in drum network or of the pitched network, whichever they fit: a fine-tuned copy, for
    /// example.
    pub fn weights(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.settings.weights = Some(bytes.into());
        self
    }

    /// Features for an imported model; by default those that it was trained with.
    pub fn front_end(mut self, front_end: FrontEndKind) -> Self {
        self.settings.front_end = Some(front_end);
        self
    }

    /// In how many bits the device computes with an imported model. The built-in networks are small
    /// and have one precision.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.settings.precision = precision;
        self
    }

    /// Where imported models are; by default in the user's store ([`Store::for_user`]).
    pub fn store(mut self, store: Store) -> Self {
        self.settings.store = Some(store);
        self
    }

    /// Loads the built-in models.
    ///
    /// # Errors
    /// [`Error::Model`] for weights that are damaged or do not fit, [`Error::Device`] if the device
    /// that was asked for does not work.
    pub fn builtin(self) -> Result<Transcriber> {
        self.load(Which::Builtin)
    }

    /// Loads a checkpoint of MT3, MR-MT3 or YourMT3: a file, or a name in the store. The file can
    /// have any format in which these are published; the model's family and size are read from its
    /// tensors.
    ///
    /// `auto` chooses for each recording by its content (see [`crate::content`]): the built-in
    /// models for drums alone, the store's best model for everything else. The choice is reported
    /// with [`Options::on_notice`].
    ///
    /// # Errors
    /// [`Error::Store`] if there is no such model, [`Error::Io`] and [`Error::Model`] for a file
    /// that cannot be read or is not a model of the family, [`Error::Device`] if the device that
    /// was asked for does not work.
    pub fn open(self, model: impl AsRef<Path>) -> Result<Transcriber> {
        let name = model.as_ref();
        if name == Path::new(RESERVED_NAME) {
            return self.load(Which::ByContent);
        }
        self.load(Which::Named(name.to_string_lossy().into_owned()))
    }

    /// Loads a model of the store by its checksum.
    ///
    /// # Errors
    /// [`Error::Store`] if it is not in the store or has changed; otherwise as [`Self::open`].
    pub fn open_stored(self, choice: &ModelChoice) -> Result<Transcriber> {
        self.load(Which::Stored(choice.clone()))
    }

    fn load(mut self, which: Which) -> Result<Transcriber> {
        self.settings.which = which;
        let (loaded, fallback_reason) = self.settings.load(&self.settings.device)?;
        Ok(Transcriber {
            settings: self.settings,
            loaded: RwLock::new(Arc::new(loaded)),
            fallback_reason: Mutex::new(fallback_reason),
        })
    }
}
