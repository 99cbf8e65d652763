//! What is asked of a model, and the callbacks while it transcribes.

use std::fmt;
use std::ops::ControlFlow;

use hitscribe_models::generate::allowed::AllowedNotes;

use crate::content::ContentAnalysis;
use crate::leakage;
use hitscribe_picking::drums::candidate::{Candidate, Sensitivity};
use hitscribe_picking::drums::selection::Rules;

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

/// What may be a hit on a recording, for later changes of the sensitivity.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    /// How hits are selected ([`hitscribe_picking::drums::selection::select`]).
    pub rules: Rules,
    /// In order of their frames; onsets in samples of the recording.
    pub candidates: &'a [Candidate],
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
        analysis: &'a ContentAnalysis,
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
                analysis,
                ..
            } => write!(f, "the model {name}, because it {analysis}"),
            Self::ModelChosen {
                analysis,
                unavailable: Some(reason),
                ..
            } => write!(f, "the built-in model, although it {analysis}: {reason}"),
            Self::ModelChosen { analysis, .. } => {
                write!(f, "the built-in model, because it {analysis}")
            }
            Self::Fallback { reason } => {
                write!(f, "the GPU failed ({reason}); continuing on the CPU")
            }
        }
    }
}

/// What is asked of a model.
#[derive(Clone, Default)]
pub(crate) struct Request {
    pub source: Option<AllowedNotes>,
    pub sensitivity: Sensitivity,
    pub leakage: leakage::Settings,
    pub is_live: bool,
}

type OnProgress<'a> = Box<dyn FnMut(Progress) -> ControlFlow<()> + 'a>;
type OnNotice<'a> = Box<dyn FnMut(&Notice<'_>) + 'a>;
type OnAudio<'a> = Box<dyn FnMut(AudioBlock<'_>) + 'a>;
type OnCandidates<'a> = Box<dyn FnMut(Candidates<'_>) + 'a>;

#[derive(Default)]
pub(crate) struct Callbacks<'a> {
    pub on_progress: Option<OnProgress<'a>>,
    pub on_notice: Option<OnNotice<'a>>,
    pub on_audio: Option<OnAudio<'a>>,
    pub on_candidates: Option<OnCandidates<'a>>,
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

    pub(crate) fn candidates(&mut self, candidates: Candidates<'_>) {
        if let Some(on_candidates) = &mut self.on_candidates {
            on_candidates(candidates);
        }
    }

    pub(crate) fn start_recording(&mut self) {
        self.delivered_samples = 0;
    }
}
