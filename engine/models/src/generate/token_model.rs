//! A published transcription model, ready to use: sound in, notes out, on the device of choice.

use std::path::Path;

use crate::device::{Cpu, Device};
use crate::generate::family::{Family, Network, TokenOptions};
use crate::generate::greedy::Sequence;
use crate::generate::trace::{NamedTensor, TraceRequest, trace};
use crate::mt3_family::hyperparameters::Settings;
use crate::mt3_family::load::LoadReport;
use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::error::{Error, Result};
use hitscribe_core::features::mt3_family::{Features, FrontEnd, FrontEndKind};
use hitscribe_core::note::Note;
use hitscribe_core::tokens::SegmentTokens;
use hitscribe_core::tokens::mt3::decode;
use hitscribe_core::tokens::yourmt3::decode::Faults;
use hitscribe_core::tokens::yourmt3::notes;

/// How a model is loaded.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions<'a> {
    /// A configuration file; without, the checkpoint and what lies beside it are asked.
    pub config: Option<&'a Path>,
    /// Settings that go before those of any file.
    pub settings: Settings,
    /// `None` for the front end that the weights were trained with.
    pub front_end: Option<FrontEndKind>,
}

/// What was heard in a recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// By onset. Programs are those of the model; drums have program 0.
    pub notes: Vec<Note>,
    /// The notes as the reference system lists them: its order, programs and velocities.
    pub reference_notes: Vec<Note>,
    /// Start of each segment in seconds.
    pub starts_seconds: Vec<f64>,
    /// `[segment][channel]`.
    pub sequences: Vec<Vec<Sequence>>,
    /// MT3: tokens that made no sense.
    pub invalid_events: usize,
    /// MT3: tokens beyond the next segment.
    pub dropped_events: usize,
    /// YourMT3: what was wrong with the tokens.
    pub faults: Faults,
}

pub(super) enum Runner {
    Cpu(Network<Cpu>),
    #[cfg(feature = "cuda")]
    Cuda(Network<crate::device::Cuda>, usize),
}

/// A model of the MT3 family. `Sync`: may be shared by threads.
pub struct Transcriber {
    pub(super) runner: Runner,
    pub(super) family: Family,
    pub(super) front_end: FrontEnd,
    device: Device,
}

impl Transcriber {
    /// Loads a checkpoint. Which system it is, and how large, is told from its tensors.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Model`] for files that cannot be read or do not fit,
    /// [`Error::Device`] when the GPU fails.
    pub fn load(
        path: &Path,
        options: &LoadOptions<'_>,
        device: Device,
    ) -> Result<(Self, LoadReport)> {
        let checkpoint = Checkpoint::open(path)?;
        let settings = options
            .settings
            .clone()
            .or(Settings::find(&checkpoint, options.config)?);
        let (runner, report) = match device {
            Device::Cpu => {
                let (network, report) = Network::load(&checkpoint, &settings, &Default::default())?;
                (Runner::Cpu(network), report)
            }
            #[cfg(feature = "cuda")]
            Device::Cuda { index } => {
                let (network, report) = crate::device::guarded(&device.to_string(), || {
                    Network::load(&checkpoint, &settings, &crate::device::cuda_device(index))
                })??;
                (Runner::Cuda(network, index), report)
            }
        };
        let (family, bands) = match &runner {
            Runner::Cpu(network) => (network.family(), network.bands()),
            #[cfg(feature = "cuda")]
            Runner::Cuda(network, _) => (network.family(), network.bands()),
        };
        let kind = options.front_end.unwrap_or(family.front_end());
        if !family.takes(kind) {
            return Err(Error::Model {
                model: path.display().to_string(),
                reason: format!(
                    "{} cannot take the front end {kind}: leave it out",
                    family.name()
                ),
            });
        }
        Ok((
            Self {
                runner,
                family,
                front_end: FrontEnd::new(kind, bands),
                device,
            },
            report,
        ))
    }

    /// Which system it is.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Its front end.
    pub fn front_end(&self) -> &FrontEnd {
        &self.front_end
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Transcribes a whole recording, mono at 16 kHz. `on_progress` is given the share done, from 0 to
    /// 1; `false` stops, and what was done until then is returned.
    ///
    /// # Errors
    /// [`Error::Device`] when the GPU fails; the model must be dropped then.
    pub fn transcribe(
        &self,
        samples: &[f32],
        options: &TokenOptions,
        mut on_progress: impl FnMut(f64) -> bool,
    ) -> Result<Heard> {
        let features = self.front_end.features(samples);
        let total = features.segments().max(1) as f64;
        let mut progress = |segments: usize| on_progress(segments as f64 / total);
        let sequences = match &self.runner {
            Runner::Cpu(network) => {
                network.tokens(&features, options, &Default::default(), &mut progress)
            }
            #[cfg(feature = "cuda")]
            Runner::Cuda(network, index) => {
                crate::device::guarded(&self.device.to_string(), || {
                    network.tokens(
                        &features,
                        options,
                        &crate::device::cuda_device(*index),
                        &mut progress,
                    )
                })?
            }
        };
        Ok(self.notes(features.starts_seconds, sequences))
    }

    /// Features, hidden states, logits and tokens, for comparison with another implementation.
    ///
    /// # Errors
    /// [`Error::Model`] if the request does not fit the model, [`Error::Device`] when the GPU fails.
    pub fn trace(&self, features: &Features, request: &TraceRequest) -> Result<Vec<NamedTensor>> {
        match &self.runner {
            Runner::Cpu(network) => trace(network, features, request, &Default::default()),
            #[cfg(feature = "cuda")]
            Runner::Cuda(network, index) => {
                crate::device::guarded(&self.device.to_string(), || {
                    trace(
                        network,
                        features,
                        request,
                        &crate::device::cuda_device(*index),
                    )
                })?
            }
        }
    }

    /// Turns decoded sequences, `[segment][channel]`, into notes.
    pub fn notes(&self, starts_seconds: Vec<f64>, sequences: Vec<Vec<Sequence>>) -> Heard {
        let mut heard = Heard {
            starts_seconds,
            sequences,
            ..Heard::default()
        };
        let form = self.form();
        let segments: Vec<Vec<SegmentTokens>> = heard
            .starts_seconds
            .iter()
            .zip(&heard.sequences)
            .map(|(start, channels)| form.tokens(*start, channels))
            .collect();
        match self.family {
            Family::Mt3 | Family::MrMt3 => {
                let segments: Vec<SegmentTokens> = segments.into_iter().flatten().collect();
                let decoded = decode::decode(&segments, form.decode_path());
                heard.reference_notes = decoded.notes;
                heard.invalid_events = decoded.invalid_events;
                heard.dropped_events = decoded.dropped_events;
            }
            Family::YourMt3 => {
                let channels = segments.first().map_or(0, Vec::len);
                let streams: Vec<Vec<SegmentTokens>> = (0..channels)
                    .map(|channel| segments.iter().map(|all| all[channel].clone()).collect())
                    // A channel that was not decoded says nothing, which is no fault.
                    .filter(|segments: &Vec<SegmentTokens>| {
                        segments.iter().any(|segment| !segment.ids.is_empty())
                    })
                    .collect();
                let decoded = notes::decode(&streams);
                heard.reference_notes = decoded.notes;
                heard.faults = decoded.faults;
            }
        }
        heard.notes = heard.reference_notes.iter().map(plain).collect();
        heard.notes.sort_by(|a, b| {
            let key = |note: &Note| (note.is_drum, note.program, note.pitch);
            a.onset_seconds
                .total_cmp(&b.onset_seconds)
                .then_with(|| key(a).cmp(&key(b)))
        });
        heard
    }
}

/// A note by the rules of [`Note`]: audible, drums without program.
pub(super) fn plain(note: &Note) -> Note {
    Note {
        velocity: note.velocity.clamp(1, 127),
        program: if note.is_drum { 0 } else { note.program },
        ..*note
    }
}
