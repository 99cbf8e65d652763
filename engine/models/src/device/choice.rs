//! The devices, and the user's choice of one.

use std::fmt;
use std::str::FromStr;

use hitscribe_core::error::{Error, Result};

/// The device that the user asks for: `auto`, `cpu`, `cuda:N`, `gpu`, `gpu:N` or `gpu:NAME`;
/// `cuda` means `cuda:0`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceChoice {
    /// For imported models the best GPU that works, else the CPU; the CPU for the built-in
    /// networks, which gain nothing from a GPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// This NVIDIA GPU through CUDA, or an error.
    Cuda(usize),
    /// A GPU, or an error.
    Gpu(GpuChoice),
}

/// Which GPU.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GpuChoice {
    /// The best: CUDA where it works, else the first adapter that is not software.
    Best,
    /// The adapter of this number in `hitscribe devices`, which can be software.
    Number(usize),
    /// The GPU of this name: through CUDA where that works, else the first adapter so called. What
    /// projects store, since numbers differ from one computer to another.
    Named(String),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let choice = match text.split_once(':') {
            None => match text {
                "auto" => Some(Self::Auto),
                "cpu" => Some(Self::Cpu),
                "cuda" => Some(Self::Cuda(0)),
                "gpu" => Some(Self::Gpu(GpuChoice::Best)),
                _ => None,
            },
            Some(("cuda", number)) => number.parse().ok().map(Self::Cuda),
            Some(("gpu", which)) => match which.trim().parse() {
                Ok(number) => Some(Self::Gpu(GpuChoice::Number(number))),
                Err(_) => Self::named(which),
            },
            Some(_) => None,
        };
        choice.ok_or_else(|| Error::Device {
            device: text.to_owned(),
            reason: "unknown device; use auto, cpu, cuda:N or gpu:N (`hitscribe devices` lists \
                     them)"
                .to_owned(),
        })
    }
}

impl DeviceChoice {
    /// The GPU of this name; none for an empty name.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim();
        (!name.is_empty()).then(|| Self::Gpu(GpuChoice::Named(name.to_owned())))
    }

    /// What is asked of the built-in networks, which gain nothing from a GPU.
    pub fn for_builtin(&self) -> Self {
        match self {
            Self::Auto => Self::Cpu,
            other => other.clone(),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Gpu(GpuChoice::Best) => f.write_str("gpu"),
            Self::Gpu(GpuChoice::Number(number)) => write!(f, "gpu:{number}"),
            Self::Gpu(GpuChoice::Named(name)) => write!(f, "gpu:{name}"),
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
    /// An adapter of wgpu.
    #[cfg(feature = "gpu")]
    Gpu {
        /// Its number in the list of adapters, from 0.
        number: usize,
        /// Which opening of an adapter this is: after a loss an adapter is opened again.
        opening: usize,
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
            #[cfg(feature = "gpu")]
            Self::Gpu { number, .. } => write!(f, "gpu:{number}"),
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
        for text in [
            "auto",
            "cpu",
            "cuda:0",
            "cuda:3",
            "gpu",
            "gpu:1",
            "gpu:Radeon RX 7600 (RADV NAVI33)",
        ] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        assert_eq!(
            "cuda".parse::<DeviceChoice>().unwrap(),
            DeviceChoice::Cuda(0)
        );
        for text in ["", "gpu:", "gpu: ", "cuda:", "cuda:-1", "cuda:x", "vulkan"] {
            assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_built_in_networks_stay_on_the_cpu_unless_a_gpu_is_named() {
        assert_eq!(DeviceChoice::Auto.for_builtin(), DeviceChoice::Cpu);
        let gpu = DeviceChoice::Gpu(GpuChoice::Number(0));
        assert_eq!(gpu.for_builtin(), gpu);
    }
}
