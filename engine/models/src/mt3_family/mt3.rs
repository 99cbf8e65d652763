//! MT3 as published by MT3-PyTorch, and MR-MT3, which adds a memory of the previous segment.

use burn_tensor::backend::Backend;
use burn_tensor::{Device, Tensor};
use hitscribe_core::checkpoint::{Checkpoint, count_elements};
use hitscribe_core::error::Result;
use hitscribe_core::tokens::vocabulary::{EOS_ID, Event, Vocabulary};

use crate::compact::Precision;
use crate::mt3_family::hyperparameters::{Hyperparameters, MemoryVariant};
use crate::mt3_family::layers::{Linear, sinusoidal_positions};
use crate::mt3_family::load::{LoadReport, Weights};
use crate::mt3_family::shapes::{self, Shapes};
use crate::mt3_family::t5::{Decoder, DecoderParts, Encoder, T5Config};

/// Longest sequence of a segment in ids.
pub const MAX_NEW_IDS: usize = 1024;
/// Ids of the previous segment that MR-MT3's memory encodes.
pub const MEMORY_IDS: usize = 1024;
/// Most positions of a sequence, or frames of a segment.
const MAX_POSITIONS: usize = 1026;

/// Sizes of an MT3 network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mt3Config {
    /// Features per frame.
    pub bands: usize,
    /// Sizes of the blocks.
    pub blocks: T5Config,
    /// Encoder blocks.
    pub encoder_layers: usize,
    /// Decoder blocks.
    pub decoder_layers: usize,
    /// Number of ids.
    pub vocabulary_size: usize,
    /// MR-MT3's memory; `None` for MT3.
    pub memory: Option<MemoryConfig>,
}

/// Sizes of MR-MT3's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryConfig {
    /// Encoded rows in the memory, at most [`MEMORY_IDS`]; 0 makes it plain MT3.
    pub rows: usize,
    /// Blocks of the memory encoder.
    pub layers: usize,
    /// What it holds before the first segment.
    pub variant: MemoryVariant,
}

impl Mt3Config {
    /// Derives the sizes from a checkpoint's shapes, and the number of heads and the length and
    /// variant of the memory from `hyperparameters`.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Model`] if the checkpoint is not MT3 or the hyperparameters do not fit it.
    pub fn of(
        checkpoint: &Checkpoint,
        prefix: &str,
        hyperparameters: &Hyperparameters,
    ) -> Result<Self> {
        let shapes = Shapes::new(checkpoint, prefix, "an MT3 checkpoint");
        let [model_size, bands] = shapes.matrix("proj.weight")?;
        let [vocabulary_size, _] = shapes.matrix("decoder_embed_tokens.weight")?;
        if vocabulary_size <= Vocabulary::MT3.id(Event::Tie) as usize || model_size % 2 != 0 {
            return Err(shapes.wrong(format!(
                "a vocabulary of {vocabulary_size} and a width of {model_size} are not MT3's"
            )));
        }
        let layers =
            |stack: &str| shapes.count(|n| format!("{stack}.block.{n}.layer.0.layer_norm.weight"));
        let blocks = T5Config::of(
            &shapes,
            hyperparameters,
            model_size,
            [
                "encoder.block.0.layer.0.SelfAttention",
                "encoder.block.0.layer.1.DenseReluDense",
            ],
        )?;
        let (encoder_layers, decoder_layers) = (layers("encoder"), layers("decoder"));
        let memory_layers = layers("segmem_encoder");
        let outside = count_elements(&[&[bands, model_size], &[2, vocabulary_size, model_size]]);
        checkpoint.check_capacity(
            outside
                .saturating_add(blocks.elements(encoder_layers, 1))
                .saturating_add(blocks.elements(decoder_layers, 2))
                .saturating_add(blocks.elements(memory_layers, 1)),
        )?;
        let memory = (memory_layers > 0).then(|| MemoryConfig {
            rows: hyperparameters.memory_rows.unwrap_or(64).min(MEMORY_IDS),
            layers: memory_layers,
            variant: hyperparameters.memory_variant.unwrap_or_default(),
        });
        Ok(Self {
            bands,
            blocks,
            encoder_layers,
            decoder_layers,
            vocabulary_size,
            memory,
        })
    }
}

/// The network.
#[derive(Clone, Debug)]
pub struct Mt3<B: Backend> {
    config: Mt3Config,
    projection: Linear<B>,
    encoder: Encoder<B>,
    positions: Tensor<B, 2>,
    decoder: Decoder<B>,
    memory: Option<Memory<B>>,
}

#[derive(Clone, Debug)]
struct Memory<B: Backend> {
    config: MemoryConfig,
    projection: Linear<B>,
    encoder: Encoder<B>,
}

impl<B: Backend> Mt3<B> {
    /// Loads a network from a checkpoint whose keys begin with `prefix`.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Model`] with the list of tensors that are missing or have another shape.
    pub fn load(
        checkpoint: &Checkpoint,
        prefix: &str,
        config: Mt3Config,
        precision: Precision,
        device: &Device<B>,
    ) -> Result<(Self, LoadReport)> {
        let mut weights = Weights::new(checkpoint, prefix, device);
        let Mt3Config {
            bands,
            blocks,
            encoder_layers,
            decoder_layers,
            vocabulary_size,
            memory,
        } = config;
        let model_size = blocks.model_size;
        let inv_freq = weights.values("encoder.pos_emb.inv_freq", &[model_size / 2]);
        let positions = sinusoidal_positions(&inv_freq, MAX_POSITIONS, device);
        weights.format = precision.of_decoder();
        let parts = DecoderParts {
            embedding: weights.tensor("decoder_embed_tokens.weight", [vocabulary_size, model_size]),
            positions: positions.clone(),
            output: Linear::load_wide(&mut weights, "lm_head", model_size, vocabulary_size),
            output_scale: 1.0,
        };
        weights.format = precision.of_encoder::<B>();
        let projection = Linear::load(&mut weights, "proj", bands, model_size);
        let encoder = Encoder::load(&mut weights, "encoder", blocks, encoder_layers);
        weights.format = precision.of_decoder();
        let decoder = Decoder::load(&mut weights, "decoder", blocks, decoder_layers, parts);
        weights.format = precision.of_encoder::<B>();
        let model = Self {
            projection,
            encoder,
            decoder,
            memory: memory.map(|memory| Memory {
                config: memory,
                projection: Linear::load(&mut weights, "segmem_proj", model_size, model_size),
                encoder: Encoder::load(&mut weights, "segmem_encoder", blocks, memory.layers),
            }),
            positions,
            config,
        };
        // Aliases of tensors read above, and buffers.
        weights.ignore(|name| {
            name.ends_with(".embed_tokens.weight") || name.ends_with(".pos_emb.inv_freq")
        });
        Ok((model, weights.finish()?))
    }

    /// The sizes.
    pub fn config(&self) -> &Mt3Config {
        &self.config
    }

    /// The variant of the memory; `None` if a segment does not depend on the previous one.
    pub fn memory_variant(&self) -> Option<MemoryVariant> {
        let used = self
            .memory
            .as_ref()
            .filter(|memory| memory.config.rows > 0)?;
        Some(used.config.variant)
    }

    /// The decoder.
    pub fn decoder(&self) -> &Decoder<B> {
        &self.decoder
    }

    /// Encodes features `[batch, frames, bands]` to `[batch, frames, model]`; at most 1026 frames.
    pub fn encode(&self, features: Tensor<B, 3>) -> Tensor<B, 3> {
        self.encoder
            .forward(self.with_positions(self.projection.forward(features)))
    }

    fn with_positions(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let rows = x.dims()[1];
        x + self.positions.clone().narrow(0, 0, rows).unsqueeze()
    }

    /// Encodes the ids of the previous segment, with their leading 0, to the memory `[1, rows,
    /// model]`; `None` for a network without memory.
    pub fn memory(&self, previous_ids: &[i32]) -> Option<Tensor<B, 3>> {
        let memory = self
            .memory
            .as_ref()
            .filter(|memory| memory.config.rows > 0)?;
        let mut ids = previous_ids.to_vec();
        ids.resize(MEMORY_IDS, 0);
        let embedded = memory.projection.rows(self.decoder.embed(&ids));
        let encoded = memory
            .encoder
            .forward(self.with_positions(embedded.unsqueeze()));
        Some(encoded.slice([0..1, 0..memory.config.rows]))
    }
}

/// The ids that [`Mt3::memory`] takes for the first segment. Without memory they do not matter.
pub(crate) fn first_memory_ids(variant: Option<MemoryVariant>) -> Vec<i32> {
    match variant.unwrap_or_default() {
        MemoryVariant::V2WithPrev => vec![Vocabulary::MT3.id(Event::Tie), EOS_ID],
        MemoryVariant::V2 => vec![EOS_ID],
    }
}

/// The prefix of an MT3 network's keys in a checkpoint.
pub fn prefix_of(checkpoint: &Checkpoint) -> Option<&'static str> {
    shapes::prefix_of(checkpoint, "proj.weight")
}
