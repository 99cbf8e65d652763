//! The residual block over time that the drum networks share.

use burn_tensor::Tensor;
use burn_tensor::activation::relu;
use burn_tensor::backend::Backend;
use hitscribe_core::error::Result;

use crate::frame::drums::config::DrumWeights;
use crate::frame::layers::{Dense, Edges, join};
use crate::frame::network::Step;
use crate::frame::taps::BlockConfig;

/// A block with its weights on a device.
pub(super) struct Block<B: Backend> {
    config: BlockConfig,
    spread: Dense<B>,
    mix: Dense<B>,
}

impl<B: Backend> Block<B> {
    /// Reads `name.spread` and `name.mix`, of `width` channels.
    pub(super) fn load(
        weights: &DrumWeights<'_>,
        name: &str,
        config: &BlockConfig,
        width: usize,
        device: &B::Device,
    ) -> Result<Self> {
        let dense = |part: &str, inputs| {
            Dense::load(weights, &format!("{name}.{part}"), inputs, width, device)
        };
        Ok(Self {
            config: config.clone(),
            spread: dense("spread", config.taps * width)?,
            mix: dense("mix", width)?,
        })
    }

    /// What is kept of the block's input: `[1, context, channels]`.
    pub(super) fn new_state(&self, device: &B::Device) -> Tensor<B, 3> {
        let context = self.config.context_frames();
        Tensor::zeros([1, context, self.mix.outputs()], device)
    }

    /// The next frames, `[batch, frames, channels]`; `edges` move by the block's delay.
    pub(super) fn run<S>(
        &self,
        steps: &mut [Step<'_, S>],
        kept: impl FnMut(&mut S) -> &mut Tensor<B, 3>,
        x: Tensor<B, 3>,
        edges: &mut Edges,
    ) -> Tensor<B, 3> {
        let frames = x.dims()[1];
        let joined = join(steps, kept, x, 1, self.config.context_frames());
        let rows = |first: usize| joined.clone().slice_dim(1, first..first + frames);
        let taps = (0..self.config.taps)
            .map(|tap| rows(tap * self.config.dilation))
            .collect();
        let spread = relu(self.spread.forward(Tensor::cat(taps, 2)));
        let y = self.mix.forward(spread) + rows(self.config.past_frames());
        edges.delay(self.config.future_frames());
        edges.clear(y, 1)
    }
}
