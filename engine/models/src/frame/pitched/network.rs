//! The layers of the network for pitched notes; see [`crate::frame`] for frames and delays.
//!
//! It works in steps of some frames (32 ms). Layouts are `[batch, steps, rows, channels]`, rows
//! being keys and what lies above them.

use burn_tensor::activation::relu;
use burn_tensor::backend::Backend;
use burn_tensor::{Tensor, TensorData};
use hitscribe_core::error::Result;

use crate::frame::gru::Gru;
use crate::frame::layers::{Dense, Edges, delayed, join, split};
use crate::frame::network::{Layers, Step};
use crate::frame::pitched::block::{Block, Harmonics};
use crate::frame::pitched::config::{PitchConfig, PitchWeights, VALUES_BEFORE_FAMILIES};
use crate::frame::pitched::memory::Memory;

/// Most steps of a source that run at once: more do not stay in the cache.
const MOST_STEPS: usize = 16;

/// The network with its weights on a device.
pub(super) struct Network<B: Backend> {
    config: PitchConfig,
    stem: Dense<B>,
    /// Where a key lies: `[1, 1, rows, channels]`.
    place: Tensor<B, 4>,
    harmonics: Harmonics<B>,
    blocks: Vec<Block<B>>,
    gather: Dense<B>,
    gru: Gru<B>,
    tell: Dense<B>,
    memory: Memory<B>,
    head: Dense<B>,
    device: B::Device,
}

/// The inputs of each layer that later steps of a source need, oldest first.
pub(super) struct State<B: Backend> {
    /// Windows over bands: `[1, context, rows, inputs]`.
    stem: Tensor<B, 4>,
    /// The scalars of steps whose bands are still in the first layers.
    scalars: Tensor<B, 3>,
    /// `[1, context, rows, channels]` for each block before all keys are taken together.
    early: Vec<Tensor<B, 4>>,
    gru: Tensor<B, 3>,
    /// What is told to steps that are still in the later blocks.
    told: Tensor<B, 3>,
    /// As `early`, for the blocks after that.
    late: Vec<Tensor<B, 4>>,
    memory: Tensor<B, 4>,
}

impl<B: Backend> Network<B> {
    pub(super) fn load(weights: &PitchWeights<'_>, device: &B::Device) -> Result<Self> {
        let config = &weights.config;
        let (width, together) = (config.channels, config.together_channels);
        let dense =
            |name: &str, inputs, outputs| Dense::load(weights, name, inputs, outputs, device);
        let window = config.stem.bands * config.pair * config.band_inputs();
        let blocks = 0..config.blocks.len();
        let outputs = config.pair * VALUES_BEFORE_FAMILIES + config.families.len();
        let stem = dense("stem", config.stem.steps * window, width)?;
        let place = weights.tensor("place", &[config.rows, width])?;
        Ok(Self {
            stem,
            place: Tensor::from_data(TensorData::new(place, [1, 1, config.rows, width]), device),
            harmonics: Harmonics::new(config, device),
            blocks: blocks
                .map(|index| Block::load(weights, config, index, device))
                .collect::<Result<_>>()?,
            gather: dense(
                "gather",
                2 * width + config.pair * config.scalars(),
                together,
            )?,
            gru: Gru::load(weights, together, device)?,
            tell: dense("tell", together, 2 * width)?,
            memory: Memory::load(weights, config, device)?,
            head: dense("head", width + config.memory_channels, outputs)?,
            config: config.clone(),
            device: device.clone(),
        })
    }

    /// The features of the next steps: windows over bands, `[batch, steps, rows, bands x frames x
    /// inputs]`, and `[batch, steps, frames x scalars]`.
    fn inputs(&self, steps: &[Step<'_, State<B>>], count: usize) -> (Tensor<B, 4>, Tensor<B, 3>) {
        let config = &self.config;
        let (batch, pair, bands) = (steps.len(), config.pair, config.front_end.bands);
        let (inputs, scalars) = (config.band_inputs(), config.scalars());
        let frame_len = config.front_end.frame_len();
        let window = config.stem.bands * pair * inputs;
        let mut windows = Vec::with_capacity(batch * count * config.rows * window);
        let mut others: Vec<f32> = Vec::with_capacity(batch * count * pair * scalars);
        let mut of_bands = Vec::with_capacity(bands * pair * inputs);
        for step in steps {
            for frames in step.features.chunks_exact(pair * frame_len) {
                of_bands.clear();
                for band in 0..bands {
                    for frame in frames.chunks_exact(frame_len) {
                        of_bands.extend_from_slice(&frame[band * inputs..][..inputs]);
                    }
                }
                for row in 0..config.rows {
                    let first = row * config.stem.stride * pair * inputs;
                    windows.extend_from_slice(&of_bands[first..first + window]);
                }
                for frame in frames.chunks_exact(frame_len) {
                    others.extend_from_slice(&frame[bands * inputs..]);
                }
            }
        }
        let windows = TensorData::new(windows, [batch, count, config.rows, window]);
        let others = TensorData::new(others, [batch, count, pair * scalars]);
        (
            Tensor::from_data(windows, &self.device),
            Tensor::from_data(others, &self.device),
        )
    }

    /// Runs at most [`MOST_STEPS`] steps of each source.
    fn run_part(&self, steps: &mut [Step<'_, State<B>>]) -> Vec<Vec<f32>> {
        let config = &self.config;
        let (rows, width) = (config.rows, config.channels);
        let frames = steps[0].features.len() / config.front_end.frame_len();
        let count = frames / config.pair;
        let mut edges = Edges::of_starts(steps, count, config.pair);

        let (windows, scalars) = self.inputs(steps, count);
        let context = config.stem.steps - 1;
        let joined = join(steps, |state| &mut state.stem, windows, 1, context);
        let taps = (0..config.stem.steps)
            .map(|tap| joined.clone().slice_dim(1, tap..tap + count))
            .collect();
        let x = relu(self.stem.on_keys(Tensor::cat(taps, 3))) + self.place.clone();
        edges.delay(config.stem_delay());
        let mut x = edges.clear(x, 1);
        let (early, late) = self.blocks.split_at(config.middle);
        for (index, block) in early.iter().enumerate() {
            let harmonics = &self.harmonics;
            x = block.run(harmonics, steps, |s| &mut s.early[index], x, &mut edges);
        }

        // The outputs of all keys together, added to each of them.
        let delay = config.stem_delay() + config.early_delay();
        let scalars = delayed(steps, |s| &mut s.scalars, scalars, delay);
        let mean = x.clone().mean_dim(2).squeeze_dim::<3>(2);
        let most = x.clone().max_dim(2).squeeze_dim::<3>(2);
        let pooled = relu(
            self.gather
                .forward(Tensor::cat(vec![mean, most, scalars], 2)),
        );
        let remembered = self.gru.run(steps, |s| &mut s.gru, pooled, &edges);
        let told = self.tell.forward(remembered);
        let part = |told: Tensor<B, 3>, first: usize| {
            told.slice_dim(2, first..first + width)
                .unsqueeze_dim::<4>(2)
        };
        let mut x = edges.clear(x + part(told.clone(), 0), 1);
        for (index, block) in late.iter().enumerate() {
            let harmonics = &self.harmonics;
            x = block.run(harmonics, steps, |s| &mut s.late[index], x, &mut edges);
        }

        let told = delayed(steps, |s| &mut s.told, told, config.late_delay());
        let keys = if rows == config.keys {
            x
        } else {
            x.slice_dim(2, 0..config.keys)
        };
        let x = relu(keys + part(told, width));
        let remembered = self.memory.run(steps, |s| &mut s.memory, x.clone(), &edges);
        let outputs = split(self.head.on_keys(Tensor::cat(vec![x, remembered], 3)));
        outputs
            .iter()
            .map(|outputs| self.by_frame(outputs))
            .collect()
    }

    /// The outputs of steps, `[steps, keys, frames x values + families]`, as those of frames,
    /// `[frames, keys, values + families]`.
    fn by_frame(&self, outputs: &[f32]) -> Vec<f32> {
        let config = &self.config;
        let (values, pair) = (VALUES_BEFORE_FAMILIES, config.pair);
        let of_key = pair * values + config.families.len();
        let mut frames =
            Vec::with_capacity(outputs.len() / of_key * pair * config.values_per_key());
        for step in outputs.chunks_exact(config.keys * of_key) {
            for frame in 0..pair {
                for key in step.chunks_exact(of_key) {
                    frames.extend_from_slice(&key[frame * values..][..values]);
                    frames.extend_from_slice(&key[pair * values..]);
                }
            }
        }
        frames
    }
}

impl<B: Backend> Layers for Network<B> {
    type State = State<B>;

    fn new_state(&self) -> State<B> {
        let (config, device) = (&self.config, &self.device);
        let window = config.stem.bands * config.pair * config.band_inputs();
        let context = (config.stem.steps - 1).max(1);
        let waiting = |steps: usize, width| Tensor::zeros([1, steps.max(1), width], device);
        let (early, late) = self.blocks.split_at(config.middle);
        let kept = |blocks: &[Block<B>]| {
            let state = |block: &Block<B>| block.new_state(config.rows, device);
            blocks.iter().map(state).collect()
        };
        State {
            stem: Tensor::zeros([1, context, config.rows, window], device),
            scalars: waiting(
                config.stem_delay() + config.early_delay(),
                config.pair * config.scalars(),
            ),
            early: kept(early),
            gru: self.gru.new_state(device),
            told: waiting(config.late_delay(), 2 * config.channels),
            late: kept(late),
            memory: self.memory.new_state(config.keys, device),
        }
    }

    fn run(&self, steps: &mut [Step<'_, State<B>>]) -> Vec<Vec<f32>> {
        let frame_len = self.config.front_end.frame_len();
        let (most_frames, mut done_frames) = (MOST_STEPS * self.config.pair, 0);
        let frames = steps[0].features.len() / frame_len;
        let mut outputs = vec![Vec::new(); steps.len()];
        while done_frames < frames {
            let part = done_frames..(done_frames + most_frames).min(frames);
            let mut parts: Vec<_> = steps
                .iter_mut()
                .map(|step| Step {
                    state: &mut *step.state,
                    features: &step.features[part.start * frame_len..part.end * frame_len],
                    first_frame: step.first_frame + part.start as u64,
                    total_frames: step.total_frames,
                })
                .collect();
            for (all, new) in outputs.iter_mut().zip(self.run_part(&mut parts)) {
                all.extend(new);
            }
            done_frames = part.end;
        }
        outputs
    }
}
