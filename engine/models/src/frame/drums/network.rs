//! The layers of the drum network; see [`crate::frame`] for frames and delays.
//!
//! Convolutions are a few large matrix products, the fastest operation of the CPU backend: channels
//! are the last dimension, and windows over time are views, not copies.

use burn_tensor::activation::relu;
use burn_tensor::backend::Backend;
use burn_tensor::{Slice, Tensor, TensorData};
use hitscribe_core::error::Result;

use crate::frame::drums::config::{BlockConfig, DrumWeights, STEM_TAPS};
use crate::frame::layers::{Dense, Edges, join, split};
use crate::frame::network::{Layers, Step};

/// The network with its weights on a device.
pub(super) struct Network<B: Backend> {
    stem: Vec<StemConv<B>>,
    project: Dense<B>,
    blocks: Vec<Block<B>>,
    head: Dense<B>,
    bands: usize,
    inputs: usize,
    device: B::Device,
}

/// The inputs of each layer that later frames of a source need, oldest first.
pub(super) struct State<B: Backend> {
    /// `[1, bands, 2, channels]` for each stem layer.
    stem: Vec<Tensor<B, 4>>,
    /// `[1, 2, bands * channels]`
    project: Tensor<B, 3>,
    /// `[1, context, channels]` for each block.
    blocks: Vec<Tensor<B, 3>>,
}

/// 3 x 3 convolution over bands and time on `[batch, bands, frames, channels]`.
struct StemConv<B: Backend> {
    /// For each of the three taps over bands: `[1, 1, 3 * inputs, outputs]`.
    taps: [Tensor<B, 4>; STEM_TAPS],
    bias: Tensor<B, 4>,
    stride: usize,
    pooled: bool,
}

struct Block<B: Backend> {
    config: BlockConfig,
    spread: Dense<B>,
    mix: Dense<B>,
}

impl<B: Backend> Network<B> {
    pub(super) fn load(weights: &DrumWeights<'_>, device: &B::Device) -> Result<Self> {
        let config = &weights.config;
        let bands = config.front_end.bands;
        let inputs = config.front_end.fft_sizes.len();
        let (mut band_count, mut channels) = (bands, inputs);
        let mut stem = Vec::new();
        for (index, layer) in config.stem.iter().enumerate() {
            let name = format!("stem.{index}");
            let shape = [STEM_TAPS, STEM_TAPS * channels, layer.outputs];
            let values = weights.tensor(&format!("{name}.weight"), &shape)?;
            let bias = weights.tensor(&format!("{name}.bias"), &[layer.outputs])?;
            let tap_len = shape[1] * shape[2];
            stem.push(StemConv {
                taps: std::array::from_fn(|tap| {
                    let part = values[tap * tap_len..][..tap_len].to_vec();
                    Tensor::from_data(TensorData::new(part, [1, 1, shape[1], shape[2]]), device)
                }),
                bias: Tensor::from_data(TensorData::new(bias, [1, 1, 1, layer.outputs]), device),
                stride: layer.stride,
                pooled: layer.pooled,
            });
            channels = layer.outputs;
            band_count = layer_bands(band_count, layer.stride, layer.pooled);
        }
        let dense =
            |name: &str, inputs, outputs| Dense::load(weights, name, inputs, outputs, device);
        let project = dense(
            "project",
            STEM_TAPS * band_count * channels,
            config.channels,
        )?;
        let mut blocks = Vec::new();
        for (index, block) in config.blocks.iter().enumerate() {
            let width = config.channels;
            blocks.push(Block {
                config: block.clone(),
                spread: dense(&format!("block.{index}.spread"), block.taps * width, width)?,
                mix: dense(&format!("block.{index}.mix"), width, width)?,
            });
        }
        let head = dense("head", config.channels, config.outputs())?;
        Ok(Self {
            stem,
            project,
            blocks,
            head,
            bands,
            inputs,
            device: device.clone(),
        })
    }
}

impl<B: Backend> Layers for Network<B> {
    type State = State<B>;

    fn new_state(&self) -> State<B> {
        let (mut bands, mut channels) = (self.bands, self.inputs);
        let mut stem = Vec::new();
        for layer in &self.stem {
            stem.push(Tensor::zeros(
                [1, bands, STEM_TAPS - 1, channels],
                &self.device,
            ));
            channels = layer.outputs();
            bands = layer_bands(bands, layer.stride, layer.pooled);
        }
        let blocks = self.blocks.iter().map(|block| {
            Tensor::zeros(
                [1, block.config.context_frames(), block.mix.outputs()],
                &self.device,
            )
        });
        State {
            stem,
            project: Tensor::zeros([1, STEM_TAPS - 1, bands * channels], &self.device),
            blocks: blocks.collect(),
        }
    }

    fn run(&self, steps: &mut [Step<'_, State<B>>]) -> Vec<Vec<f32>> {
        let batch = steps.len();
        let frames = steps[0].features.len() / (self.bands * self.inputs);
        let values = steps.iter().flat_map(|s| s.features).copied();
        let shape = [batch, frames, self.bands, self.inputs];
        let features = TensorData::new(values.collect::<Vec<_>>(), shape);
        let mut edges = Edges::new(steps, frames);

        let mut x = Tensor::<B, 4>::from_data(features, &self.device).swap_dims(1, 2);
        for (index, layer) in self.stem.iter().enumerate() {
            let joined = join(steps, |state| &mut state.stem[index], x, 2, STEM_TAPS - 1);
            x = layer.forward(joined);
            edges.delay(STEM_TAPS / 2);
            x = edges.clear(x, 2);
        }
        let width = x.dims()[1] * x.dims()[3];
        let x = x.swap_dims(1, 2).reshape([batch, frames, width]);
        let joined = join(steps, |state| &mut state.project, x, 1, STEM_TAPS - 1);
        let windows: Tensor<B, 3> = joined
            .reshape([batch, (frames + STEM_TAPS - 1) * width])
            .unfold(1, STEM_TAPS * width, width);
        let mut x = relu(self.project.forward(windows));
        edges.delay(STEM_TAPS / 2);
        x = edges.clear(x, 1);

        for (index, block) in self.blocks.iter().enumerate() {
            let context = block.config.context_frames();
            let joined = join(steps, |state| &mut state.blocks[index], x, 1, context);
            x = block.forward(joined, frames);
            edges.delay(context - block.config.past_frames());
            x = edges.clear(x, 1);
        }
        let outputs = self.head.forward(relu(x));
        split(outputs)
    }
}

fn layer_bands(bands: usize, stride: usize, pooled: bool) -> usize {
    let bands = (bands - 1) / stride + 1;
    if pooled { bands / 2 } else { bands }
}

impl<B: Backend> StemConv<B> {
    fn outputs(&self) -> usize {
        self.bias.dims()[3]
    }

    /// `[batch, bands, frames + 2, inputs]` -> `[batch, bands', frames, outputs]`
    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [batch, bands, rows, inputs] = x.dims();
        let edge = Tensor::zeros([batch, 1, rows, inputs], &x.device());
        let windows: Tensor<B, 4> = Tensor::cat(vec![edge.clone(), x, edge], 1)
            .reshape([batch, bands + 2, rows * inputs])
            .unfold(2, STEM_TAPS * inputs, inputs);
        let outputs = (bands - 1) / self.stride + 1;
        let y = if self.pooled {
            // max(a, b) = b + relu(a - b): the backends have no fast maximum.
            let even = self.convolve(&windows, 0, 2 * self.stride, outputs / 2);
            let odd = self.convolve(&windows, self.stride, 2 * self.stride, outputs / 2);
            relu(even - odd.clone()) + odd
        } else {
            self.convolve(&windows, 0, self.stride, outputs)
        };
        relu(y + self.bias.clone())
    }

    /// Output bands `first`, `first + step`, ... in units of input bands.
    fn convolve(
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
}

impl<B: Backend> Block<B> {
    /// `[batch, context + frames, channels]` -> `[batch, frames, channels]`
    fn forward(&self, joined: Tensor<B, 3>, frames: usize) -> Tensor<B, 3> {
        let rows = |first: usize| joined.clone().slice_dim(1, first..first + frames);
        let taps = (0..self.config.taps)
            .map(|tap| rows(tap * self.config.dilation))
            .collect();
        let spread = relu(self.spread.forward(Tensor::cat(taps, 2)));
        self.mix.forward(spread) + rows(self.config.past_frames())
    }
}
