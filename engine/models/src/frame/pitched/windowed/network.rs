//! The layers of the network for pitched notes; see [`crate::frame`] for frames and delays.
//!
//! Layouts are `[batch, frames, keys, channels]`. A tap over time is a slice of whole rows, a view.
//! The taps over keys are concatenated as channels, so that a convolution is three matrix products.

use burn_tensor::activation::relu;
use burn_tensor::backend::Backend;
use burn_tensor::{Tensor, TensorData};
use hitscribe_core::error::Result;

use crate::frame::layers::{Dense, Edges, join, split};
use crate::frame::network::{Layers, Step};
use crate::frame::pitched::config::PitchWeights;
use crate::frame::pitched::windowed::config::{
    KeyBlockConfig, TAPS, VALUES_PER_KEY, WindowedConfig,
};

/// The network with its weights on a device.
pub(in crate::frame::pitched) struct Network<B: Backend> {
    config: WindowedConfig,
    stem: TimeConv<B>,
    context: Dense<B>,
    blocks: Vec<Block<B>>,
    head: Dense<B>,
    device: B::Device,
}

/// The inputs of each layer that later frames of a source need, oldest first.
pub(in crate::frame::pitched) struct State<B: Backend> {
    /// `[1, 2, keys, key inputs]`
    stem: Tensor<B, 4>,
    /// `[1, context, keys, channels]` for each block.
    blocks: Vec<Tensor<B, 4>>,
}

/// A convolution of three taps over time on `[batch, frames, keys, inputs]`.
struct TimeConv<B: Backend> {
    /// `[1, 1, inputs, outputs]` each.
    taps: [Tensor<B, 4>; TAPS],
    bias: Tensor<B, 4>,
}

struct Block<B: Backend> {
    config: KeyBlockConfig,
    spread: TimeConv<B>,
    mix: Dense<B>,
}

impl<B: Backend> Network<B> {
    pub(in crate::frame::pitched) fn load(
        config: &WindowedConfig,
        weights: &PitchWeights<'_>,
        device: &B::Device,
    ) -> Result<Self> {
        let config = config.clone();
        let width = config.channels;
        let conv = |name: &str, inputs| TimeConv::load(weights, name, inputs, width, device);
        let dense = |name: &str, outputs| Dense::load(weights, name, width, outputs, device);
        let mut blocks = Vec::new();
        for (index, block) in config.blocks.iter().enumerate() {
            blocks.push(Block {
                config: block.clone(),
                spread: conv(&format!("block.{index}.spread"), TAPS * width)?,
                mix: dense(&format!("block.{index}.mix"), width)?,
            });
        }
        Ok(Self {
            stem: conv("stem", config.key_inputs())?,
            context: dense("context", width)?,
            blocks,
            head: dense("head", VALUES_PER_KEY)?,
            config,
            device: device.clone(),
        })
    }
}

impl<B: Backend> Layers for Network<B> {
    type State = State<B>;

    fn new_state(&self) -> State<B> {
        let keys = self.config.keys;
        let zeros = |frames, channels| Tensor::zeros([1, frames, keys, channels], &self.device);
        let blocks = self
            .blocks
            .iter()
            .map(|block| zeros(block.config.context_frames(), self.config.channels));
        State {
            stem: zeros(TAPS - 1, self.config.key_inputs()),
            blocks: blocks.collect(),
        }
    }

    fn run(&self, steps: &mut [Step<'_, State<B>>]) -> Vec<Vec<f32>> {
        let config = &self.config;
        let batch = steps.len();
        let frame_len = config.front_end.frame_len();
        let frames = steps[0].features.len() / frame_len;
        let values = steps.iter().flat_map(|s| s.features).copied();
        let features = TensorData::new(values.collect::<Vec<_>>(), [batch, frames, frame_len]);
        let mut edges = Edges::new(steps, frames);

        let x = self.around_harmonics(Tensor::from_data(features, &self.device));
        let joined = join(steps, |state| &mut state.stem, x, 1, TAPS - 1);
        let x = relu(self.stem.forward(&joined, frames, 1));
        edges.delay(TAPS / 2);
        let all_keys = x.clone().mean_dim(2).squeeze_dim::<3>(2);
        let x = x + self.context.forward(all_keys).unsqueeze_dim::<4>(2);
        let mut x = edges.clear(x, 1);

        for (index, block) in self.blocks.iter().enumerate() {
            let context = block.config.context_frames();
            let joined = join(steps, |state| &mut state.blocks[index], x, 1, context);
            x = block.forward(joined, frames);
            edges.delay(context - block.config.past_frames());
            x = edges.clear(x, 1);
        }
        split(self.head.on_keys(relu(x)))
    }
}

impl<B: Backend> Network<B> {
    /// `[batch, frames, bands * FFT sizes]` -> `[batch, frames, keys, key inputs]`
    fn around_harmonics(&self, features: Tensor<B, 3>) -> Tensor<B, 4> {
        let config = &self.config;
        let [batch, frames, _] = features.dims();
        let sizes = config.front_end.fft_sizes.len();
        let step = config.bands_per_semitone;
        let span = step * (config.keys - 1) + config.window_bands;
        let lowest = config.harmonics.iter().copied().min().unwrap_or(0);
        let highest = config.harmonics.iter().copied().max().unwrap_or(0);
        let below = lowest.min(0).unsigned_abs() as usize;
        let needed = (highest + below as i32).max(0) as usize + span;
        let above = needed.saturating_sub(below + config.front_end.bands);
        let silence = |bands: usize| Tensor::zeros([batch, frames, bands * sizes], &self.device);
        let padded = Tensor::cat(vec![silence(below), features, silence(above)], 2);
        let parts = config.harmonics.iter().map(|&first| {
            let first = (first + below as i32) as usize;
            let bands = padded
                .clone()
                .slice_dim(2, first * sizes..(first + span) * sizes);
            bands.unfold::<4, _>(2, config.window_bands * sizes, step * sizes)
        });
        Tensor::cat(parts.collect(), 3)
    }
}

impl<B: Backend> TimeConv<B> {
    fn load(
        weights: &PitchWeights<'_>,
        name: &str,
        inputs: usize,
        outputs: usize,
        device: &B::Device,
    ) -> Result<Self> {
        let values = weights.tensor(&format!("{name}.weight"), &[TAPS, inputs, outputs])?;
        let bias = weights.tensor(&format!("{name}.bias"), &[outputs])?;
        let tap = |index: usize| {
            let part = values[index * inputs * outputs..][..inputs * outputs].to_vec();
            Tensor::from_data(TensorData::new(part, [1, 1, inputs, outputs]), device)
        };
        Ok(Self {
            taps: std::array::from_fn(tap),
            bias: Tensor::from_data(TensorData::new(bias, [1, 1, 1, outputs]), device),
        })
    }

    /// `[batch, frames + 2 * dilation, keys, inputs]` -> `[batch, frames, keys, outputs]`
    fn forward(&self, x: &Tensor<B, 4>, frames: usize, dilation: usize) -> Tensor<B, 4> {
        let [batch, _, keys, inputs] = x.dims();
        let outputs = self.bias.dims()[3];
        let tap = |index: usize| {
            let first = index * dilation;
            x.clone()
                .slice_dim(1, first..first + frames)
                .reshape([batch, 1, frames * keys, inputs])
                .matmul(self.taps[index].clone())
        };
        (tap(0) + tap(1) + tap(2) + self.bias.clone()).reshape([batch, frames, keys, outputs])
    }
}

impl<B: Backend> Block<B> {
    /// `[batch, context + frames, keys, channels]` -> `[batch, frames, keys, channels]`
    fn forward(&self, joined: Tensor<B, 4>, frames: usize) -> Tensor<B, 4> {
        let [batch, rows, keys, channels] = joined.dims();
        let reach = self.config.keys;
        let edge = Tensor::zeros([batch, rows, reach, channels], &joined.device());
        let padded = Tensor::cat(vec![edge.clone(), joined.clone(), edge], 2);
        let taps = (0..TAPS)
            .map(|tap| padded.clone().slice_dim(2, tap * reach..tap * reach + keys))
            .collect();
        let spread = self
            .spread
            .forward(&Tensor::cat(taps, 3), frames, self.config.dilation);
        let past = self.config.past_frames();
        self.mix.on_keys(relu(spread)) + joined.slice_dim(1, past..past + frames)
    }
}
