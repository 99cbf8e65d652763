//! The residual block: each key beside its harmonics and its own past and future.

use burn_tensor::activation::relu;
use burn_tensor::backend::Backend;
use burn_tensor::{Int, Tensor, TensorData};
use hitscribe_core::error::Result;

use crate::frame::layers::{Dense, Edges, join};
use crate::frame::network::Step;
use crate::frame::pitched::config::{PitchConfig, PitchWeights};
use crate::frame::taps::BlockConfig;

/// Where each key finds its harmonics.
pub(super) struct Harmonics<B: Backend> {
    /// For each key and shift the row that it comes from; the row after the last is empty.
    sources: Tensor<B, 1, Int>,
    count: usize,
}

impl<B: Backend> Harmonics<B> {
    pub(super) fn new(config: &PitchConfig, device: &B::Device) -> Self {
        let rows = 0..config.rows as i64;
        let source = |row: i64, shift: i32| {
            let source = row + i64::from(shift);
            if rows.contains(&source) {
                source
            } else {
                rows.end
            }
        };
        let shifts = &config.shifts;
        let sources: Vec<i64> = rows
            .clone()
            .flat_map(|row| shifts.iter().map(move |&shift| source(row, shift)))
            .collect();
        let count = sources.len();
        Self {
            sources: Tensor::from_data(TensorData::new(sources, [count]), device),
            count: shifts.len(),
        }
    }

    /// `[batch, steps, rows, channels]` -> `[batch, steps, rows, shifts * channels]`
    fn gather(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [batch, steps, rows, channels] = x.dims();
        let empty = Tensor::zeros([batch, steps, 1, channels], &x.device());
        Tensor::cat(vec![x, empty], 2)
            .reshape([batch * steps, rows + 1, channels])
            .select(1, self.sources.clone())
            .reshape([batch, steps, rows, self.count * channels])
    }
}

/// A block with its weights on a device.
pub(super) struct Block<B: Backend> {
    config: BlockConfig,
    /// `[1, channels, narrow channels]`
    project: Tensor<B, 3>,
    /// Of the harmonics, then of the taps over time.
    spread: Dense<B>,
    mix: Dense<B>,
}

impl<B: Backend> Block<B> {
    /// Reads the tensors of `block.index`.
    pub(super) fn load(
        weights: &PitchWeights<'_>,
        config: &PitchConfig,
        index: usize,
        device: &B::Device,
    ) -> Result<Self> {
        let block = &config.blocks[index];
        let (width, narrow) = (config.channels, config.narrow_channels);
        let name = |part: &str| format!("block.{index}.{part}");
        let project = weights.tensor(&name("project.weight"), &[width, narrow])?;
        let inputs = config.shifts.len() * narrow + block.taps * width;
        Ok(Self {
            config: block.clone(),
            project: Tensor::from_data(TensorData::new(project, [1, width, narrow]), device),
            spread: Dense::load(weights, &name("spread"), inputs, width, device)?,
            mix: Dense::load(weights, &name("mix"), width, width, device)?,
        })
    }

    /// What is kept of the block's input: `[1, context, rows, channels]`.
    pub(super) fn new_state(&self, rows: usize, device: &B::Device) -> Tensor<B, 4> {
        let context = self.config.context_frames();
        Tensor::zeros([1, context.max(1), rows, self.mix.outputs()], device)
    }

    /// The next steps, `[batch, steps, rows, channels]`; `edges` move by the block's delay.
    pub(super) fn run<S>(
        &self,
        harmonics: &Harmonics<B>,
        steps: &mut [Step<'_, S>],
        kept: impl FnMut(&mut S) -> &mut Tensor<B, 4>,
        x: Tensor<B, 4>,
        edges: &mut Edges,
    ) -> Tensor<B, 4> {
        let [batch, count, rows, channels] = x.dims();
        let joined = join(steps, kept, x, 1, self.config.context_frames());
        let at = |first: usize| joined.clone().slice_dim(1, first..first + count);
        let here = at(self.config.past_frames());
        let narrow = here
            .clone()
            .reshape([batch, count * rows, channels])
            .matmul(self.project.clone());
        let narrow_channels = narrow.dims()[2];
        let mut inputs =
            vec![harmonics.gather(narrow.reshape([batch, count, rows, narrow_channels]))];
        inputs.extend((0..self.config.taps).map(|tap| at(tap * self.config.dilation)));
        let spread = relu(self.spread.on_keys(Tensor::cat(inputs, 3)));
        let y = self.mix.on_keys(spread) + here;
        edges.delay(self.config.future_frames());
        edges.clear(y, 1)
    }
}
