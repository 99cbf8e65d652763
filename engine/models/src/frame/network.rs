//! A frame network on a device. Its type does not name the backend, so that only this crate
//! compiles the backend's code.

use std::any::Any;
use std::sync::Arc;

use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::LogBands;

use crate::device::Device;
use crate::frame::weights_file::{NetworkConfig, broken};

/// Frames of the trial run on a GPU.
const TRIAL_FRAMES: usize = 32;

/// The layers of one architecture on one backend.
pub(in crate::frame) trait Layers: Send + Sync + 'static {
    /// The inputs of each layer that later frames of a source still need, oldest first.
    type State: Send + 'static;

    /// The state before the first frame.
    fn new_state(&self) -> Self::State;

    /// The outputs of the next frames of each source; see [`FrameNet::run`].
    fn run(&self, steps: &mut [Step<'_, Self::State>]) -> Vec<Vec<f32>>;
}

/// One source's part of a batch, as the layers see it.
pub(in crate::frame) struct Step<'a, S> {
    pub(in crate::frame) state: &'a mut S,
    /// `[frames, frame_len]`
    pub(in crate::frame) features: &'a [f32],
    /// Index of the first of these frames.
    pub(in crate::frame) first_frame: u64,
    /// Number of frames of the whole passage, once it is known.
    pub(in crate::frame) total_frames: Option<u64>,
}

/// [`Layers`] without the type of their state.
pub(in crate::frame) trait AnyLayers: Send + Sync {
    fn new_state(&self) -> Box<dyn Any + Send>;

    fn run(&self, steps: &mut [FrameStep<'_>]) -> Result<Vec<Vec<f32>>>;
}

impl<L: Layers> AnyLayers for L {
    fn new_state(&self) -> Box<dyn Any + Send> {
        Box::new(Layers::new_state(self))
    }

    fn run(&self, steps: &mut [FrameStep<'_>]) -> Result<Vec<Vec<f32>>> {
        let mut typed = Vec::with_capacity(steps.len());
        for step in steps {
            let state = step.state.layers.downcast_mut();
            typed.push(Step {
                state: state.ok_or_else(|| broken("a state belongs to another network"))?,
                features: step.features,
                first_frame: step.state.next_frame,
                total_frames: step.total_frames,
            });
        }
        Ok(Layers::run(self, &mut typed))
    }
}

/// A network on one device and the configuration in its weights file.
///
/// `Send` and `Sync`: all sources of a process share it.
pub struct FrameModel<C> {
    config: C,
    frames: FrameNet,
}

impl<C: NetworkConfig> FrameModel<C> {
    pub(in crate::frame) fn new(
        config: C,
        layers: Box<dyn AnyLayers>,
        device: Device,
    ) -> Result<Self> {
        Ok(Self {
            frames: FrameNet::new(layers, device, &config)?,
            config,
        })
    }

    /// The configuration in the weights file.
    pub fn config(&self) -> &C {
        &self.config
    }

    /// The network as frames in, frames out.
    pub fn frames(&self) -> &FrameNet {
        &self.frames
    }
}

/// A network that maps frames of features to frames of outputs, on one device.
///
/// `Send` and `Sync`: all sources of a process share it.
pub struct FrameNet {
    layers: Box<dyn AnyLayers>,
    device: Device,
    front_end: Arc<LogBands>,
    frame_len: usize,
    lead_in_frames: usize,
    delay_frames: usize,
    step_frames: usize,
}

/// What a [`FrameNet`] keeps of one source between two steps.
pub struct FrameState {
    layers: Box<dyn Any + Send>,
    next_frame: u64,
}

/// One source's part of a batch.
pub struct FrameStep<'a> {
    /// The source's state, from [`FrameNet::new_state`] of the same network.
    pub state: &'a mut FrameState,
    /// Features of the next frames, each of the front end's `frame_len` values: a multiple of
    /// [`FrameNet::step_frames`]. Every step of a batch has the same number of frames.
    pub features: &'a [f32],
    /// Number of frames of the whole passage, once it is known.
    pub total_frames: Option<u64>,
}

impl FrameNet {
    /// Layers that are on `device`. On a GPU they run once: only then are they known to work.
    pub(in crate::frame) fn new(
        layers: Box<dyn AnyLayers>,
        device: Device,
        config: &impl NetworkConfig,
    ) -> Result<Self> {
        let front_end = config.front_end();
        let net = Self {
            layers,
            device,
            frame_len: front_end.frame_len(),
            front_end: Arc::new(LogBands::new(front_end.clone())),
            lead_in_frames: config.lead_in_frames(),
            delay_frames: config.delay_frames(),
            step_frames: config.step_frames(),
        };
        if device != Device::Cpu {
            net.run(&mut [FrameStep {
                state: &mut net.new_state()?,
                features: &vec![0.0; TRIAL_FRAMES * net.frame_len],
                total_frames: None,
            }])?;
        }
        Ok(net)
    }

    /// The device that the network is on.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The front end that computes the network's features.
    pub fn front_end(&self) -> &Arc<LogBands> {
        &self.front_end
    }

    /// Silent frames that come before the first, so that a recording begins as after a pause; 0 for
    /// networks that have learnt how recordings begin.
    pub fn lead_in_frames(&self) -> usize {
        self.lead_in_frames
    }

    /// Frames by which outputs are later than their features.
    pub fn delay_frames(&self) -> usize {
        self.delay_frames
    }

    /// Frames come in multiples of this.
    pub fn step_frames(&self) -> usize {
        self.step_frames
    }

    /// The state of a source before its first frame.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Device`] when the GPU fails.
    pub fn new_state(&self) -> Result<FrameState> {
        Ok(FrameState {
            layers: self.device.guard(|| self.layers.new_state())?,
            next_frame: 0,
        })
    }

    /// Runs the next frames of several sources. For each source it returns the outputs of as many
    /// frames, [`FrameNet::delay_frames`] earlier than its features, `[frames, outputs]` flat.
    /// Outputs of frames before the first are included and mean nothing.
    ///
    /// On the CPU the outputs of a source do not depend on the other sources of the batch.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Device`] when the GPU fails; the states of the batch are lost then.
    /// [`hitscribe_core::Error::Model`] for states of another network or features that do not fit.
    pub fn run(&self, steps: &mut [FrameStep<'_>]) -> Result<Vec<Vec<f32>>> {
        let values = steps.first().map_or(0, |step| step.features.len());
        let is_even = steps.iter().all(|step| step.features.len() == values);
        if !is_even || !values.is_multiple_of(self.frame_len * self.step_frames) {
            return Err(broken(format!(
                "{values} feature values are not whole frames of {} in multiples of {}",
                self.frame_len, self.step_frames
            )));
        }
        if values == 0 {
            return Ok(vec![Vec::new(); steps.len()]);
        }
        // On the CPU one by one: a batch only outgrows the cache.
        let batch = match self.device {
            Device::Cpu => 1,
            #[cfg(any(feature = "cuda", feature = "gpu", test))]
            _ => steps.len(),
        };
        let mut outputs = Vec::with_capacity(steps.len());
        for steps in steps.chunks_mut(batch) {
            outputs.append(&mut self.device.guard(|| self.layers.run(steps))??);
        }
        for step in steps {
            step.state.next_frame += (values / self.frame_len) as u64;
        }
        Ok(outputs)
    }
}
