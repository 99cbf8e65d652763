//! The T5 decoder. Keys and values are in preallocated caches, and sequences that have ended can
//! leave the batch.

use burn_tensor::backend::Backend;
use burn_tensor::{Int, Tensor, TensorData};

use crate::mt3_family::layers::{Linear, RmsNorm, attend, embed, join_heads, split_heads};
use crate::mt3_family::load::Weights;
use crate::mt3_family::t5::blocks::{Attention, FeedForward, NORM_EPSILON, T5Config};

/// Capacity of a new cache in rows; it doubles as needed.
const FIRST_CACHE_ROWS: usize = 128;

#[derive(Clone, Debug)]
struct DecoderBlock<B: Backend> {
    self_norm: RmsNorm<B>,
    self_attention: Attention<B>,
    cross_norm: RmsNorm<B>,
    cross_attention: Attention<B>,
    feed_forward: FeedForward<B>,
}

/// A stack of decoder blocks with embedding, positions and output layer.
#[derive(Clone, Debug)]
pub struct Decoder<B: Backend> {
    blocks: Vec<DecoderBlock<B>>,
    final_norm: RmsNorm<B>,
    embedding: Tensor<B, 2>,
    positions: Tensor<B, 2>,
    output: Linear<B>,
    output_scale: f64,
}

/// The parts of a decoder besides its blocks.
pub struct DecoderParts<B: Backend> {
    /// `[vocabulary, model]`.
    pub embedding: Tensor<B, 2>,
    /// `[positions, model]`.
    pub positions: Tensor<B, 2>,
    /// From the model's width to the vocabulary's logits.
    pub output: Linear<B>,
    /// Factor of the last hidden state before `output`.
    pub output_scale: f64,
}

/// Keys and values of one block.
#[derive(Debug)]
struct BlockCache<B: Backend> {
    /// `None` only during a step.
    self_keys: Option<Tensor<B, 4>>,
    self_values: Option<Tensor<B, 4>>,
    cross_keys: Tensor<B, 4>,
    cross_values: Tensor<B, 4>,
}

/// The state of a batch of sequences between two steps.
#[derive(Debug)]
pub struct DecoderState<B: Backend> {
    blocks: Vec<BlockCache<B>>,
    length: usize,
    capacity: usize,
}

impl<B: Backend> DecoderState<B> {
    /// Keeps the sequences `rows`, in that order.
    pub fn select(&mut self, rows: &[usize]) {
        let Some(first) = self.blocks.first() else {
            return;
        };
        let device = first.cross_keys.device();
        let data: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
        let indices = Tensor::<B, 1, Int>::from_data(TensorData::new(data, [rows.len()]), &device);
        for block in &mut self.blocks {
            let pick = |tensor: &mut Option<Tensor<B, 4>>| {
                *tensor = tensor
                    .take()
                    .map(|tensor| tensor.select(0, indices.clone()));
            };
            pick(&mut block.self_keys);
            pick(&mut block.self_values);
            block.cross_keys = block.cross_keys.clone().select(0, indices.clone());
            block.cross_values = block.cross_values.clone().select(0, indices.clone());
        }
    }
}

impl<B: Backend> Decoder<B> {
    /// Reads `name.block.0..layers` and `name.final_layer_norm`.
    pub fn load(
        weights: &mut Weights<'_, B>,
        name: &str,
        config: T5Config,
        layers: usize,
        parts: DecoderParts<B>,
    ) -> Self {
        let blocks = (0..layers).map(|layer| {
            let name = format!("{name}.block.{layer}.layer");
            let norm = |weights: &mut Weights<'_, B>, which: usize| {
                RmsNorm::load(
                    weights,
                    &format!("{name}.{which}.layer_norm"),
                    config.model_size,
                    NORM_EPSILON,
                )
            };
            DecoderBlock {
                self_norm: norm(weights, 0),
                self_attention: Attention::load(
                    weights,
                    &format!("{name}.0.SelfAttention"),
                    config,
                ),
                cross_norm: norm(weights, 1),
                cross_attention: Attention::load(
                    weights,
                    &format!("{name}.1.EncDecAttention"),
                    config,
                ),
                feed_forward: FeedForward::load(weights, &format!("{name}.2"), config),
            }
        });
        let blocks = blocks.collect();
        let final_norm = RmsNorm::load(
            weights,
            &format!("{name}.final_layer_norm"),
            config.model_size,
            NORM_EPSILON,
        );
        let DecoderParts {
            embedding,
            positions,
            output,
            output_scale,
        } = parts;
        Self {
            blocks,
            final_norm,
            embedding,
            positions,
            output,
            output_scale,
        }
    }

    /// Number of ids in the vocabulary.
    pub fn vocabulary_size(&self) -> usize {
        self.embedding.dims()[0]
    }

    /// Most ids that can be fed to a sequence.
    pub fn max_length(&self) -> usize {
        self.positions.dims()[0]
    }

    /// Bytes of the keys and values of one id, or of one row of the context, in all blocks.
    pub fn cache_row_bytes(&self) -> usize {
        let bytes = |block: &DecoderBlock<B>| block.self_attention.cache_row_bytes();
        self.blocks.iter().map(bytes).sum()
    }

    /// The embedding rows of `ids`: `[ids, model]`.
    pub fn embed(&self, ids: &[i32]) -> Tensor<B, 2> {
        embed(&self.embedding, ids)
    }

    /// The state before the first id of a batch of sequences with contexts `[batch, rows, model]`.
    pub fn start(&self, context: Tensor<B, 3>) -> DecoderState<B> {
        let blocks = self.blocks.iter().map(|block| {
            let (cross_keys, cross_values) = block.cross_attention.keys_and_values(context.clone());
            BlockCache {
                self_keys: None,
                self_values: None,
                cross_keys,
                cross_values,
            }
        });
        DecoderState {
            blocks: blocks.collect(),
            length: 0,
            capacity: 0,
        }
    }

    /// Feeds one id to every sequence and returns the logits of the next: `[batch, vocabulary]`.
    ///
    /// `ids` has one id below [`Self::vocabulary_size`] for each sequence. There are at most
    /// [`Self::max_length`] steps.
    pub fn step(&self, ids: &[i32], state: &mut DecoderState<B>) -> Tensor<B, 2> {
        self.step_embedded(embed(&self.embedding, ids), state)
    }

    /// [`Self::step`] with ids that are on the device.
    pub fn step_ids(&self, ids: Tensor<B, 1, Int>, state: &mut DecoderState<B>) -> Tensor<B, 2> {
        self.step_embedded(self.embedding.clone().select(0, ids), state)
    }

    fn step_embedded(&self, embedded: Tensor<B, 2>, state: &mut DecoderState<B>) -> Tensor<B, 2> {
        let position = state.length;
        if position == state.capacity {
            state.capacity = (state.capacity * 2)
                .max(FIRST_CACHE_ROWS)
                .min(self.max_length());
        }
        let here = self.positions.clone().narrow(0, position, 1);
        let mut x = (embedded + here).unsqueeze_dim::<3>(1);
        for (block, cache) in self.blocks.iter().zip(&mut state.blocks) {
            let normed = block.self_norm.forward(x.clone());
            let attention = &block.self_attention;
            let q = split_heads(attention.q.forward(normed.clone()), attention.heads);
            let (k, v) = attention.keys_and_values(normed);
            let keys = append(cache.self_keys.take(), k, position, state.capacity);
            let values = append(cache.self_values.take(), v, position, state.capacity);
            let [batch, heads, _, size] = q.dims();
            let so_far = [0..batch, 0..heads, 0..position + 1, 0..size];
            let attended = attend(
                q,
                keys.clone().slice(so_far.clone()),
                values.clone().slice(so_far),
            );
            cache.self_keys = Some(keys);
            cache.self_values = Some(values);
            x = x + attention.o.forward(join_heads(attended));

            let attention = &block.cross_attention;
            let q = split_heads(
                attention.q.forward(block.cross_norm.forward(x.clone())),
                attention.heads,
            );
            let attended = attend(q, cache.cross_keys.clone(), cache.cross_values.clone());
            x = x + attention.o.forward(join_heads(attended));
            x = block.feed_forward.forward(x);
        }
        state.length += 1;
        let hidden: Tensor<B, 2> = self.final_norm.forward(x).squeeze_dim(1);
        if self.output_scale == 1.0 {
            self.output.rows(hidden)
        } else {
            self.output.rows(hidden.mul_scalar(self.output_scale))
        }
    }
}

/// Writes `new`, one row, at `position` of a cache of `capacity` rows. In place if the cache is the
/// only owner of its memory.
fn append<B: Backend>(
    cache: Option<Tensor<B, 4>>,
    new: Tensor<B, 4>,
    position: usize,
    capacity: usize,
) -> Tensor<B, 4> {
    let [batch, heads, _, size] = new.dims();
    let cache = match cache {
        Some(cache) if cache.dims()[2] == capacity => cache,
        older => {
            let grown = Tensor::zeros([batch, heads, capacity, size], (&new.device(), new.dtype()));
            match older {
                Some(older) => grown.slice_assign(
                    [0..batch, 0..heads, 0..position, 0..size],
                    older.slice([0..batch, 0..heads, 0..position, 0..size]),
                ),
                None => grown,
            }
        }
    };
    cache.slice_assign([0..batch, 0..heads, position..position + 1, 0..size], new)
}
