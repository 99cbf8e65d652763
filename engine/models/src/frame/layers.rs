//! Parts of the frame networks: frames kept between steps, edges of a passage, the dense layer.

use burn_tensor::backend::Backend;
use burn_tensor::{Tensor, TensorData};
use hitscribe_core::error::Result;

use crate::frame::network::Step;
use crate::frame::weights_file::{NetworkConfig, WeightsFile};

/// Prepends each source's kept frames to its new ones, and keeps the last `context` frames.
pub(in crate::frame) fn join<S, B: Backend, const D: usize>(
    steps: &mut [Step<'_, S>],
    mut kept: impl FnMut(&mut S) -> &mut Tensor<B, D>,
    x: Tensor<B, D>,
    time_dim: usize,
    context: usize,
) -> Tensor<B, D> {
    if context == 0 {
        return x;
    }
    let past = steps.iter_mut().map(|s| kept(s.state).clone()).collect();
    let joined = Tensor::cat(vec![Tensor::cat(past, 0), x], time_dim);
    let length = joined.dims()[time_dim];
    let last = joined.clone().slice_dim(time_dim, length - context..length);
    for (index, step) in steps.iter_mut().enumerate() {
        *kept(step.state) = last.clone().slice_dim(0, index..index + 1);
    }
    joined
}

/// The rows `delay` earlier than those of `x`.
pub(in crate::frame) fn delayed<S, B: Backend>(
    steps: &mut [Step<'_, S>],
    kept: impl FnMut(&mut S) -> &mut Tensor<B, 3>,
    x: Tensor<B, 3>,
    delay: usize,
) -> Tensor<B, 3> {
    let rows = x.dims()[1];
    join(steps, kept, x, 1, delay).slice_dim(1, 0..rows)
}

/// The rows of a step outside each source's passage, at the delay of the current layer.
pub(in crate::frame) struct Edges {
    /// Index of the first row's frame, and the end of the passage.
    sources: Vec<(i64, i64)>,
    frames: usize,
}

impl Edges {
    pub(in crate::frame) fn new<S>(steps: &[Step<'_, S>], frames: usize) -> Self {
        let end = |step: &Step<'_, S>| step.total_frames.map_or(i64::MAX, |n| n as i64);
        let sources = steps
            .iter()
            .map(|s| (s.first_frame as i64, end(s)))
            .collect();
        Self { sources, frames }
    }

    /// Passages whose end does not matter, at a rate of one row for `frames_per_row` frames.
    pub(in crate::frame) fn of_starts<S>(
        steps: &[Step<'_, S>],
        rows: usize,
        frames_per_row: usize,
    ) -> Self {
        let first = |step: &Step<'_, S>| (step.first_frame / frames_per_row as u64) as i64;
        Self {
            sources: steps.iter().map(|step| (first(step), i64::MAX)).collect(),
            frames: rows,
        }
    }

    /// The same where each row stands for `stride` of these. Starts are whole rows.
    pub(in crate::frame) fn strided(&self, stride: usize) -> Self {
        let first = |first: i64| first.div_euclid(stride as i64);
        let sources = self.sources.iter().map(|&(start, end)| (first(start), end));
        Self {
            sources: sources.collect(),
            frames: self.frames / stride,
        }
    }

    /// One of the rows.
    pub(in crate::frame) fn row(&self, row: usize) -> Self {
        let first = |first: i64| first + row as i64;
        let sources = self.sources.iter().map(|&(start, end)| (first(start), end));
        Self {
            sources: sources.collect(),
            frames: 1,
        }
    }

    pub(in crate::frame) fn delay(&mut self, frames: usize) {
        for (first, _) in &mut self.sources {
            *first -= frames as i64;
        }
    }

    /// Zeroes the rows outside the passage. Almost always there are none.
    pub(in crate::frame) fn clear<B: Backend, const D: usize>(
        &self,
        x: Tensor<B, D>,
        time_dim: usize,
    ) -> Tensor<B, D> {
        let frames = self.frames as i64;
        if self
            .sources
            .iter()
            .all(|&(first, end)| first >= 0 && first.saturating_add(frames) <= end)
        {
            return x;
        }
        let inside = self.sources.iter().flat_map(|&(first, end)| {
            (first..first + frames).map(move |t| f32::from(u8::from(t >= 0 && t < end)))
        });
        let mut shape = [1; D];
        shape[0] = self.sources.len();
        shape[time_dim] = self.frames;
        let mask = TensorData::new(inside.collect::<Vec<_>>(), shape);
        let device = x.device();
        x * Tensor::from_data(mask, &device)
    }
}

/// A dense layer on `[batch, frames, channels]`.
pub(in crate::frame) struct Dense<B: Backend> {
    /// `[1, inputs, outputs]`
    weight: Tensor<B, 3>,
    /// `[1, 1, outputs]`
    bias: Tensor<B, 3>,
}

impl<B: Backend> Dense<B> {
    /// Reads `name.weight` and `name.bias`.
    pub(in crate::frame) fn load<C: NetworkConfig>(
        weights: &WeightsFile<'_, C>,
        name: &str,
        inputs: usize,
        outputs: usize,
        device: &B::Device,
    ) -> Result<Self> {
        let weight = weights.tensor(&format!("{name}.weight"), &[inputs, outputs])?;
        let bias = weights.tensor(&format!("{name}.bias"), &[outputs])?;
        Ok(Self {
            weight: Tensor::from_data(TensorData::new(weight, [1, inputs, outputs]), device),
            bias: Tensor::from_data(TensorData::new(bias, [1, 1, outputs]), device),
        })
    }

    pub(in crate::frame) fn outputs(&self) -> usize {
        self.bias.dims()[2]
    }

    pub(in crate::frame) fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        x.matmul(self.weight.clone()) + self.bias.clone()
    }

    /// The same for each key of `[batch, frames, keys, channels]`.
    pub(in crate::frame) fn on_keys(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [batch, frames, keys, channels] = x.dims();
        self.forward(x.reshape([batch, frames * keys, channels]))
            .reshape([batch, frames, keys, self.outputs()])
    }
}

/// Copies the outputs of each source of a batch from the device.
pub(in crate::frame) fn split<B: Backend, const D: usize>(outputs: Tensor<B, D>) -> Vec<Vec<f32>> {
    let batch = outputs.dims()[0];
    let values = outputs.into_data().into_vec::<f32>().unwrap_or_default();
    let parts = values.chunks((values.len() / batch).max(1));
    parts.map(<[f32]>::to_vec).collect()
}
