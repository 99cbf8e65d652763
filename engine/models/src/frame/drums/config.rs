//! The configuration of either drum network in its weights file.

use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::LogBandsConfig;
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;

use crate::frame::drums::independent::config as independent;
use crate::frame::drums::independent::config::IndependentConfig;
use crate::frame::drums::joint::config as joint;
use crate::frame::drums::joint::config::JointConfig;
use crate::frame::weights_file::{NetworkConfig, WeightsFile};

/// A weights file of a drum network.
pub type DrumWeights<'a> = WeightsFile<'a, DrumConfig>;

/// A drum network without its tensors: the JSON under `config` in the weights file's metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum DrumConfig {
    /// Format 1.
    Independent(IndependentConfig),
    /// Format 2.
    Joint(JointConfig),
}

impl DrumConfig {
    /// The configuration in a weights file.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Model`] for a damaged file or that of another network.
    pub fn of_weights(bytes: &[u8]) -> Result<Self> {
        Ok(DrumWeights::parse(bytes)?.config)
    }

    /// Values in an output frame.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Independent(config) => config.outputs(),
            Self::Joint(config) => config.outputs.total(),
        }
    }

    fn network(&self) -> &dyn NetworkConfig {
        match self {
            Self::Independent(config) => config,
            Self::Joint(config) => config,
        }
    }
}

impl<'de> Deserialize<'de> for DrumConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let format = value.get("format").and_then(Value::as_u64);
        let config = match format.and_then(|format| u32::try_from(format).ok()) {
            Some(independent::FORMAT) => serde_json::from_value(value).map(Self::Independent),
            Some(joint::FORMAT) => serde_json::from_value(value).map(Self::Joint),
            _ => return Err(D::Error::custom("it has no format that this version knows")),
        };
        config.map_err(D::Error::custom)
    }
}

impl NetworkConfig for DrumConfig {
    fn front_end(&self) -> &LogBandsConfig {
        self.network().front_end()
    }

    fn lead_in_frames(&self) -> usize {
        self.network().lead_in_frames()
    }

    fn delay_frames(&self) -> usize {
        self.network().delay_frames()
    }

    fn step_frames(&self) -> usize {
        self.network().step_frames()
    }

    fn check(&self) -> Result<()> {
        self.network().check()
    }
}
