//! Networks that read a source frame by frame: the model on a device, the memory of each source, and
//! what their layers have in common.
//!
//! Each layer keeps the frames of its input that later frames still need. So the cost does not depend on
//! how many frames come at once, and the outputs do not depend on it either. A layer that looks `f`
//! frames ahead answers `f` frames late; the delays add up to [`NetworkConfig::future_frames`].
//!
//! As in training, what lies before the first and after the last frame is zero *at the input of each
//! layer*, not silence at the input of the network.

pub mod drums;
pub mod pitched;
pub mod weights_file;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

#[cfg(feature = "cuda")]
use crate::device;
use crate::device::{Cpu, Device};
use crate::frame::weights_file::{NetworkConfig, WeightsFile, broken};
use hitscribe_core::error::Result;

/// A network on one backend.
pub trait StreamNetwork<B: Backend>: Sized {
    /// What its weights file says.
    type Config: NetworkConfig;
    /// What its layers still need of one source's past: inputs of each layer, oldest first.
    type State;

    /// Builds the network from a weights file.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Model`] when tensors are missing or do not fit the configuration.
    fn load(weights: &WeightsFile<'_, Self::Config>, device: &B::Device) -> Result<Self>;

    /// The memory before the first frame.
    fn new_state(&self) -> Self::State;

    /// The next frames of each source; see [`StreamModel::run`].
    fn run(&self, steps: &mut [Step<'_, Self::State>]) -> Vec<Vec<f32>>;
}

/// A kind of network, on any backend.
pub trait Architecture {
    /// What its weights file says.
    type Config: NetworkConfig;
    /// The network.
    type Network<B: Backend>: StreamNetwork<B, Config = Self::Config>;
}

/// One source's part of a batch, as a network sees it.
pub struct Step<'a, S> {
    /// Its memory.
    pub state: &'a mut S,
    /// `[frames, frame_len]`
    pub features: &'a [f32],
    /// Index of the first of these frames.
    pub first_frame: u64,
    /// Number of frames of the whole passage, once it is known.
    pub total_frames: Option<u64>,
}

type StateOn<A, B> = <<A as Architecture>::Network<B> as StreamNetwork<B>>::State;

/// A network on one device. `Sync`: shared by every source in the process.
pub struct StreamModel<A: Architecture> {
    config: A::Config,
    runner: Runner<A>,
}

enum Runner<A: Architecture> {
    Cpu(A::Network<Cpu>),
    #[cfg(feature = "cuda")]
    Cuda(A::Network<device::Cuda>, Device),
}

/// What the network remembers of one source between two steps.
pub struct StreamState<A: Architecture> {
    layers: StateKind<A>,
    next_frame: u64,
}

enum StateKind<A: Architecture> {
    Cpu(StateOn<A, Cpu>),
    #[cfg(feature = "cuda")]
    Cuda(StateOn<A, device::Cuda>),
}

/// One source's part of a batch.
pub struct StreamStep<'a, A: Architecture> {
    /// Its memory, from [`StreamModel::new_state`] of the same model.
    pub state: &'a mut StreamState<A>,
    /// Features of the next frames: `[frames, bands, FFT sizes]`, flat. The number of frames is the
    /// same for the whole batch.
    pub features: &'a [f32],
    /// Number of frames of the whole passage, once it is known.
    pub total_frames: Option<u64>,
}

impl<A: Architecture> StreamModel<A> {
    /// Loads weights onto a device.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Model`] for damaged weights, [`hitscribe_core::Error::Device`] when the GPU fails.
    pub fn load(bytes: &[u8], device: Device) -> Result<Self> {
        let weights = WeightsFile::<A::Config>::parse(bytes)?;
        let runner = match device {
            Device::Cpu => Runner::Cpu(A::Network::load(&weights, &Default::default())?),
            #[cfg(feature = "cuda")]
            Device::Cuda { index } => device::guarded(&device.to_string(), || {
                A::Network::load(&weights, &device::cuda_device(index))
            })?
            .map(|network| Runner::Cuda(network, device))?,
        };
        Ok(Self {
            config: weights.config,
            runner,
        })
    }

    /// What the weights file says about the model.
    pub fn config(&self) -> &A::Config {
        &self.config
    }

    /// The memory of a source that has not been heard yet.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Device`] when the GPU fails.
    pub fn new_state(&self) -> Result<StreamState<A>> {
        let layers = match &self.runner {
            Runner::Cpu(network) => StateKind::Cpu(network.new_state()),
            #[cfg(feature = "cuda")]
            Runner::Cuda(network, device) => {
                StateKind::Cuda(device::guarded(&device.to_string(), || {
                    network.new_state()
                })?)
            }
        };
        Ok(StreamState {
            layers,
            next_frame: 0,
        })
    }

    /// Runs the next frames of several sources. For each source the outputs of as many frames come
    /// back, [`NetworkConfig::future_frames`] earlier than its features, `[frames, outputs]` flat.
    /// Frames before the start are included and mean nothing.
    ///
    /// On the CPU the outputs of a source do not depend on the other sources of the batch.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Device`] when the GPU fails; the states of the batch are lost then.
    /// [`hitscribe_core::Error::Model`] for states of another model or feature counts that do not fit.
    pub fn run(&self, steps: &mut [StreamStep<'_, A>]) -> Result<Vec<Vec<f32>>> {
        let frame_len = self.config.front_end().frame_len();
        let values = steps.first().map_or(0, |s| s.features.len());
        if !values.is_multiple_of(frame_len) || steps.iter().any(|s| s.features.len() != values) {
            return Err(broken(format!(
                "{values} feature values are not whole frames"
            )));
        }
        if values == 0 {
            return Ok(vec![Vec::new(); steps.len()]);
        }
        let outputs = match &self.runner {
            // One by one: a batch would only grow past the cache.
            Runner::Cpu(network) => steps
                .iter_mut()
                .map(|step| match &mut step.state.layers {
                    StateKind::Cpu(state) => {
                        let step = Step {
                            state,
                            features: step.features,
                            first_frame: step.state.next_frame,
                            total_frames: step.total_frames,
                        };
                        Ok(network.run(&mut [step]).swap_remove(0))
                    }
                    #[cfg(feature = "cuda")]
                    StateKind::Cuda(_) => Err(foreign()),
                })
                .collect::<Result<Vec<_>>>(),
            #[cfg(feature = "cuda")]
            Runner::Cuda(network, device) => {
                let mut batch = Vec::with_capacity(steps.len());
                for step in steps.iter_mut() {
                    let StateKind::Cuda(state) = &mut step.state.layers else {
                        return Err(foreign());
                    };
                    batch.push(Step {
                        state,
                        features: step.features,
                        first_frame: step.state.next_frame,
                        total_frames: step.total_frames,
                    });
                }
                device::guarded(&device.to_string(), || network.run(&mut batch))
            }
        }?;
        for step in steps.iter_mut() {
            step.state.next_frame += (values / frame_len) as u64;
        }
        Ok(outputs)
    }
}

#[cfg(feature = "cuda")]
fn foreign() -> hitscribe_core::Error {
    broken("a source's memory belongs to another device")
}

/// Puts each source's kept frames before its new ones and keeps the last ones for the next step.
pub(super) fn join<S, B: Backend, const D: usize>(
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

/// Which rows of a step lie outside of each source's passage, at the current layer's delay.
pub(super) struct Edges {
    /// Frame of the first row and end of the passage.
    sources: Vec<(i64, i64)>,
    frames: usize,
}

impl Edges {
    pub(super) fn new<S>(steps: &[Step<'_, S>], frames: usize) -> Self {
        let end = |step: &Step<'_, S>| step.total_frames.map_or(i64::MAX, |n| n as i64);
        let sources = steps
            .iter()
            .map(|s| (s.first_frame as i64, end(s)))
            .collect();
        Self { sources, frames }
    }

    pub(super) fn delay(&mut self, frames: usize) {
        for (first, _) in &mut self.sources {
            *first -= frames as i64;
        }
    }

    /// Sets the rows outside to zero. Almost always there are none.
    pub(super) fn clear<B: Backend, const D: usize>(
        &self,
        x: Tensor<B, D>,
        time_dim: usize,
    ) -> Tensor<B, D> {
        let frames = self.frames as i64;
        if self
            .sources
            .iter()
            .all(|&(first, end)| first >= 0 && first + frames <= end)
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

/// Matrix and bias on `[batch, frames, channels]`.
pub(super) struct Dense<B: Backend> {
    /// `[1, inputs, outputs]`
    weight: Tensor<B, 3>,
    /// `[1, 1, outputs]`
    bias: Tensor<B, 3>,
}

impl<B: Backend> Dense<B> {
    /// The tensors `NAME.weight` and `NAME.bias`.
    pub(super) fn load<C: NetworkConfig>(
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

    pub(super) fn outputs(&self) -> usize {
        self.bias.dims()[2]
    }

    pub(super) fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        x.matmul(self.weight.clone()) + self.bias.clone()
    }
}

/// The values of each source of a batch.
pub(super) fn split<B: Backend, const D: usize>(outputs: Tensor<B, D>) -> Vec<Vec<f32>> {
    let batch = outputs.dims()[0];
    let values = outputs.into_data().into_vec::<f32>().unwrap_or_default();
    let parts = values.chunks((values.len() / batch).max(1));
    parts.map(<[f32]>::to_vec).collect()
}
