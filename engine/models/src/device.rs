//! Choice of the compute device at run time.
//!
//! Model code is generic over a burn backend `B`. A model that can run on either device is an enum
//! over [`Cpu`] and [`Cuda`], built by matching on [`Selected::device`]:
//!
//! ```ignore
//! let selected = device::select(choice)?;
//! let runner = match &selected.device {
//!     Device::Cpu => Runner::Cpu(Network::<device::Cpu>::load(bytes, &Default::default())?),
//!     #[cfg(feature = "cuda")]
//!     Device::Cuda { index } => device::guarded("cuda", || {
//!         Network::<device::Cuda>::load(bytes, &device::cuda_device(*index)).map(Runner::Cuda)
//!     })??,
//! };
//! ```
//!
//! The CUDA backend panics, in its own worker thread and in the caller, where the driver or the
//! headers of its run-time compiler are missing. So nothing of it is touched before [`select`] has
//! found all of them, and calls into it go through [`guarded`] as the second net.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;

use hitscribe_core::error::{Error, Result};

#[cfg(feature = "cuda")]
mod cuda;

/// The backend on the CPU. Always there.
pub type Cpu = burn::backend::Flex;

/// The backend on NVIDIA GPUs, in 32-bit floats.
///
/// By way of burn's dispatching backend, which is compiled once, in its own crate: the CUDA backend
/// itself is generic to the core, and every change here would compile its kernels again (minutes).
#[cfg(feature = "cuda")]
pub type Cuda = burn::Dispatch;

/// The handle that tensors of the [`Cuda`] backend are made with, for a GPU that [`select`] returned.
#[cfg(feature = "cuda")]
pub fn cuda_device(index: usize) -> burn::tensor::Device<Cuda> {
    burn::DispatchDevice::Cuda(burn::backend::cuda::CudaDevice::new(index))
}

/// What the user asked for: `auto`, `cpu` or `cuda:N` (`cuda` alone is `cuda:0`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceChoice {
    /// The first GPU when one can really be used, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// This GPU or an error.
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
            reason: "not a device; use auto, cpu or cuda:N".to_owned(),
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

/// A device that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// The CPU.
    Cpu,
    /// A GPU by its index.
    #[cfg(feature = "cuda")]
    Cuda {
        /// Index as the CUDA driver counts.
        index: usize,
    },
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            #[cfg(feature = "cuda")]
            Self::Cuda { index } => write!(f, "cuda:{index}"),
        }
    }
}

/// The device in use, and why it is not a GPU if it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The device.
    pub device: Device,
    /// With [`DeviceChoice::Auto`] on the CPU: what kept us from a GPU, in one line.
    pub fallback_reason: Option<String>,
}

/// Turns the user's choice into a device that works. Never panics, whatever is installed.
///
/// The reason for a fallback to the CPU is logged once per process.
///
/// # Errors
/// [`Error::Device`] when a GPU was asked for by number and cannot be used.
pub fn select(choice: DeviceChoice) -> Result<Selected> {
    match choice {
        DeviceChoice::Cpu => Ok(Selected {
            device: Device::Cpu,
            fallback_reason: None,
        }),
        DeviceChoice::Auto => Ok(match usable_gpu(0) {
            Ok(device) => Selected {
                device,
                fallback_reason: None,
            },
            Err(reason) => {
                static LOGGED: std::sync::Once = std::sync::Once::new();
                LOGGED.call_once(|| log::info!("computing on the CPU: {reason}"));
                Selected {
                    device: Device::Cpu,
                    fallback_reason: Some(reason),
                }
            }
        }),
        DeviceChoice::Cuda(index) => usable_gpu(index)
            .map(|device| Selected {
                device,
                fallback_reason: None,
            })
            .map_err(|reason| Error::Device {
                device: choice.to_string(),
                reason,
            }),
    }
}

#[cfg(feature = "cuda")]
fn usable_gpu(index: usize) -> std::result::Result<Device, String> {
    let count = cuda::usable_device_count()?;
    if index < count {
        Ok(Device::Cuda { index })
    } else {
        Err(format!("there are {count} CUDA devices, counted from 0"))
    }
}

#[cfg(not(feature = "cuda"))]
fn usable_gpu(_index: usize) -> std::result::Result<Device, String> {
    Err("this build has no CUDA support".to_owned())
}

/// Runs code that may panic inside a GPU driver and turns the panic into [`Error::Device`].
///
/// After an error the model that was running is in an unknown state and must be dropped.
///
/// # Errors
/// [`Error::Device`] with the panic's message.
pub fn guarded<T>(device: &str, work: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("unknown failure");
        // Driver messages run over many lines; ours have one.
        let reason = message.split_whitespace().collect::<Vec<_>>().join(" ");
        Error::Device {
            device: device.to_owned(),
            reason,
        }
    })
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

    #[test]
    fn a_device_is_always_found_and_a_missing_gpu_is_an_error() {
        assert_eq!(select(DeviceChoice::Cpu).unwrap().device, Device::Cpu);
        let auto = select(DeviceChoice::Auto).unwrap();
        assert_eq!(auto.device == Device::Cpu, auto.fallback_reason.is_some());
        let error = select(DeviceChoice::Cuda(4096)).unwrap_err();
        assert!(
            error.to_string().starts_with("device cuda:4096: "),
            "{error}"
        );
    }

    #[test]
    fn panics_become_errors() {
        let error = guarded("cuda:0", || -> () { panic!("driver\n  gone") }).unwrap_err();
        assert_eq!(error.to_string(), "device cuda:0: driver gone");
    }
}
