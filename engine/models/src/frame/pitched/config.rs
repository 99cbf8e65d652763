//! The configuration of either network for pitched notes in its weights file.

use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::LogBandsConfig;
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;

use crate::frame::pitched::harmonic::config as harmonic;
use crate::frame::pitched::harmonic::config::HarmonicConfig;
use crate::frame::pitched::windowed::config as windowed;
use crate::frame::pitched::windowed::config::WindowedConfig;
use crate::frame::weights_file::{NetworkConfig, WeightsFile};

/// A weights file of a network for pitched notes.
pub type PitchWeights<'a> = WeightsFile<'a, PitchConfig>;

/// A network for pitched notes without its tensors: the JSON under `config` in the weights file's
/// metadata.
#[derive(Clone, Debug, PartialEq)]
pub enum PitchConfig {
    /// Format 1.
    Windowed(WindowedConfig),
    /// Format 2.
    Harmonic(HarmonicConfig),
}

impl PitchConfig {
    /// The configuration in a weights file.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Model`] for a damaged file or that of another network.
    pub fn of_weights(bytes: &[u8]) -> Result<Self> {
        Ok(PitchWeights::parse(bytes)?.config)
    }

    /// MIDI key of the lowest key.
    pub fn lowest_key(&self) -> u8 {
        match self {
            Self::Windowed(config) => config.lowest_key,
            Self::Harmonic(config) => config.lowest_key,
        }
    }

    fn network(&self) -> &dyn NetworkConfig {
        match self {
            Self::Windowed(config) => config,
            Self::Harmonic(config) => config,
        }
    }
}

impl<'de> Deserialize<'de> for PitchConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let format = value.get("format").and_then(Value::as_u64);
        let config = match format.and_then(|format| u32::try_from(format).ok()) {
            Some(windowed::FORMAT) => serde_json::from_value(value).map(Self::Windowed),
            Some(harmonic::FORMAT) => serde_json::from_value(value).map(Self::Harmonic),
            _ => return Err(D::Error::custom("it has no format that this version knows")),
        };
        config.map_err(D::Error::custom)
    }
}

impl NetworkConfig for PitchConfig {
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
