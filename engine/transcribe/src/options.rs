//! How one recording is transcribed, and what the caller learns meanwhile.

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

use hitscribe_core::error::Result;
use hitscribe_models::generate::allowed::AllowedNotes;

use crate::audio_input::Input;
use crate::content::Advice;
use crate::drums::candidate::Sensitivity;
use crate::leakage;
use crate::transcriber::Transcriber;
use crate::transcription::Transcription;

/// How far a transcription is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Audio that has been transcribed, in seconds.
    pub done_seconds: f64,
    /// Length of the recording in seconds; none if the file does not declare it.
    pub length_seconds: Option<f64>,
}

impl Progress {
    /// Share that is done, 0 to 1, if the length is known.
    pub fn share(&self) -> Option<f64> {
        let length = self.length_seconds.filter(|length| *length > 0.0)?;
        Some((self.done_seconds / length).clamp(0.0, 1.0))
    }
}

/// A block of the recording that is being transcribed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AudioBlock<'a> {
    /// The mean of the channels.
    pub samples: &'a [f32],
    /// Sample rate of the recording in Hz.
    pub sample_rate_hz: u32,
    /// Position of the first sample in the recording, in samples.
    pub start_samples: u64,
}

/// A decision that was made while a recording was transcribed. Displayed as a line for users.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// Which model was chosen by content; see [`crate::TranscriberBuilder::open`].
    ModelChosen {
        /// The model in use; none for the built-in one.
        imported: Option<&'a str>,
        /// What the recording contains.
        advice: &'a Advice,
        /// Why the built-in model is used although an imported one suits the content.
        unavailable: Option<&'a str>,
    },
    /// The GPU failed. This recording and all that follow are transcribed on the CPU.
    Fallback {
        /// What failed.
        reason: &'a str,
    },
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ModelChosen {
                imported: Some(name),
                advice,
                ..
            } => write!(f, "the model {name}, because it {advice}"),
            Self::ModelChosen {
                advice,
                unavailable: Some(reason),
                ..
            } => write!(f, "the built-in model, although it {advice}: {reason}"),
            Self::ModelChosen { advice, .. } => {
                write!(f, "the built-in model, because it {advice}")
            }
            Self::Fallback { reason } => {
                write!(
                    f,
                    "the GPU failed ({reason}); from here on the CPU computes"
                )
            }
        }
    }
}

/// How a recording is transcribed; from [`Transcriber::options`]. Can be used for several recordings.
///
/// The callbacks are called on the thread that transcribes.
#[must_use = "nothing is transcribed before `file` or `samples`"]
pub struct Options<'a> {
    transcriber: &'a Transcriber,
    pub(crate) request: Request,
    pub(crate) callbacks: Callbacks<'a>,
}

/// What is asked of a model.
#[derive(Clone, Default)]
pub(crate) struct Request {
    pub source: Option<AllowedNotes>,
    pub sensitivity: Sensitivity,
    pub leakage: leakage::Settings,
}

#[derive(Default)]
pub(crate) struct Callbacks<'a> {
    on_progress: Option<Box<dyn FnMut(Progress) -> ControlFlow<()> + 'a>>,
    on_notice: Option<Box<dyn FnMut(&Notice<'_>) + 'a>>,
    on_audio: Option<Box<dyn FnMut(AudioBlock<'_>) + 'a>>,
    /// End of the audio that `on_audio` has got: a second attempt repeats nothing.
    delivered_samples: u64,
}

impl Callbacks<'_> {
    pub(crate) fn progress(&mut self, progress: Progress) -> ControlFlow<()> {
        match &mut self.on_progress {
            Some(on_progress) => on_progress(progress),
            None => ControlFlow::Continue(()),
        }
    }

    pub(crate) fn notice(&mut self, notice: &Notice<'_>) {
        match (&mut self.on_notice, notice) {
            (Some(on_notice), _) => on_notice(notice),
            (None, Notice::Fallback { .. }) => log::warn!("{notice}"),
            (None, _) => log::info!("{notice}"),
        }
    }

    pub(crate) fn audio(&mut self, block: AudioBlock<'_>) {
        let end = block.start_samples + block.samples.len() as u64;
        if end > self.delivered_samples
            && let Some(on_audio) = &mut self.on_audio
        {
            on_audio(block);
            self.delivered_samples = end;
        }
    }

    pub(crate) fn start_recording(&mut self) {
        self.delivered_samples = 0;
    }
}

impl<'a> Options<'a> {
    pub(crate) fn new(transcriber: &'a Transcriber) -> Self {
        Self {
            transcriber,
            request: Request::default(),
            callbacks: Callbacks::default(),
        }
    }

    /// What the recording can contain; nothing else is transcribed. Without it everything is, except
    /// that the built-in models' pitched notes are left out where hardly any is certain (see
    /// [`crate::Warning::UncertainPitchedNotes`]).
    ///
    /// Accepts a [`crate::Source`] or an [`AllowedNotes`]. The built-in models do not distinguish
    /// pitched instruments: their notes get the usual program of the source.
    pub fn source(mut self, source: impl Into<AllowedNotes>) -> Self {
        self.request.source = Some(source.into());
        self
    }

    /// From 0 (only certain notes) to 1 (every suspicion); 0.5 by default.
    pub fn sensitivity(mut self, sensitivity: impl Into<Sensitivity>) -> Self {
        self.request.sensitivity = sensitivity.into();
        self
    }

    /// The filter against drum hits that were transcribed as pitched notes; off by default. Accepts a
    /// [`leakage::Strategy`] or [`leakage::Settings`].
    pub fn leakage(mut self, settings: impl Into<leakage::Settings>) -> Self {
        self.request.leakage = settings.into();
        self
    }

    /// Reports progress, block by block. [`ControlFlow::Break`] ends the transcription with
    /// [`hitscribe_core::Error::Cancelled`].
    pub fn on_progress(mut self, callback: impl FnMut(Progress) -> ControlFlow<()> + 'a) -> Self {
        self.callbacks.on_progress = Some(Box::new(callback));
        self
    }

    /// Reports decisions. Without this they are logged.
    pub fn on_notice(mut self, callback: impl FnMut(&Notice<'_>) + 'a) -> Self {
        self.callbacks.on_notice = Some(Box::new(callback));
        self
    }

    /// Gets the audio as it is transcribed, for a picture of the waveform: every sample once, in order.
    pub fn on_audio(mut self, callback: impl FnMut(AudioBlock<'_>) + 'a) -> Self {
        self.callbacks.on_audio = Some(Box::new(callback));
        self
    }

    /// Transcribes an audio file: WAV, AIFF, FLAC, MP3 or Ogg Vorbis.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Io`] and [`hitscribe_core::Error::Audio`] for a file that cannot be read,
    /// [`hitscribe_core::Error::Device`] if a GPU that was asked for by number fails,
    /// [`hitscribe_core::Error::Cancelled`].
    pub fn file(&mut self, path: impl AsRef<Path>) -> Result<Transcription> {
        self.run(Input::File(path.as_ref()))
    }

    /// Transcribes interleaved samples, full scale at 1, at 4 to 768 kHz. An incomplete last frame is
    /// left out; samples that are not finite count as silence.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Setting`] for a sample rate that is out of range; otherwise as
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
            warning: None,
        })
    }

    fn run(&mut self, input: Input<'_>) -> Result<Transcription> {
        self.callbacks.start_recording();
        self.transcriber
            .transcribe(input, &self.request, &mut self.callbacks)
    }
}
