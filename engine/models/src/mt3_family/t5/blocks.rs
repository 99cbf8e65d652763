//! Attention and feed-forward layers of the encoder and the decoder.

use burn_tensor::Tensor;
use burn_tensor::backend::Backend;
use hitscribe_core::checkpoint::count_elements;
use hitscribe_core::error::Result;

use crate::mt3_family::hyperparameters::Hyperparameters;
use crate::mt3_family::layers::{Linear, RmsNorm, attend, gated_gelu, join_heads, split_heads};
use crate::mt3_family::load::Weights;
use crate::mt3_family::shapes::Shapes;

/// Added to the mean square in every norm.
pub(super) const NORM_EPSILON: f64 = 1e-6;

/// Sizes of the blocks of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct T5Config {
    /// Width of the residual stream.
    pub model_size: usize,
    /// Number of attention heads.
    pub heads: usize,
    /// Width of a head.
    pub head_size: usize,
    /// Width of the feed-forward layers.
    pub feed_forward_size: usize,
}

impl T5Config {
    /// The sizes of the stack whose attention and first feed-forward layers have these names.
    pub(in crate::mt3_family) fn of(
        shapes: &Shapes<'_>,
        hyperparameters: &Hyperparameters,
        model_size: usize,
        [attention, feed_forward]: [&str; 2],
    ) -> Result<Self> {
        let inner = shapes.first(&format!("{attention}.q.weight"))?;
        let heads = hyperparameters
            .heads_for(inner)
            .map_err(|reason| shapes.wrong(reason))?;
        Ok(Self {
            model_size,
            heads,
            head_size: inner / heads,
            feed_forward_size: shapes.first(&format!("{feed_forward}.wi_0.weight"))?,
        })
    }

    fn inner(&self) -> usize {
        self.heads * self.head_size
    }

    /// Elements of the matrices of a stack of `blocks`, each with `attentions` attention layers.
    pub(in crate::mt3_family) fn elements(&self, blocks: usize, attentions: usize) -> u64 {
        count_elements(&[
            &[4, blocks, attentions, self.model_size, self.inner()],
            &[3, blocks, self.model_size, self.feed_forward_size],
        ])
    }
}

#[derive(Clone, Debug)]
pub(super) struct Attention<B: Backend> {
    pub(super) heads: usize,
    pub(super) q: Linear<B>,
    k: Linear<B>,
    v: Linear<B>,
    pub(super) o: Linear<B>,
}

impl<B: Backend> Attention<B> {
    pub(super) fn load(weights: &mut Weights<'_, B>, name: &str, config: T5Config) -> Self {
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

    pub(super) fn keys_and_values(&self, x: Tensor<B, 3>) -> (Tensor<B, 4>, Tensor<B, 4>) {
        let part = |map: &Linear<B>, x| split_heads(map.kept(map.forward(x)), self.heads);
        (part(&self.k, x.clone()), part(&self.v, x))
    }

    /// Bytes of a row of keys and of values.
    pub(super) fn cache_row_bytes(&self) -> usize {
        self.k.kept_row_bytes() + self.v.kept_row_bytes()
    }

    pub(super) fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let q = split_heads(self.q.forward(x.clone()), self.heads);
        let (k, v) = self.keys_and_values(x);
        self.o.forward(join_heads(attend(q, k, v)))
    }
}

#[derive(Clone, Debug)]
pub(super) struct FeedForward<B: Backend> {
    norm: RmsNorm<B>,
    gate: Linear<B>,
    linear: Linear<B>,
    output: Linear<B>,
}

impl<B: Backend> FeedForward<B> {
    pub(super) fn load(weights: &mut Weights<'_, B>, name: &str, config: T5Config) -> Self {
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
            output: Linear::load_wide(weights, &format!("{name}.DenseReluDense.wo"), inner, model),
        }
    }

    pub(super) fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let normed = self.norm.forward(x.clone());
        x + self.output.forward(gated_gelu(
            self.gate.forward(normed.clone()),
            self.linear.forward(normed),
        ))
    }
}
