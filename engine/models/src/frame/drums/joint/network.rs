//! The layers of the network that decides jointly; see [`crate::frame`] for frames and delays.
//!
//! It works in steps of some frames (16 ms), its memory in longer ones (32 ms). A row is one of
//! either.

use burn_tensor::activation::relu;
use burn_tensor::backend::Backend;
use burn_tensor::{Tensor, TensorData};
use hitscribe_core::error::Result;

use crate::frame::drums::band_convolution::BandConvolution;
use crate::frame::drums::block::Block;
use crate::frame::drums::config::DrumWeights;
use crate::frame::drums::joint::config::JointConfig;
use crate::frame::gru::Gru;
use crate::frame::layers::{Dense, Edges, delayed, join, split};
use crate::frame::network::{Layers, Step};
use crate::frame::taps::BlockConfig;

/// The network with its weights on a device.
pub(in crate::frame::drums) struct Network<B: Backend> {
    config: JointConfig,
    stem: Vec<BandConvolution<B>>,
    project: Dense<B>,
    before: Vec<Block<B>>,
    down: Dense<B>,
    memory: Vec<Block<B>>,
    gru: Gru<B>,
    up: Dense<B>,
    after: Vec<Block<B>>,
    head: Dense<B>,
    device: B::Device,
}

/// The inputs of each layer that later frames of a source need, oldest first.
pub(in crate::frame::drums) struct State<B: Backend> {
    /// `[1, bands, context, channels]` for each stem layer.
    stem: Vec<Tensor<B, 4>>,
    /// The scalars of steps whose bands are still in the stem.
    scalars: Tensor<B, 3>,
    before: Vec<Tensor<B, 3>>,
    /// Steps that wait for the rest of their step of the memory.
    aligned: Tensor<B, 3>,
    /// Steps whose memory is not known yet.
    waiting: Tensor<B, 3>,
    memory: Vec<Tensor<B, 3>>,
    gru: Tensor<B, 3>,
    after: Vec<Tensor<B, 3>>,
}

impl<B: Backend> Network<B> {
    pub(in crate::frame::drums) fn load(
        config: &JointConfig,
        weights: &DrumWeights<'_>,
        device: &B::Device,
    ) -> Result<Self> {
        let (fine, coarse) = (config.fine_channels, config.coarse_channels);
        let mut bands = config.front_end.bands;
        let mut channels = config.pair * config.band_inputs();
        let mut stem = Vec::new();
        for (index, layer) in config.stem.iter().enumerate() {
            let (name, outputs) = (format!("stem.{index}"), layer.outputs);
            stem.push(BandConvolution::load(
                weights,
                &name,
                layer.steps,
                channels,
                outputs,
                device,
            )?);
            (bands, channels) = (bands.div_ceil(2), outputs);
        }
        let dense =
            |name: &str, inputs, outputs| Dense::load(weights, name, inputs, outputs, device);
        let blocks = |name: &str, blocks: &[BlockConfig], width| {
            let block = |(index, block)| {
                Block::load(weights, &format!("{name}.{index}"), block, width, device)
            };
            blocks.iter().enumerate().map(block).collect::<Result<_>>()
        };
        let inputs = bands * channels + config.pair * config.scalars();
        let outputs = config.pair * config.outputs.total();
        Ok(Self {
            stem,
            project: dense("project", inputs, fine)?,
            before: blocks("before", &config.before, fine)?,
            down: dense("down", config.stride * fine, coarse)?,
            memory: blocks("memory", &config.memory, coarse)?,
            gru: Gru::load(weights, coarse, device)?,
            up: dense("up", 2 * coarse, 2 * fine)?,
            after: blocks("after", &config.after, fine)?,
            head: dense("head", fine, outputs)?,
            config: config.clone(),
            device: device.clone(),
        })
    }

    /// The features of the next steps: `[batch, bands, rows, frames x inputs]` and
    /// `[batch, rows, frames x scalars]`.
    fn inputs(&self, steps: &[Step<'_, State<B>>], rows: usize) -> (Tensor<B, 4>, Tensor<B, 3>) {
        let config = &self.config;
        let (batch, pair, bands) = (steps.len(), config.pair, config.front_end.bands);
        let (inputs, scalars) = (config.band_inputs(), config.scalars());
        let frame_len = config.front_end.frame_len();
        let mut of_bands: Vec<f32> = Vec::with_capacity(batch * rows * pair * bands * inputs);
        let mut others: Vec<f32> = Vec::with_capacity(batch * rows * pair * scalars);
        for step in steps {
            for band in 0..bands {
                let frames = step.features.chunks_exact(frame_len);
                of_bands.extend(frames.flat_map(|frame| &frame[band * inputs..][..inputs]));
            }
            let frames = step.features.chunks_exact(frame_len);
            others.extend(frames.flat_map(|frame| &frame[bands * inputs..]));
        }
        let of_bands = TensorData::new(of_bands, [batch, bands, rows, pair * inputs]);
        let others = TensorData::new(others, [batch, rows, pair * scalars]);
        (
            Tensor::from_data(of_bands, &self.device),
            Tensor::from_data(others, &self.device),
        )
    }
}

impl<B: Backend> Layers for Network<B> {
    type State = State<B>;

    fn new_state(&self) -> State<B> {
        let (config, device) = (&self.config, &self.device);
        let rows = |rows: usize, width| Tensor::zeros([1, rows.max(1), width], device);
        let blocks = |blocks: &[Block<B>]| blocks.iter().map(|b| b.new_state(device)).collect();
        let mut bands = config.front_end.bands;
        let mut stem = Vec::new();
        for layer in &self.stem {
            stem.push(layer.new_state(bands, device));
            bands = bands.div_ceil(2);
        }
        State {
            stem,
            scalars: rows(config.stem_delay(), config.pair * config.scalars()),
            before: blocks(&self.before),
            aligned: rows(config.alignment(), config.fine_channels),
            waiting: rows(config.memory_delay(), config.fine_channels),
            memory: blocks(&self.memory),
            gru: self.gru.new_state(device),
            after: blocks(&self.after),
        }
    }

    fn run(&self, steps: &mut [Step<'_, State<B>>]) -> Vec<Vec<f32>> {
        let config = &self.config;
        let (batch, stride, fine) = (steps.len(), config.stride, config.fine_channels);
        let frames = steps[0].features.len() / config.front_end.frame_len();
        let rows = frames / config.pair;
        let mut edges = Edges::of_starts(steps, rows, config.pair);

        let (mut bands, scalars) = self.inputs(steps, rows);
        for (index, layer) in self.stem.iter().enumerate() {
            let context = layer.context_frames();
            let joined = join(steps, |state| &mut state.stem[index], bands, 2, context);
            let windows = layer.windows(joined);
            let outputs = (windows.dims()[1] - 1) / 2;
            let y = layer.convolve(&windows, 0, 2, outputs);
            edges.delay(context / 2);
            bands = edges.clear(relu(y + layer.bias()), 2);
        }
        let width = bands.dims()[1] * bands.dims()[3];
        let bands = bands.swap_dims(1, 2).reshape([batch, rows, width]);
        let scalars = delayed(steps, |s| &mut s.scalars, scalars, config.stem_delay());
        let projected = self.project.forward(Tensor::cat(vec![bands, scalars], 2));
        let mut x = edges.clear(relu(projected), 1);
        for (index, block) in self.before.iter().enumerate() {
            x = block.run(steps, |s| &mut s.before[index], x, &mut edges);
        }

        // The memory, on whole steps of its own.
        let x = delayed(steps, |s| &mut s.aligned, x, config.alignment());
        edges.delay(config.alignment());
        let mut coarse_edges = edges.strided(stride);
        let joined = x.clone().reshape([batch, rows / stride, stride * fine]);
        let mut coarse = coarse_edges.clear(relu(self.down.forward(joined)), 1);
        for (index, block) in self.memory.iter().enumerate() {
            coarse = block.run(steps, |s| &mut s.memory[index], coarse, &mut coarse_edges);
        }
        let heard = relu(coarse.clone());
        let remembered = self.gru.run(steps, |s| &mut s.gru, heard, &coarse_edges);
        let up = self.up.forward(Tensor::cat(vec![coarse, remembered], 2));
        let part = |first: usize| {
            let part = up.clone().slice_dim(2, first..first + fine);
            part.reshape([batch, rows / stride, 1, fine])
        };

        let x = delayed(steps, |s| &mut s.waiting, x, config.memory_delay());
        edges.delay(config.memory_delay());
        let x = x.reshape([batch, rows / stride, stride, fine]);
        let x = x * (part(0) + 1.0) + part(fine);
        let mut x = edges.clear(x.reshape([batch, rows, fine]), 1);
        for (index, block) in self.after.iter().enumerate() {
            x = block.run(steps, |s| &mut s.after[index], x, &mut edges);
        }
        split(self.head.forward(relu(x)))
    }
}
