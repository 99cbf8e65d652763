//! From the samples of a source to notes: one pipeline for each kind of model.

pub(crate) mod drums;
pub(crate) mod frames;
pub(crate) mod pitched;
pub mod tokens;

use hitscribe_core::note::PlacedNote;

use hitscribe_picking::drums::candidate::Sensitivity;

use drums::DrumPipeline;
use frames::FramePipeline as _;
use pitched::PitchedPipeline;
use tokens::TokenPipeline;

/// The pipelines of one session. They take samples at the rate of their model.
pub(crate) enum Pipelines {
    /// The built-in networks, which work frame by frame.
    Frames {
        drums: Option<Box<DrumPipeline>>,
        pitched: Option<Box<PitchedPipeline>>,
    },
    /// A model of the MT3 family, which decodes tokens segment by segment.
    Tokens(Box<TokenPipeline>),
}

impl Pipelines {
    pub fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        match self {
            Self::Frames { drums, pitched } => {
                if let Some(drums) = drums {
                    drums.set_sensitivity(sensitivity);
                }
                if let Some(pitched) = pitched {
                    pitched.set_sensitivity(sensitivity);
                }
            }
            Self::Tokens(tokens) => tokens.set_sensitivity(sensitivity),
        }
    }

    pub fn push(&mut self, samples: &[f32]) {
        match self {
            Self::Frames { drums, pitched } => {
                if let Some(drums) = drums {
                    drums.push(samples);
                }
                if let Some(pitched) = pitched {
                    pitched.push(samples);
                }
            }
            Self::Tokens(tokens) => tokens.push(samples),
        }
    }

    pub fn finish(&mut self) {
        match self {
            Self::Frames { drums, pitched } => {
                if let Some(drums) = drums {
                    drums.finish();
                }
                if let Some(pitched) = pitched {
                    pitched.stream_mut().finish();
                }
            }
            Self::Tokens(tokens) => tokens.finish(),
        }
    }

    /// Whether a frame model has a step to run.
    pub fn is_ready(&self) -> bool {
        match self {
            Self::Frames { drums, pitched } => {
                drums.as_ref().is_some_and(|d| d.is_ready())
                    || pitched.as_ref().is_some_and(|p| p.stream().is_ready())
            }
            Self::Tokens(_) => false,
        }
    }

    /// Whether the passage has ended and all of its notes have been given out.
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Frames { drums, pitched } => {
                drums.as_ref().is_none_or(|d| d.is_complete())
                    && pitched.as_ref().is_none_or(|p| p.stream().is_complete())
            }
            Self::Tokens(tokens) => tokens.is_complete(),
        }
    }

    /// Every note with an onset before this time has been given out.
    pub fn settled_seconds(&self) -> f64 {
        match self {
            Self::Frames { drums, pitched } => {
                let drums = drums.as_deref().map(DrumPipeline::settled_seconds);
                let pitched = pitched.as_deref().map(PitchedPipeline::settled_seconds);
                drums.into_iter().chain(pitched).fold(f64::MAX, f64::min)
            }
            Self::Tokens(tokens) => tokens.settled_seconds(),
        }
    }

    pub fn take_notes(&mut self, notes: &mut Vec<PlacedNote>) {
        match self {
            Self::Frames { drums, pitched } => {
                if let Some(drums) = drums {
                    drums.take_notes(notes);
                }
                if let Some(pitched) = pitched {
                    pitched.take_notes(notes);
                }
            }
            Self::Tokens(tokens) => tokens.take_notes(notes),
        }
    }
}
