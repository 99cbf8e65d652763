//! Weights files of the frame networks: SafeTensors with the configuration in the metadata.
//!
//! They are in memory as a whole. `hitscribe_core::checkpoint` reads SafeTensors and PyTorch files
//! of the MT3 family from disk, tensor by tensor.

use hitscribe_core::error::{Error, Result};
use hitscribe_core::features::log_bands::LogBandsConfig;
use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;

const NAME: &str = "built-in";

/// The configuration of a frame network, the JSON in its weights file.
pub trait NetworkConfig {
    /// The front end that computes the features.
    fn front_end(&self) -> &LogBandsConfig;

    /// See [`FrameNet::lead_in_frames`](crate::frame::FrameNet::lead_in_frames).
    fn lead_in_frames(&self) -> usize;

    /// See [`FrameNet::delay_frames`](crate::frame::FrameNet::delay_frames).
    fn delay_frames(&self) -> usize;

    /// See [`FrameNet::step_frames`](crate::frame::FrameNet::step_frames).
    fn step_frames(&self) -> usize {
        1
    }

    /// Checks format and ranges.
    ///
    /// # Errors
    /// [`Error::Model`] with the reason.
    fn check(&self) -> Result<()>;
}

pub(super) fn broken(reason: impl Into<String>) -> Error {
    Error::Model {
        model: NAME.to_owned(),
        reason: reason.into(),
    }
}

/// A weights file: its configuration and its tensors as 32-bit floats. A tensor `NAME` of 8-bit
/// integers has a factor for each index of its last dimension, the outputs, in `NAME.scale`.
pub struct WeightsFile<'a, C> {
    /// The checked configuration.
    pub config: C,
    tensors: SafeTensors<'a>,
}

impl<'a, C: NetworkConfig> WeightsFile<'a, C> {
    /// Parses a weights file in memory.
    ///
    /// # Errors
    /// [`Error::Model`] if it is damaged or that of another kind of network.
    pub fn parse(bytes: &'a [u8]) -> Result<Self>
    where
        C: DeserializeOwned,
    {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| broken(e.to_string()))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| broken(e.to_string()))?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|map| map.get("config"))
            .ok_or_else(|| broken("its metadata has no config"))?;
        let config: C = serde_json::from_str(text).map_err(|e| broken(e.to_string()))?;
        config.check()?;
        Ok(Self { config, tensors })
    }

    /// The shape of a tensor.
    ///
    /// # Errors
    /// [`Error::Model`] if it is missing.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>> {
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| broken(format!("tensor {name} is missing")))?;
        Ok(view.shape().to_vec())
    }

    /// The values of a tensor in row-major order.
    ///
    /// # Errors
    /// [`Error::Model`] if it is missing, has another shape than `shape`, another type than f16, f32
    /// or i8 with factors, or values that are not finite.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let view = self
            .tensors
            .tensor(name)
            .map_err(|_| broken(format!("tensor {name} is missing")))?;
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
            Dtype::I8 => {
                let outputs = shape.last().copied().unwrap_or(1);
                let factors = self.tensor(&format!("{name}.scale"), &[outputs])?;
                let values = view.data().iter().map(|&b| f32::from(b.cast_signed()));
                let factors = factors.iter().cycle();
                values.zip(factors).map(|(v, factor)| v * factor).collect()
            }
            other => return Err(broken(format!("tensor {name} has the type {other:?}"))),
        };
        if values.iter().any(|v| !v.is_finite()) {
            return Err(broken(format!(
                "tensor {name} has values that are not finite"
            )));
        }
        Ok(values)
    }
}
