//! From the user's choice to a device that works.

use hitscribe_core::error::{Error, Result};

use crate::device::choice::{Device, DeviceChoice, Selected};
#[cfg(feature = "cuda")]
use crate::device::cuda;

/// Turns the user's choice into a device that works. Never panics, whatever is installed.
///
/// The first fallback from [`DeviceChoice::Auto`] to the CPU is logged.
///
/// # Errors
/// [`Error::Device`] if the choice is a GPU by number that does not work.
pub fn select(choice: DeviceChoice) -> Result<Selected> {
    let gpu = match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Auto => usable_gpu(0),
        DeviceChoice::Cuda(index) => usable_gpu(index),
    };
    match gpu {
        Ok(device) => Ok(Selected::chosen(device)),
        Err(reason) if choice == DeviceChoice::Auto => {
            static LOGGED: std::sync::Once = std::sync::Once::new();
            LOGGED.call_once(|| log::info!("running on the CPU: {reason}"));
            Ok(Selected {
                fallback_reason: Some(reason),
                ..Selected::chosen(Device::Cpu)
            })
        }
        Err(reason) => Err(Error::Device {
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
        Err(format!(
            "this machine has {count} CUDA devices, numbered from 0"
        ))
    }
}

#[cfg(not(feature = "cuda"))]
fn usable_gpu(_index: usize) -> std::result::Result<Device, String> {
    Err("this build has no CUDA support; build with `--features cuda` to get it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
