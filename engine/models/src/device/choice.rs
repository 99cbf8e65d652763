//! The devices, and the user's choice of one.

use std::fmt;
use std::str::FromStr;

use hitscribe_core::error::{Error, Result};

/// The device that the user asks for: `auto`, `cpu` or `cuda:N`; `cuda` means `cuda:0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceChoice {
    /// The first GPU if it works, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// This GPU, or an error.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let index = match text {
            "auto" => return Ok(Self::Auto),
            "cpu" => return Ok(Self::Cpu),
            "cuda" => Some(0),
            _ => text.strip_prefix("cuda:").and_then(|n| n.parse().ok()),
        };
        index.map(Self::Cuda).ok_or_else(|| Error::Device {
            device: text.to_owned(),
            reason: "unknown device; use auto, cpu or cuda:N".to_owned(),
        })
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// A device that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU.
    #[cfg(feature = "cuda")]
    Cuda {
        /// Index in the CUDA driver's order, from 0.
        index: usize,
    },
    /// A GPU for unit tests: the CPU's backend behind everything that guards a GPU.
    #[cfg(test)]
    TestGpu,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            #[cfg(feature = "cuda")]
            Self::Cuda { index } => write!(f, "cuda:{index}"),
            #[cfg(test)]
            Self::TestGpu => f.write_str("test"),
        }
    }
}

/// The device in use, and why it is the CPU where a GPU was possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The device.
    pub device: Device,
    /// Why it is the CPU although the choice was not [`DeviceChoice::Cpu`]; one line.
    pub fallback_reason: Option<String>,
    /// Whether that reason is a GPU that was found and then failed.
    pub(super) gpu_failed: bool,
}

impl Selected {
    /// Why a GPU that was found is not used. A machine without a GPU is `None`: that is no failure.
    pub fn gpu_failure(&self) -> Option<String> {
        self.fallback_reason.clone().filter(|_| self.gpu_failed)
    }

    pub(super) fn chosen(device: Device) -> Self {
        Self {
            device,
            fallback_reason: None,
            gpu_failed: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_parse_and_print() {
        for text in ["auto", "cpu", "cuda:0", "cuda:3"] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        assert_eq!(
            "cuda".parse::<DeviceChoice>().unwrap(),
            DeviceChoice::Cuda(0)
        );
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:x"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
        }
    }
}
