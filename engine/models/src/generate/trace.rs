//! Intermediate values of a network, under the names of the golden packs.

use burn_tensor::backend::Backend;
use burn_tensor::{Device, Tensor};
use hitscribe_core::error::{Error, Result};
use hitscribe_core::features::mt3_family::Features;
use hitscribe_core::tokens::vocabulary::PAD_ID;

use crate::generate::greedy::{GreedyOptions, Sequence, greedy, teacher_forced};
use crate::generate::network::{Network, batch, with_memory};
use crate::mt3_family::layers::to_host;
use crate::mt3_family::mt3::{self, MEMORY_IDS, Mt3};
use crate::mt3_family::yourmt3::{YourMt3, YourMt3Trace};

/// What a trace has besides features, encoder output and greedy tokens.
#[derive(Clone, Debug, Default)]
pub struct TraceRequest {
    /// Decoder inputs for teacher-forced logits, the first id 0: one list for all channels, or one
    /// for each channel, all of the same length.
    pub teacher_ids: Vec<Vec<i32>>,
    /// MR-MT3: ids of the previous segment, with their leading 0, for the memory of the
    /// teacher-forced logits.
    pub memory_ids: Option<Vec<i32>>,
    /// Longest sequence in ids; `None` for the model's own limit.
    pub max_ids: Option<usize>,
}

/// A tensor with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Name, as in the golden packs.
    pub name: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Values in row-major order.
    pub values: NamedValues,
}

/// Values of a [`NamedTensor`].
#[derive(Clone, Debug, PartialEq)]
pub enum NamedValues {
    /// Floats.
    F32(Vec<f32>),
    /// Token ids.
    I32(Vec<i32>),
}

fn floats(name: &str, shape: &[usize], values: Vec<f32>) -> NamedTensor {
    NamedTensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        values: NamedValues::F32(values),
    }
}

fn ids(name: &str, shape: &[usize], values: Vec<i32>) -> NamedTensor {
    NamedTensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        values: NamedValues::I32(values),
    }
}

pub(super) fn trace<B: Backend>(
    network: &Network<B>,
    features: &Features,
    request: &TraceRequest,
    device: &Device<B>,
) -> Result<Vec<NamedTensor>> {
    let wrong = |reason: String| Error::Model {
        model: network.family().name().to_owned(),
        reason,
    };
    let channels = network.channels();
    let lists = request.teacher_ids.len();
    if lists > 1 && lists != channels {
        return Err(wrong(format!(
            "{lists} lists of ids for {channels} channels: give one list, or one for each"
        )));
    }
    if request
        .teacher_ids
        .iter()
        .any(|list| list.len() != request.teacher_ids[0].len())
    {
        return Err(wrong("the lists of ids must have the same length".into()));
    }
    let options = |limit: usize, first_id_can_end| GreedyOptions {
        max_ids: request.max_ids.unwrap_or(limit).min(limit),
        first_id_can_end,
        mask: None,
    };
    Ok(match network {
        Network::Mt3(model) => trace_mt3(
            model,
            features,
            request,
            options(mt3::MAX_NEW_IDS, true),
            device,
        ),
        Network::YourMt3(model) => trace_yourmt3(
            model,
            features,
            request,
            options(model.config().max_new_ids(), false),
            device,
        ),
    })
}

fn trace_mt3<B: Backend>(
    model: &Mt3<B>,
    features: &Features,
    request: &TraceRequest,
    options: GreedyOptions<'_>,
    device: &Device<B>,
) -> Vec<NamedTensor> {
    let segments = features.segments();
    let (frames, bands) = (features.frames, features.bands);
    let width = model.config().blocks.model_size;
    let mut out = vec![floats(
        "features",
        &[segments, frames, bands],
        features.values.clone(),
    )];
    let mut encoder_out = Vec::new();
    let mut logits = Vec::new();
    let mut sequences = Vec::new();
    let mut generated = Vec::new();
    let mut memory_ids = mt3::first_memory_ids(model.memory_variant());
    let given_memory = request
        .memory_ids
        .as_deref()
        .and_then(|ids| model.memory(ids));
    for segment in 0..segments {
        let encoded = model.encode(batch(features, segment, 1, device));
        encoder_out.extend(to_host(encoded.clone()));
        let memory = model.memory(&memory_ids);
        if let Some(teacher_ids) = request.teacher_ids.first() {
            let context = match given_memory.clone().or(memory.clone()) {
                Some(memory) => Tensor::cat(vec![encoded.clone(), memory], 1),
                None => encoded.clone(),
            };
            logits.extend(teacher_forced(model.decoder(), context, teacher_ids).concat());
        }
        let sequence = match memory {
            Some(memory) => {
                let rows = memory.dims()[1];
                out.push(floats(
                    &format!("memory_seg{segment}"),
                    &[rows, width],
                    to_host(memory),
                ));
                let (sequence, next) = with_memory(model, encoded, &memory_ids, options);
                generated.extend_from_slice(&next);
                memory_ids = next;
                sequence
            }
            None => greedy(model.decoder(), encoded, options)
                .pop()
                .unwrap_or_default(),
        };
        sequences.push(sequence);
    }
    out.push(floats(
        "encoder_out",
        &[segments, frames, width],
        encoder_out,
    ));
    if let Some(teacher_ids) = request.teacher_ids.first() {
        let count = teacher_ids.len().min(model.decoder().max_length());
        out.push(floats(
            "tf_logits",
            &[segments, count, model.decoder().vocabulary_size()],
            logits,
        ));
    }
    if let Some(memory) = given_memory {
        let rows = memory.dims()[1];
        out.push(floats("memory_block", &[rows, width], to_host(memory)));
    }
    if !generated.is_empty() {
        out.push(ids("generated_ids", &[segments, MEMORY_IDS], generated));
    }
    // With the start id, and -1 after the end.
    let longest = sequences
        .iter()
        .map(|sequence| sequence.ids.len())
        .max()
        .unwrap_or(0);
    let mut greedy_ids = Vec::with_capacity(segments * (longest + 1));
    for sequence in &sequences {
        greedy_ids.push(PAD_ID);
        greedy_ids.extend(padded(&sequence.ids, longest, -1));
    }
    out.push(ids("greedy_ids", &[segments, longest + 1], greedy_ids));
    out.push(floats(
        "greedy_margin",
        &[segments, longest],
        margins(&sequences, longest),
    ));
    out
}

fn trace_yourmt3<B: Backend>(
    model: &YourMt3<B>,
    features: &Features,
    request: &TraceRequest,
    options: GreedyOptions<'_>,
    device: &Device<B>,
) -> Vec<NamedTensor> {
    let segments = features.segments();
    let config = *model.config();
    let encoder = config.encoder;
    let (frames, channels) = (features.frames, config.channels());
    let all: Vec<usize> = (0..channels).collect();
    let decoder = model.decoder();
    let mut out = vec![floats(
        "spectrogram",
        &[segments, frames, features.bands],
        features.values.clone(),
    )];
    let mut encoder_out = Vec::new();
    let mut logits = Vec::new();
    let mut sequences = Vec::new();
    for segment in 0..segments {
        let mut inner = YourMt3Trace::default();
        let wanted = (segment == 0).then_some(&mut inner);
        let encoded = model.encode(batch(features, segment, 1, device), wanted);
        encoder_out.extend(to_host(encoded.clone()));
        let contexts = model.contexts(encoded, &all);
        if segment == 0 {
            let rows = frames * encoder.latents;
            let shape = [encoder.blocks, frames, encoder.latents, encoder.size];
            let image = [frames, encoder.key_features, config.convolution_channels];
            let router = inner.encoder.first_router_logits;
            out.push(floats("pre_encoder_seg0", &image, inner.pre_encoder));
            out.push(floats(
                "block_out_seg0",
                &shape,
                inner.encoder.block_outputs.concat(),
            ));
            out.push(floats(
                "router_logits_block0_local0_seg0",
                &[rows, encoder.experts],
                router,
            ));
            out.push(floats(
                "pre_decoder_seg0",
                &contexts.dims(),
                to_host(contexts.clone()),
            ));
        }
        if let Some(first) = request.teacher_ids.first() {
            for channel in 0..channels {
                let ids = request.teacher_ids.get(channel).unwrap_or(first);
                let [_, rows, width] = contexts.dims();
                let context = contexts
                    .clone()
                    .slice([channel..channel + 1, 0..rows, 0..width]);
                logits.extend(teacher_forced(decoder, context, ids).concat());
            }
        }
        sequences.extend(greedy(decoder, contexts, options));
    }
    out.push(floats(
        "encoder_out",
        &[segments, frames, encoder.latents, encoder.size],
        encoder_out,
    ));
    if let Some(teacher_ids) = request.teacher_ids.first() {
        let count = teacher_ids.len().min(decoder.max_length());
        out.push(floats(
            "tf_logits",
            &[segments, channels, count, decoder.vocabulary_size()],
            logits,
        ));
    }
    // Without the start id, and 0 after the end up to the longest possible length.
    let length = options.max_ids;
    let greedy_ids = sequences
        .iter()
        .flat_map(|sequence| padded(&sequence.ids, length, 0))
        .collect();
    out.push(ids("greedy_ids", &[segments, channels, length], greedy_ids));
    out.push(floats(
        "greedy_margin",
        &[segments, channels, length],
        margins(&sequences, length),
    ));
    out
}

fn padded(ids: &[i32], length: usize, filler: i32) -> impl Iterator<Item = i32> {
    ids.iter()
        .copied()
        .chain(std::iter::repeat(filler))
        .take(length)
}

fn margins(sequences: &[Sequence], length: usize) -> Vec<f32> {
    let one = |sequence: &Sequence| {
        let margins = sequence.margins.clone();
        margins
            .into_iter()
            .chain(std::iter::repeat(f32::NAN))
            .take(length)
    };
    sequences.iter().flat_map(one).collect()
}
