//! A network of the MT3 family on one backend: from features to token sequences.

use burn::tensor::backend::Backend;
use burn::tensor::{Device, Tensor, TensorData};

use crate::generate::allowed::{AllowedNotes, LogitBias};
use crate::generate::greedy::{GreedyOptions, Sequence, greedy, greedy_each};
use crate::generate::token_mask::Constraint;
use crate::mt3_family::hyperparameters::Settings;
use crate::mt3_family::load::LoadReport;
use crate::mt3_family::mt3;
use crate::mt3_family::mt3::{MEMORY_IDS, Mt3, Mt3Config};
use crate::mt3_family::t5::Decoder;
use crate::mt3_family::yourmt3;
use crate::mt3_family::yourmt3::{YourMt3, YourMt3Config};
use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::error::{Error, Result};
use hitscribe_core::features::mt3_family::{Features, FrontEndKind};
use hitscribe_core::tokens::vocabulary::{PAD_ID, Vocabulary};

/// One of the published architectures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// MT3, as MT3-PyTorch and mt3-infer's MR-MT3 load it.
    Mt3,
    /// MR-MT3 with its memory of the previous segment.
    MrMt3,
    /// YourMT3, YPTF.MoE+Multi.
    YourMt3,
}

impl Family {
    /// Name as shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mt3 => "MT3",
            Self::MrMt3 => "MR-MT3",
            Self::YourMt3 => "YourMT3",
        }
    }

    /// The front end that the published weights were trained with.
    pub fn front_end(self) -> FrontEndKind {
        match self {
            Self::Mt3 => FrontEndKind::Mt3,
            Self::MrMt3 => FrontEndKind::MrMt3Normalised,
            Self::YourMt3 => FrontEndKind::YourMt3,
        }
    }

    /// Whether a network of this family can take the features of `kind`.
    pub fn takes(self, kind: FrontEndKind) -> bool {
        (self == Self::YourMt3) == (kind == FrontEndKind::YourMt3)
    }
}

/// What and how to decode.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    /// What can be in the signal.
    pub source: AllowedNotes,
    /// Bias of classes.
    pub sensitivity: LogitBias,
    /// Segments that are decoded together, at least 1.
    pub batch_segments: usize,
    /// Most ids per sequence; `None` for the model's own limit.
    pub max_ids: Option<usize>,
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self {
            source: AllowedNotes::everything(),
            sensitivity: LogitBias::default(),
            batch_segments: 8,
            max_ids: None,
        }
    }
}

/// The error for a checkpoint that is none of ours.
pub(super) fn unknown_family(checkpoint: &Checkpoint) -> Error {
    Error::Model {
        model: checkpoint.path().display().to_string(),
        reason: "is neither MT3, MR-MT3 nor YourMT3: it has no proj.weight and no pre_decoder.0.linear.weight".into(),
    }
}

/// A loaded network.
pub(super) enum Network<B: Backend> {
    /// With or without memory.
    Mt3(Box<Mt3<B>>),
    YourMt3(Box<YourMt3<B>>),
}

impl<B: Backend> Network<B> {
    pub(super) fn load(
        checkpoint: &Checkpoint,
        settings: &Settings,
        device: &Device<B>,
    ) -> Result<(Self, LoadReport)> {
        if let Some(prefix) = mt3::prefix_of(checkpoint) {
            let config = Mt3Config::of(checkpoint, prefix, settings)?;
            let (model, report) = Mt3::load(checkpoint, prefix, config, device)?;
            Ok((Self::Mt3(Box::new(model)), report))
        } else if let Some(prefix) = yourmt3::prefix_of(checkpoint) {
            let config = YourMt3Config::of(checkpoint, prefix, settings)?;
            let (model, report) = YourMt3::load(checkpoint, prefix, config, device)?;
            Ok((Self::YourMt3(Box::new(model)), report))
        } else {
            Err(unknown_family(checkpoint))
        }
    }

    pub(super) fn family(&self) -> Family {
        match self {
            Self::Mt3(model) if model.has_memory() => Family::MrMt3,
            Self::Mt3(_) => Family::Mt3,
            Self::YourMt3(_) => Family::YourMt3,
        }
    }

    /// Values per frame that the network takes.
    pub(super) fn bands(&self) -> usize {
        match self {
            Self::Mt3(model) => model.config().bands,
            Self::YourMt3(_) => yourmt3::BINS,
        }
    }

    fn decoder(&self) -> &Decoder<B> {
        match self {
            Self::Mt3(model) => model.decoder(),
            Self::YourMt3(model) => model.decoder(),
        }
    }

    fn max_ids(&self) -> usize {
        match self {
            Self::Mt3(_) => mt3::MAX_NEW_IDS,
            Self::YourMt3(_) => yourmt3::MAX_NEW_IDS,
        }
    }

    /// Number of token streams per segment.
    pub(super) fn channels(&self) -> usize {
        match self {
            Self::Mt3(_) => 1,
            Self::YourMt3(model) => model.config().channels(),
        }
    }

    /// The sequences of every segment: `[segment][channel]`. Channels in which nothing of the source
    /// can occur stay empty. `on_segments` is told how many segments are done; `false` stops.
    pub(super) fn tokens(
        &self,
        features: &Features,
        options: &TokenOptions,
        device: &Device<B>,
        mut on_segments: impl FnMut(usize) -> bool,
    ) -> Vec<Vec<Sequence>> {
        let mut out = Vec::with_capacity(features.segments());
        let mut memory_ids = first_memory_ids();
        let most = match self.has_memory() {
            true => 1,
            false => options.batch_segments.max(1),
        };
        while out.len() < features.segments() {
            let first = out.len();
            let count = most.min(features.segments() - first);
            let task = SegmentTask {
                source: &options.source,
                sensitivity: &options.sensitivity,
                memory_ids: &memory_ids,
            };
            let spectra = batch(features, first, count, device);
            let sequences = self.decode(spectra, &vec![task; count], options.max_ids, &|| true);
            if let Some(sequence) = sequences.last().and_then(|channels| channels.first()) {
                memory_ids = memory_ids_after(sequence);
            }
            out.extend(sequences);
            if !on_segments(out.len()) {
                break;
            }
        }
        out
    }

    /// The sequences of one segment for each task, `[task][channel]`, from features `[tasks, frames,
    /// bands]`. With a memory, the task says what the segment before has left. `keep_going` is asked
    /// before each id; after `false` the sequences are worth nothing.
    pub(super) fn decode(
        &self,
        features: Tensor<B, 3>,
        tasks: &[SegmentTask<'_>],
        max_ids: Option<usize>,
        keep_going: &dyn Fn() -> bool,
    ) -> Vec<Vec<Sequence>> {
        let size = self.decoder().vocabulary_size();
        let constraint = |task: &SegmentTask<'_>| {
            Constraint::new(self.vocabulary(), size, task.source, task.sensitivity)
        };
        let constraints: Vec<Option<Constraint>> = tasks.iter().map(constraint).collect();
        let options = GreedyOptions {
            max_ids: max_ids.unwrap_or(usize::MAX).min(self.max_ids()),
            first_id_can_end: matches!(self, Self::Mt3(_)),
            constraint: None,
        };
        match self {
            Self::Mt3(model) => {
                let encoded = model.encode(features);
                let memories: Option<Vec<Tensor<B, 3>>> = tasks
                    .iter()
                    .map(|task| model.memory(task.memory_ids))
                    .collect();
                let contexts = match memories.filter(|memories| !memories.is_empty()) {
                    Some(memories) => Tensor::cat(vec![encoded, Tensor::cat(memories, 0)], 1),
                    None => encoded,
                };
                let constraints: Vec<_> = constraints.iter().map(Option::as_ref).collect();
                greedy_each(model.decoder(), contexts, options, &constraints, keep_going)
                    .into_iter()
                    .map(|one| vec![one])
                    .collect()
            }
            Self::YourMt3(model) => {
                let channels: Vec<Vec<usize>> = tasks
                    .iter()
                    .map(|task| {
                        let mut channels = task.source.yourmt3_channels();
                        channels.retain(|&channel| channel < self.channels());
                        channels
                    })
                    .collect();
                let rows = channels.iter().zip(&constraints);
                let constraints: Vec<_> = rows
                    .flat_map(|(channels, constraint)| vec![constraint.as_ref(); channels.len()])
                    .collect();
                let contexts = yourmt3_contexts(model, model.encode(features, None), &channels);
                let mut sequences = contexts
                    .map(|contexts| {
                        greedy_each(model.decoder(), contexts, options, &constraints, keep_going)
                    })
                    .unwrap_or_default()
                    .into_iter();
                channels
                    .iter()
                    .map(|channels| {
                        let mut segment = vec![Sequence::default(); self.channels()];
                        for &channel in channels {
                            segment[channel] = sequences.next().unwrap_or_default();
                        }
                        segment
                    })
                    .collect()
            }
        }
    }

    /// Whether a segment needs what was decoded of the one before.
    pub(super) fn has_memory(&self) -> bool {
        matches!(self, Self::Mt3(model) if model.has_memory())
    }

    fn vocabulary(&self) -> Vocabulary {
        match self {
            Self::Mt3(_) => Vocabulary::MT3,
            Self::YourMt3(_) => Vocabulary::YOURMT3,
        }
    }
}

/// What one segment is decoded with.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentTask<'a> {
    /// What can be in the signal.
    pub(super) source: &'a AllowedNotes,
    /// Bias of classes.
    pub(super) sensitivity: &'a LogitBias,
    /// MR-MT3: what the segment before has left, see [`memory_ids_after`].
    pub(super) memory_ids: &'a [i32],
}

/// What the first segment of a recording finds in the memory.
pub(super) fn first_memory_ids() -> Vec<i32> {
    Mt3::<crate::device::Cpu>::first_memory_ids()
}

/// What is to be remembered of a decoded segment.
pub(super) fn memory_ids_after(sequence: &Sequence) -> Vec<i32> {
    let mut next = vec![PAD_ID];
    next.extend_from_slice(&sequence.ids);
    next.resize(MEMORY_IDS, PAD_ID);
    next
}

/// The decoder's contexts, the channels of a segment together; none where there is nothing to decode.
fn yourmt3_contexts<B: Backend>(
    model: &YourMt3<B>,
    encoded: Tensor<B, 4>,
    channels: &[Vec<usize>],
) -> Option<Tensor<B, 3>> {
    let first = channels.first()?;
    if channels.iter().all(|channels| channels == first) {
        return (!first.is_empty()).then(|| model.contexts(encoded, first));
    }
    let contexts: Vec<Tensor<B, 3>> = channels
        .iter()
        .enumerate()
        .filter(|(_, channels)| !channels.is_empty())
        .map(|(task, channels)| model.contexts(encoded.clone().narrow(0, task, 1), channels))
        .collect();
    Some(Tensor::cat(contexts, 0))
}

/// Decodes one segment of MR-MT3 after the segment whose result is `memory_ids`; also returns what is
/// to be remembered of it.
pub(super) fn with_memory<B: Backend>(
    model: &Mt3<B>,
    context: Tensor<B, 3>,
    memory_ids: &[i32],
    options: GreedyOptions<'_>,
) -> (Sequence, Vec<i32>) {
    let context = match model.memory(memory_ids) {
        Some(memory) => Tensor::cat(vec![context, memory], 1),
        None => context,
    };
    let sequence = greedy(model.decoder(), context, options)
        .pop()
        .unwrap_or_default();
    let next = memory_ids_after(&sequence);
    (sequence, next)
}

/// Segments `first..first + count` as `[count, frames, bands]`.
pub(super) fn batch<B: Backend>(
    features: &Features,
    first: usize,
    count: usize,
    device: &Device<B>,
) -> Tensor<B, 3> {
    let size = features.frames * features.bands;
    let values = features.values[first * size..(first + count) * size].to_vec();
    Tensor::from_data(
        TensorData::new(values, [count, features.frames, features.bands]),
        device,
    )
}
