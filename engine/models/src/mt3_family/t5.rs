//! The T5 blocks of MT3, MR-MT3 and YourMT3: pre-norm, RMS norms, attention without scaling and
//! without relative bias, gated GELU.

mod decoder;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::mt3_family::layers::{Linear, RmsNorm, attend, gated_gelu, join_heads, split_heads};
use crate::mt3_family::load::Weights;
use hitscribe_core::checkpoint::elements_of;

pub use decoder::{Decoder, DecoderParts, DecoderState};

/// Added to the mean square in every norm.
pub const NORM_EPSILON: f64 = 1e-6;

/// Sizes that the blocks of a stack share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct T5Config {
    /// Width of the stream.
    pub model_size: usize,
    /// Number of attention heads.
    pub heads: usize,
    /// Width of a head.
    pub head_size: usize,
    /// Width of the feed-forward layers.
    pub feed_forward_size: usize,
}

impl T5Config {
    fn inner(&self) -> usize {
        self.heads * self.head_size
    }

    /// Elements of the matrices of a stack, whose blocks have so many attention layers each.
    pub(super) fn elements(&self, blocks: usize, attentions: usize) -> u64 {
        elements_of(&[
            &[4, blocks, attentions, self.model_size, self.inner()],
            &[3, blocks, self.model_size, self.feed_forward_size],
        ])
    }
}

#[derive(Clone, Debug)]
struct Attention<B: Backend> {
    heads: usize,
    q: Linear<B>,
    k: Linear<B>,
    v: Linear<B>,
    o: Linear<B>,
}

impl<B: Backend> Attention<B> {
    fn load(weights: &mut Weights<'_, B>, name: &str, config: T5Config) -> Self {
        let inner = config.inner();
        let mut input = |which: &str| {
            Linear::load(
                weights,
                &format!("{name}.{which}"),
                config.model_size,
                inner,
            )
        };
        let (q, k, v) = (input("q"), input("k"), input("v"));
        let o = Linear::load(weights, &format!("{name}.o"), inner, config.model_size);
        Self {
            heads: config.heads,
            q,
            k,
            v,
            o,
        }
    }

    fn keys_and_values(&self, x: Tensor<B, 3>) -> (Tensor<B, 4>, Tensor<B, 4>) {
        let k = split_heads(self.k.forward(x.clone()), self.heads);
        (k, split_heads(self.v.forward(x), self.heads))
    }

    fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let q = split_heads(self.q.forward(x.clone()), self.heads);
        let (k, v) = self.keys_and_values(x);
        self.o.forward(join_heads(attend(q, k, v)))
    }
}

#[derive(Clone, Debug)]
struct FeedForward<B: Backend> {
    norm: RmsNorm<B>,
    gate: Linear<B>,
    linear: Linear<B>,
    output: Linear<B>,
}

impl<B: Backend> FeedForward<B> {
    fn load(weights: &mut Weights<'_, B>, name: &str, config: T5Config) -> Self {
        let (model, inner) = (config.model_size, config.feed_forward_size);
        Self {
            norm: RmsNorm::load(weights, &format!("{name}.layer_norm"), model, NORM_EPSILON),
            gate: Linear::load(
                weights,
                &format!("{name}.DenseReluDense.wi_0"),
                model,
                inner,
            ),
            linear: Linear::load(
                weights,
                &format!("{name}.DenseReluDense.wi_1"),
                model,
                inner,
            ),
            output: Linear::load(weights, &format!("{name}.DenseReluDense.wo"), inner, model),
        }
    }

    fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let normed = self.norm.forward(x.clone());
        x + self.output.forward(gated_gelu(
            self.gate.forward(normed.clone()),
            self.linear.forward(normed),
        ))
    }
}

#[derive(Clone, Debug)]
struct EncoderBlock<B: Backend> {
    norm: RmsNorm<B>,
    attention: Attention<B>,
    feed_forward: FeedForward<B>,
}

/// A stack of encoder blocks with its final norm.
#[derive(Clone, Debug)]
pub struct Encoder<B: Backend> {
    blocks: Vec<EncoderBlock<B>>,
    final_norm: RmsNorm<B>,
}

impl<B: Backend> Encoder<B> {
    /// Reads `name.block.0..layers` and `name.final_layer_norm`.
    pub fn load(weights: &mut Weights<'_, B>, name: &str, config: T5Config, layers: usize) -> Self {
        let blocks = (0..layers).map(|layer| {
            let name = format!("{name}.block.{layer}.layer");
            EncoderBlock {
                norm: RmsNorm::load(
                    weights,
                    &format!("{name}.0.layer_norm"),
                    config.model_size,
                    NORM_EPSILON,
                ),
                attention: Attention::load(weights, &format!("{name}.0.SelfAttention"), config),
                feed_forward: FeedForward::load(weights, &format!("{name}.1"), config),
            }
        });
        let blocks = blocks.collect();
        let final_norm = RmsNorm::load(
            weights,
            &format!("{name}.final_layer_norm"),
            config.model_size,
            NORM_EPSILON,
        );
        Self { blocks, final_norm }
    }

    /// `[batch, rows, model]`, positions included, to the same shape.
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let x = self.blocks.iter().fold(x, |x, block| {
            let x = x.clone() + block.attention.forward(block.norm.forward(x));
            block.feed_forward.forward(x)
        });
        self.final_norm.forward(x)
    }
}
