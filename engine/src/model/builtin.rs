//! The built-in drum model: what its weights file says, and the network on the chosen device.
//!
//! The definition it follows is `train/hitscribe_train/model.py`; the file is written by
//! `train/hitscribe_train/export.py`. Nothing of the architecture is repeated here: sizes, taps and
//! classes are read from the file's metadata and checked against its tensors.

use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::audio::mel::FrontEndConfig;
#[cfg(feature = "cuda")]
use crate::device;
use crate::device::{Cpu, Device};
use crate::error::{Error, Result};
use crate::event::DrumClass;

mod network;

pub use network::Network;

/// The weights that come with the engine.
pub const BUILTIN_WEIGHTS: &[u8] = include_bytes!("../../weights/builtin.safetensors");

/// Values per class in an output frame: onset logit, shift in frames.
pub const VALUES_PER_CLASS: usize = 2;

const FORMAT: u32 = 1;
const NAME: &str = "built-in";
/// The stem's convolutions look one frame to each side; so does the projection.
const STEM_TAPS: usize = 3;

/// One convolution of the stem: 3 x 3, batch norm folded in, ReLU.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StemLayer {
    /// Output channels.
    pub outputs: usize,
    /// Step over bands.
    pub stride: usize,
    /// Whether neighbouring bands are joined by their maximum afterwards.
    pub pooled: bool,
}

/// One residual block over time. Tap `i` looks at frame `t + (i - past_taps) * dilation`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BlockConfig {
    /// Number of taps.
    pub taps: usize,
    /// Frames between taps.
    pub dilation: usize,
    /// Taps before the frame itself.
    pub past_taps: usize,
}

impl BlockConfig {
    /// Frames that a block reaches over, without the frame itself.
    pub fn context_frames(&self) -> usize {
        (self.taps - 1) * self.dilation
    }

    /// The part of the context that lies in the past.
    pub fn past_frames(&self) -> usize {
        self.past_taps * self.dilation
    }
}

/// Everything about the model that is not a tensor; the JSON under `config` in the weights file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BuiltinConfig {
    /// Version of the file's layout.
    pub format: u32,
    /// From audio to features.
    pub front_end: FrontEndConfig,
    /// The convolutions over bands and time.
    pub stem: Vec<StemLayer>,
    /// Channels after the stem.
    pub channels: usize,
    /// The residual blocks.
    pub blocks: Vec<BlockConfig>,
    /// Keys of the drum classes, in the order of the outputs; always [`DrumClass::ALL`].
    pub classes: Vec<String>,
    /// Calibrated probability threshold of each class, between 0 and 1.
    pub thresholds: Vec<f32>,
}

impl BuiltinConfig {
    /// Frames after frame `t` whose features the outputs of frame `t` depend on.
    pub fn future_frames(&self) -> usize {
        let blocks: usize = self
            .blocks
            .iter()
            .map(|b| b.context_frames() - b.past_frames())
            .sum();
        self.stem.len() + 1 + blocks
    }

    /// Frames before frame `t` whose features the outputs of frame `t` depend on.
    pub fn past_frames(&self) -> usize {
        self.stem.len()
            + 1
            + self
                .blocks
                .iter()
                .map(BlockConfig::past_frames)
                .sum::<usize>()
    }

    /// Values in one output frame: [`VALUES_PER_CLASS`] groups of one value per class.
    pub fn outputs(&self) -> usize {
        VALUES_PER_CLASS * self.classes.len()
    }

    fn check(&self) -> Result<()> {
        let ours = DrumClass::ALL.map(DrumClass::key);
        if self.format != FORMAT {
            return Err(broken(format!("format {} is not {FORMAT}", self.format)));
        }
        if self.classes != ours {
            return Err(broken(
                "its drum classes are not those of this engine".to_owned(),
            ));
        }
        if self.thresholds.len() != ours.len()
            || self.thresholds.iter().any(|&t| !(t > 0.0 && t < 1.0))
        {
            return Err(broken(
                "thresholds must be one number in 0..1 per class".to_owned(),
            ));
        }
        let blocks_valid = self.blocks.iter().all(|b| {
            (1..=64).contains(&b.taps) && (1..=4096).contains(&b.dilation) && b.past_taps < b.taps
        });
        let stem_valid = (1..=16).contains(&self.stem.len())
            && self
                .stem
                .iter()
                .all(|s| (1..=4096).contains(&s.outputs) && (1..=8).contains(&s.stride));
        if !blocks_valid || !stem_valid || !(1..=65_536).contains(&self.channels) {
            return Err(broken("its shape makes no sense".to_owned()));
        }
        self.front_end.check().map_err(broken)
    }
}

#[cfg(feature = "cuda")]
fn foreign() -> Error {
    broken("a source's memory belongs to another device".to_owned())
}

fn broken(reason: String) -> Error {
    Error::Model {
        model: NAME.to_owned(),
        reason,
    }
}

/// A weights file: its configuration and its tensors as 32-bit floats.
pub struct BuiltinWeights<'a> {
    /// The checked configuration.
    pub config: BuiltinConfig,
    tensors: SafeTensors<'a>,
}

impl<'a> BuiltinWeights<'a> {
    /// Reads a weights file from memory.
    ///
    /// # Errors
    /// [`Error::Model`] when it is damaged or describes a model that this engine does not know.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| broken(e.to_string()))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| broken(e.to_string()))?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|map| map.get("config"))
            .ok_or_else(|| broken("no configuration in the file's metadata".to_owned()))?;
        let config: BuiltinConfig =
            serde_json::from_str(text).map_err(|e| broken(e.to_string()))?;
        config.check()?;
        Ok(Self { config, tensors })
    }

    /// Shape of a tensor.
    ///
    /// # Errors
    /// [`Error::Model`] when there is no such tensor.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>> {
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| broken(format!("no tensor {name}")))?;
        Ok(view.shape().to_vec())
    }

    /// One tensor, which must have the given shape.
    ///
    /// # Errors
    /// [`Error::Model`] when it is missing, of another shape or type, or not finite.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| broken(format!("no tensor {name}")))?;
        if view.shape() != shape {
            return Err(broken(format!(
                "tensor {name} has shape {:?}, not {shape:?}",
                view.shape()
            )));
        }
        let values: Vec<f32> = match view.dtype() {
            Dtype::F16 => view
                .data()
                .as_chunks()
                .0
                .iter()
                .map(|&b| half::f16::from_le_bytes(b).to_f32())
                .collect(),
            Dtype::F32 => view
                .data()
                .as_chunks()
                .0
                .iter()
                .map(|&b| f32::from_le_bytes(b))
                .collect(),
            other => return Err(broken(format!("tensor {name} has the type {other:?}"))),
        };
        if values.iter().any(|v| !v.is_finite()) {
            return Err(broken(format!(
                "tensor {name} has values that are not numbers"
            )));
        }
        Ok(values)
    }
}

/// The built-in model on one device. `Sync`: shared by every source in the process.
pub struct BuiltinModel {
    config: BuiltinConfig,
    runner: Runner,
}

enum Runner {
    Cpu(Network<Cpu>),
    #[cfg(feature = "cuda")]
    Cuda(Network<device::Cuda>, Device),
}

/// What the network remembers of one source between two steps.
pub struct BuiltinState(StateKind);

enum StateKind {
    Cpu(network::State<Cpu>),
    #[cfg(feature = "cuda")]
    Cuda(network::State<device::Cuda>),
}

/// One source's part of a batch.
pub struct BuiltinStep<'a> {
    /// Its memory, from [`BuiltinModel::new_state`] of the same model.
    pub state: &'a mut BuiltinState,
    /// Features of the next frames: `[frames, bands, FFT sizes]`, flat. The number of frames is the
    /// same for the whole batch.
    pub features: &'a [f32],
    /// Number of frames of the whole passage, once it is known.
    pub total_frames: Option<u64>,
}

impl BuiltinModel {
    /// Loads weights onto a device.
    ///
    /// # Errors
    /// [`Error::Model`] for damaged weights, [`Error::Device`] when the GPU fails.
    pub fn load(bytes: &[u8], device: Device) -> Result<Self> {
        let weights = BuiltinWeights::parse(bytes)?;
        let runner = match device {
            Device::Cpu => Runner::Cpu(Network::load(&weights, &Default::default())?),
            #[cfg(feature = "cuda")]
            Device::Cuda { index } => device::guarded(&device.to_string(), || {
                Network::load(&weights, &device::cuda_device(index))
            })?
            .map(|network| Runner::Cuda(network, device))?,
        };
        Ok(Self {
            config: weights.config,
            runner,
        })
    }

    /// What the weights file says about the model.
    pub fn config(&self) -> &BuiltinConfig {
        &self.config
    }

    /// The memory of a source that has not been heard yet.
    ///
    /// # Errors
    /// [`Error::Device`] when the GPU fails.
    pub fn new_state(&self) -> Result<BuiltinState> {
        Ok(BuiltinState(match &self.runner {
            Runner::Cpu(network) => StateKind::Cpu(network.new_state()),
            #[cfg(feature = "cuda")]
            Runner::Cuda(network, device) => {
                StateKind::Cuda(device::guarded(&device.to_string(), || {
                    network.new_state()
                })?)
            }
        }))
    }

    /// Runs the next frames of several sources. For each source the outputs of as many frames come
    /// back, [`BuiltinConfig::future_frames`] earlier than its features, `[frames, outputs]` flat:
    /// onset logits of all classes, then shifts. Frames before the start are included
    /// and mean nothing.
    ///
    /// On the CPU the outputs of a source do not depend on the other sources of the batch.
    ///
    /// # Errors
    /// [`Error::Device`] when the GPU fails; the states of the batch are lost then.
    /// [`Error::Model`] for states of another model or feature counts that do not fit.
    pub fn run(&self, steps: &mut [BuiltinStep<'_>]) -> Result<Vec<Vec<f32>>> {
        let frame_len = self.config.front_end.frame_len();
        let values = steps.first().map_or(0, |s| s.features.len());
        if !values.is_multiple_of(frame_len) || steps.iter().any(|s| s.features.len() != values) {
            return Err(broken(format!(
                "{values} feature values are not whole frames"
            )));
        }
        if values == 0 {
            return Ok(vec![Vec::new(); steps.len()]);
        }
        match &self.runner {
            // One by one: a batch would only grow past the cache.
            Runner::Cpu(network) => steps
                .iter_mut()
                .map(|step| match &mut step.state.0 {
                    StateKind::Cpu(state) => {
                        let step = network::Step {
                            state,
                            features: step.features,
                            total_frames: step.total_frames,
                        };
                        Ok(network.run(&mut [step]).swap_remove(0))
                    }
                    #[cfg(feature = "cuda")]
                    StateKind::Cuda(_) => Err(foreign()),
                })
                .collect(),
            #[cfg(feature = "cuda")]
            Runner::Cuda(network, device) => {
                let mut batch = Vec::with_capacity(steps.len());
                for step in steps.iter_mut() {
                    let StateKind::Cuda(state) = &mut step.state.0 else {
                        return Err(foreign());
                    };
                    batch.push(network::Step {
                        state,
                        features: step.features,
                        total_frames: step.total_frames,
                    });
                }
                device::guarded(&device.to_string(), || network.run(&mut batch))
            }
        }
    }
}
