//! The layers of the network with independent classes; see [`crate::frame`] for frames and delays.

use burn_tensor::activation::relu;
use burn_tensor::backend::Backend;
use burn_tensor::{Tensor, TensorData};
use hitscribe_core::error::Result;

use crate::frame::drums::band_convolution::BandConvolution;
use crate::frame::drums::block::Block;
use crate::frame::drums::config::DrumWeights;
use crate::frame::drums::independent::config::{IndependentConfig, STEM_TAPS};
use crate::frame::layers::{Dense, Edges, join, split};
use crate::frame::network::{Layers, Step};
use crate::windows::windows;

/// The network with its weights on a device.
pub(in crate::frame::drums) struct Network<B: Backend> {
    stem: Vec<StemConv<B>>,
    project: Dense<B>,
    blocks: Vec<Block<B>>,
    head: Dense<B>,
    bands: usize,
    inputs: usize,
    device: B::Device,
}

/// The inputs of each layer that later frames of a source need, oldest first.
pub(in crate::frame::drums) struct State<B: Backend> {
    /// `[1, bands, 2, channels]` for each stem layer.
    stem: Vec<Tensor<B, 4>>,
    /// `[1, 2, bands * channels]`
    project: Tensor<B, 3>,
    /// `[1, context, channels]` for each block.
    blocks: Vec<Tensor<B, 3>>,
}

/// 3 x 3 convolution over bands and time on `[batch, bands, frames, channels]`.
struct StemConv<B: Backend> {
    convolution: BandConvolution<B>,
    stride: usize,
    pooled: bool,
}

impl<B: Backend> Network<B> {
    pub(in crate::frame::drums) fn load(
        config: &IndependentConfig,
        weights: &DrumWeights<'_>,
        device: &B::Device,
    ) -> Result<Self> {
        let bands = config.front_end.bands;
        let inputs = config.front_end.fft_sizes.len();
        let (mut band_count, mut channels) = (bands, inputs);
        let mut stem = Vec::new();
        for (index, layer) in config.stem.iter().enumerate() {
            stem.push(StemConv {
                convolution: BandConvolution::load(
                    weights,
                    &format!("stem.{index}"),
                    STEM_TAPS,
                    channels,
                    layer.outputs,
                    device,
                )?,
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
            let name = format!("block.{index}");
            blocks.push(Block::load(weights, &name, block, config.channels, device)?);
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
            stem.push(layer.convolution.new_state(bands, &self.device));
            channels = layer.convolution.outputs();
            bands = layer_bands(bands, layer.stride, layer.pooled);
        }
        let blocks = self.blocks.iter().map(|b| b.new_state(&self.device));
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
        let joined: Tensor<B, 2> = joined.reshape([batch, (frames + STEM_TAPS - 1) * width]);
        let windows: Tensor<B, 3> = windows(joined, STEM_TAPS * width, width);
        let mut x = relu(self.project.forward(windows));
        edges.delay(STEM_TAPS / 2);
        x = edges.clear(x, 1);

        for (index, block) in self.blocks.iter().enumerate() {
            x = block.run(steps, |state| &mut state.blocks[index], x, &mut edges);
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
    /// `[batch, bands, frames + 2, inputs]` -> `[batch, bands', frames, outputs]`
    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let convolution = &self.convolution;
        let outputs = (x.dims()[1] - 1) / self.stride + 1;
        let windows = convolution.windows(x);
        let y = if self.pooled {
            // max(a, b) = b + relu(a - b): the backends have no fast maximum.
            let even = convolution.convolve(&windows, 0, 2 * self.stride, outputs / 2);
            let odd = convolution.convolve(&windows, self.stride, 2 * self.stride, outputs / 2);
            relu(even - odd.clone()) + odd
        } else {
            convolution.convolve(&windows, 0, self.stride, outputs)
        };
        relu(y + convolution.bias())
    }
}
