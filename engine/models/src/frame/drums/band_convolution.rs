//! Convolutions over bands and time.
//!
//! A few large matrix products, the fastest operation of the CPU backend: channels are the last
//! dimension, and windows over time are views, not copies.

use burn_tensor::backend::Backend;
use burn_tensor::{Slice, Tensor, TensorData};
use hitscribe_core::error::Result;

use crate::frame::drums::config::DrumWeights;
use crate::windows::windows;

/// Taps over bands.
const BAND_TAPS: usize = 3;

/// Three bands and some frames on `[batch, bands, frames, channels]`.
pub(super) struct BandConvolution<B: Backend> {
    /// For each of the three taps over bands: `[1, 1, frames * inputs, outputs]`.
    taps: [Tensor<B, 4>; BAND_TAPS],
    bias: Tensor<B, 4>,
    frames: usize,
    inputs: usize,
}

impl<B: Backend> BandConvolution<B> {
    /// Reads `name.weight` and `name.bias`, with taps at `frames` frames.
    pub(super) fn load(
        weights: &DrumWeights<'_>,
        name: &str,
        frames: usize,
        inputs: usize,
        outputs: usize,
        device: &B::Device,
    ) -> Result<Self> {
        let rows = frames * inputs;
        let values = weights.tensor(&format!("{name}.weight"), &[BAND_TAPS, rows, outputs])?;
        let bias = weights.tensor(&format!("{name}.bias"), &[outputs])?;
        let tap = |tap: usize| {
            let part = values[tap * rows * outputs..][..rows * outputs].to_vec();
            Tensor::from_data(TensorData::new(part, [1, 1, rows, outputs]), device)
        };
        Ok(Self {
            taps: std::array::from_fn(tap),
            bias: Tensor::from_data(TensorData::new(bias, [1, 1, 1, outputs]), device),
            frames,
            inputs,
        })
    }

    pub(super) fn outputs(&self) -> usize {
        self.bias.dims()[3]
    }

    /// Frames beside the current one that outputs depend on, half of them later.
    pub(super) fn context_frames(&self) -> usize {
        self.frames - 1
    }

    /// What is kept of the layer's input, of `bands` bands.
    pub(super) fn new_state(&self, bands: usize, device: &B::Device) -> Tensor<B, 4> {
        Tensor::zeros(
            [1, bands, self.context_frames().max(1), self.inputs],
            device,
        )
    }

    /// Windows over time of `[batch, bands, frames + context, inputs]`, one band of zeros more on
    /// each side.
    pub(super) fn windows(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [batch, bands, rows, inputs] = x.dims();
        let edge = Tensor::zeros([batch, 1, rows, inputs], &x.device());
        let x = Tensor::cat(vec![edge.clone(), x, edge], 1);
        let x: Tensor<B, 3> = x.reshape([batch, bands + 2, rows * inputs]);
        windows(x, self.frames * inputs, inputs)
    }

    /// Output bands `first`, `first + step`, ... in units of input bands, without the bias.
    pub(super) fn convolve(
        &self,
        windows: &Tensor<B, 4>,
        first: usize,
        step: usize,
        count: usize,
    ) -> Tensor<B, 4> {
        let tap = |index: usize| {
            let start = first + index;
            let end = start + (count - 1) * step + 1;
            let range = Slice::new(start as isize, Some(end as isize), step as isize);
            windows
                .clone()
                .slice_dim(1, range)
                .matmul(self.taps[index].clone())
        };
        tap(0) + tap(1) + tap(2)
    }

    pub(super) fn bias(&self) -> Tensor<B, 4> {
        self.bias.clone()
    }
}
