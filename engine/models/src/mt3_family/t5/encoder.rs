//! The T5 encoder.

use burn_tensor::Tensor;
use burn_tensor::backend::Backend;

use crate::mt3_family::layers::RmsNorm;
use crate::mt3_family::load::Weights;
use crate::mt3_family::t5::blocks::{Attention, FeedForward, NORM_EPSILON, T5Config};

#[derive(Clone, Debug)]
struct EncoderBlock<B: Backend> {
    norm: RmsNorm<B>,
    attention: Attention<B>,
    feed_forward: FeedForward<B>,
}

/// A stack of encoder blocks and its final norm.
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

    /// `[batch, rows, model]`, with positions added, to the same shape.
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let x = self.blocks.iter().fold(x, |x, block| {
            let x = x.clone() + block.attention.forward(block.norm.forward(x));
            block.feed_forward.forward(x)
        });
        self.final_norm.forward(x)
    }
}
