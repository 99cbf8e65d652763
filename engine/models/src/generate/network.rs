//! A network of the MT3 family on one backend: from features to token sequences.

use std::cell::{Cell, RefCell};

use burn_tensor::backend::Backend;
use burn_tensor::{Device, Tensor, TensorData};
use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::error::Result;
use hitscribe_core::features::mt3_family::Features;
use hitscribe_core::tokens::vocabulary::{PAD_ID, Vocabulary};
use hitscribe_core::tokens::yourmt3::CHANNELS;

use crate::compact::Precision;
use crate::device::is_cpu;
use crate::generate::allowed::{AllowedNotes, LogitBias};
use crate::generate::family::{Family, unknown_family};
use crate::generate::greedy::{GreedyOptions, Sequence, greedy, greedy_each};
use crate::generate::token_mask::TokenMask;
use crate::mt3_family::hyperparameters::{Hyperparameters, MemoryVariant};
use crate::mt3_family::load::LoadReport;
use crate::mt3_family::mt3::{self, MEMORY_IDS, Mt3, Mt3Config};
use crate::mt3_family::t5::Decoder;
use crate::mt3_family::yourmt3::{self, YourMt3, YourMt3Config};

/// Segments in a batch on the CPU, which gains little from more.
const CPU_BATCH: usize = 8;
/// Most segments in a batch on a GPU, and what their keys and values may take there if all
/// sequences become as long as possible. The same on every GPU: batches of other sizes use other
/// kernels, so the notes would depend on what memory happens to be free.
const GPU_BATCH: usize = 64;
const GPU_CACHE_BYTES: usize = 2 << 30;
/// Decoding steps on a GPU between two checks whether to stop.
const GPU_CHECK_STEPS: usize = 16;

/// What and how to decode.
#[derive(Clone, Debug, Default)]
pub struct TokenOptions {
    /// The notes that the signal can contain.
    pub source: AllowedNotes,
    /// Sensitivity by class.
    pub sensitivity: LogitBias,
    /// Segments in a batch, at least 1. `None`: 8 on the CPU; on a GPU up to 64, as many as fit
    /// into 2 GiB. MR-MT3 with memory decodes one by one.
    pub batch_segments: Option<usize>,
    /// Longest sequence in ids; `None` for the model's own limit.
    pub max_ids: Option<usize>,
}

/// A loaded network.
pub(super) enum Network<B: Backend> {
    /// MT3, or MR-MT3 with its memory.
    Mt3(Box<Mt3<B>>),
    YourMt3(Box<YourMt3<B>>),
}

impl<B: Backend> Network<B> {
    pub(super) fn load(
        checkpoint: &Checkpoint,
        hyperparameters: &Hyperparameters,
        precision: Precision,
        device: &Device<B>,
    ) -> Result<(Self, LoadReport)> {
        let precision = precision.on::<B>(device);
        if let Some(prefix) = mt3::prefix_of(checkpoint) {
            let config = Mt3Config::of(checkpoint, prefix, hyperparameters)?;
            let (model, report) = Mt3::load(checkpoint, prefix, config, precision, device)?;
            Ok((Self::Mt3(Box::new(model)), report))
        } else if let Some(prefix) = yourmt3::prefix_of(checkpoint) {
            let config = YourMt3Config::of(checkpoint, prefix, hyperparameters)?;
            let (model, report) = YourMt3::load(checkpoint, prefix, config, precision, device)?;
            Ok((Self::YourMt3(Box::new(model)), report))
        } else {
            Err(unknown_family(checkpoint))
        }
    }

    pub(super) fn family(&self) -> Family {
        match self {
            Self::Mt3(model) if model.memory_variant().is_some() => Family::MrMt3,
            Self::Mt3(_) => Family::Mt3,
            Self::YourMt3(_) => Family::YourMt3,
        }
    }

    /// Features per frame.
    pub(super) fn bands(&self) -> usize {
        match self {
            Self::Mt3(model) => model.config().bands,
            Self::YourMt3(_) => yourmt3::BINS,
        }
    }

    pub(super) fn decoder(&self) -> &Decoder<B> {
        match self {
            Self::Mt3(model) => model.decoder(),
            Self::YourMt3(model) => model.decoder(),
        }
    }

    fn max_ids(&self) -> usize {
        match self {
            Self::Mt3(_) => mt3::MAX_NEW_IDS,
            Self::YourMt3(model) => model.config().max_new_ids(),
        }
    }

    /// Number of token streams per segment.
    pub(super) fn channels(&self) -> usize {
        match self {
            Self::Mt3(_) => 1,
            Self::YourMt3(model) => model.config().channels(),
        }
    }

    /// Default number of segments in a batch, for segments of `frames` frames.
    pub(super) fn usual_batch(&self, frames: usize) -> usize {
        if is_cpu::<B>() {
            return CPU_BATCH;
        }
        let rows = self.channels() * (self.max_ids() + frames);
        let bytes = rows * self.decoder().cache_row_bytes();
        (GPU_CACHE_BYTES / bytes.max(1)).clamp(1, GPU_BATCH)
    }

    /// Decodes every segment: `[segment][channel]`. Channels in which no allowed note can occur
    /// stay empty. `on_segments` gets the number of segments done; `false` stops. A GPU's batches
    /// take long: there it is also called within a batch, which is dropped if it stops.
    pub(super) fn decode_all(
        &self,
        features: &Features,
        options: &TokenOptions,
        device: &Device<B>,
        on_segments: &mut dyn FnMut(usize) -> bool,
    ) -> Vec<Vec<Sequence>> {
        let mut out = Vec::with_capacity(features.segments());
        let mut memory_ids = mt3::first_memory_ids(self.memory());
        let most = match self.memory() {
            Some(_) => 1,
            None => options
                .batch_segments
                .unwrap_or_else(|| self.usual_batch(features.frames))
                .max(1),
        };
        let on_segments = RefCell::new(on_segments);
        let goes_on = Cell::new(true);
        let steps = Cell::new(0usize);
        while out.len() < features.segments() {
            let first = out.len();
            let count = most.min(features.segments() - first);
            let task = SegmentTask {
                source: &options.source,
                sensitivity: &options.sensitivity,
                memory_ids: &memory_ids,
            };
            let spectra = batch(features, first, count, device);
            let keep_going = || {
                steps.set(steps.get() + 1);
                if !is_cpu::<B>() && steps.get().is_multiple_of(GPU_CHECK_STEPS) {
                    goes_on.set((on_segments.borrow_mut())(first));
                }
                goes_on.get()
            };
            let sequences = self.decode(spectra, &vec![task; count], options.max_ids, &keep_going);
            if !goes_on.get() {
                break;
            }
            if let Some(sequence) = sequences.last().and_then(|channels| channels.first()) {
                memory_ids = memory_ids_after(sequence);
            }
            out.extend(sequences);
            if !(on_segments.borrow_mut())(out.len()) {
                break;
            }
        }
        out
    }

    /// Decodes one segment for each task, `[task][channel]`, from features `[tasks, frames,
    /// bands]`. `keep_going` is called before each id; `false` stops, and the sequences are
    /// incomplete then.
    pub(super) fn decode(
        &self,
        features: Tensor<B, 3>,
        tasks: &[SegmentTask<'_>],
        max_ids: Option<usize>,
        keep_going: &dyn Fn() -> bool,
    ) -> Vec<Vec<Sequence>> {
        let size = self.decoder().vocabulary_size();
        let mask = |task: &SegmentTask<'_>| {
            TokenMask::new(self.vocabulary(), size, task.source, task.sensitivity)
        };
        let masks: Vec<Option<TokenMask>> = tasks.iter().map(mask).collect();
        let options = GreedyOptions {
            max_ids: max_ids.unwrap_or(usize::MAX).min(self.max_ids()),
            first_id_can_end: matches!(self, Self::Mt3(_)),
            mask: None,
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
                let masks: Vec<_> = masks.iter().map(Option::as_ref).collect();
                greedy_each(model.decoder(), contexts, options, &masks, keep_going)
                    .into_iter()
                    .map(|one| vec![one])
                    .collect()
            }
            Self::YourMt3(model) => {
                let channels: Vec<Vec<usize>> = tasks
                    .iter()
                    .map(|task| match self.channels() {
                        CHANNELS => task.source.yourmt3_channels(),
                        // Other models divide the notes in another way, or not at all.
                        channels => (0..channels).collect(),
                    })
                    .collect();
                let rows = channels.iter().zip(&masks);
                let masks: Vec<_> = rows
                    .flat_map(|(channels, mask)| vec![mask.as_ref(); channels.len()])
                    .collect();
                let contexts = yourmt3_contexts(model, model.encode(features, None), &channels);
                let mut sequences = contexts
                    .map(|contexts| {
                        greedy_each(model.decoder(), contexts, options, &masks, keep_going)
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

    /// MR-MT3's memory, with which a segment can only be decoded after the previous one.
    pub(super) fn memory(&self) -> Option<MemoryVariant> {
        match self {
            Self::Mt3(model) => model.memory_variant(),
            Self::YourMt3(_) => None,
        }
    }

    fn vocabulary(&self) -> Vocabulary {
        match self {
            Self::Mt3(_) => Vocabulary::MT3,
            Self::YourMt3(_) => Vocabulary::YOURMT3,
        }
    }
}

/// How to decode one segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentTask<'a> {
    /// The notes that the signal can contain.
    pub(super) source: &'a AllowedNotes,
    /// Sensitivity by class.
    pub(super) sensitivity: &'a LogitBias,
    /// MR-MT3: [`memory_ids_after`] the previous segment.
    pub(super) memory_ids: &'a [i32],
}

/// MR-MT3's memory for the segment after this one.
pub(super) fn memory_ids_after(sequence: &Sequence) -> Vec<i32> {
    let mut next = vec![PAD_ID];
    next.extend_from_slice(&sequence.ids);
    next.resize(MEMORY_IDS, PAD_ID);
    next
}

/// The decoder's contexts `[sequences, frames, model]`, the channels of a segment together; `None`
/// if no task has a channel.
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

/// Decodes one segment of MR-MT3 with the memory of the previous one. Returns its sequence and the
/// memory for the next segment.
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
