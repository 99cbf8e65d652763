//! From the user's choice to a device that works.

use hitscribe_core::error::{Error, Result};

#[cfg(feature = "gpu")]
use crate::device::adapters;
use crate::device::choice::{Device, DeviceChoice, GpuChoice, Selected};
#[cfg(feature = "cuda")]
use crate::device::{cuda, search::Search};

/// Environment variable that forbids all GPUs; their drivers are not even loaded then.
pub const NO_GPU_VARIABLE: &str = "HITSCRIBE_NO_GPU";

/// Why a GPU is not used.
#[derive(Debug)]
struct Refusal {
    reason: String,
    /// Whether there is a GPU, which does not work.
    gpu_failed: bool,
}

type Attempt = std::result::Result<Device, Refusal>;

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self {
            reason,
            gpu_failed: false,
        }
    }
}

/// Turns the user's choice into a device that works: a GPU has been opened, and has computed
/// something correctly. Never panics, whatever is installed.
///
/// [`DeviceChoice::Auto`] is the choice for imported models; see [`DeviceChoice::for_builtin`]. Its
/// first fallback to the CPU is logged.
///
/// # Errors
/// [`Error::Device`] if the choice is a GPU that does not work.
pub fn select(choice: &DeviceChoice) -> Result<Selected> {
    match attempt(choice) {
        Ok(device) => Ok(Selected::chosen(device)),
        Err(refusal) if *choice == DeviceChoice::Auto => {
            static LOGGED: std::sync::Once = std::sync::Once::new();
            LOGGED.call_once(|| log::info!("running on the CPU: {}", refusal.reason));
            Ok(Selected {
                fallback_reason: Some(refusal.reason),
                gpu_failed: refusal.gpu_failed,
                ..Selected::chosen(Device::Cpu)
            })
        }
        Err(refusal) => Err(Error::Device {
            device: choice.to_string(),
            reason: refusal.reason,
        }),
    }
}

/// Why GPUs are forbidden; none if they are not.
pub(super) fn forbidden() -> Option<String> {
    let value = std::env::var_os(NO_GPU_VARIABLE)?;
    let is_set = !value.is_empty() && value != "0";
    is_set.then(|| format!("the environment variable {NO_GPU_VARIABLE} forbids GPUs"))
}

fn attempt(choice: &DeviceChoice) -> Attempt {
    if *choice == DeviceChoice::Cpu {
        return Ok(Device::Cpu);
    }
    if let Some(reason) = forbidden() {
        return Err(reason.into());
    }
    let name = match choice {
        DeviceChoice::Cuda(index) => return cuda_gpu(|found, _| found == *index),
        DeviceChoice::Gpu(GpuChoice::Number(number)) => {
            return adapter(|found, _, _| found == *number);
        }
        DeviceChoice::Gpu(GpuChoice::Named(name)) => Some(name),
        _ => None,
    };
    let cuda = match cuda_gpu(|_, found| name.is_none_or(|name| name == found)) {
        Err(refusal) => refusal,
        device => return device,
    };
    let is_wanted = |_, found: &str, is_software: bool| match name {
        Some(name) => name == found,
        None => !is_software,
    };
    let other = match adapter(is_wanted) {
        Err(refusal) => refusal,
        device => return device,
    };
    Err(Refusal {
        gpu_failed: cuda.gpu_failed || other.gpu_failed,
        reason: format!("{}; {}", cuda.reason, other.reason),
    })
}

/// The first of the CUDA devices, by index and name, that is wanted and works.
#[cfg(feature = "cuda")]
fn cuda_gpu(is_wanted: impl Fn(usize, &str) -> bool) -> Attempt {
    let gpus = cuda::find(&cuda::Places::of_this_machine(), &mut Search::default())
        .map_err(|reason| format!("CUDA: {reason}"))?;
    let count = gpus.len();
    let wanted = gpus
        .into_iter()
        .filter(|gpu| is_wanted(gpu.index, &gpu.name));
    first_working(
        wanted.map(|gpu| {
            let device = Device::Cuda { index: gpu.index };
            (gpu.name, gpu.refusal.map_or(Ok(device), Err))
        }),
        || match count {
            1 => "CUDA: this machine has one CUDA device, cuda:0".to_owned(),
            _ => format!("CUDA: this machine has {count} CUDA devices, numbered from 0"),
        },
    )
}

#[cfg(not(feature = "cuda"))]
fn cuda_gpu(_is_wanted: impl Fn(usize, &str) -> bool) -> Attempt {
    let reason = "CUDA: this build has no CUDA support; build with `--features cuda` to get it";
    Err(reason.to_owned().into())
}

/// The first of the adapters, by number, name and whether it is software, that is wanted and works.
#[cfg(feature = "gpu")]
fn adapter(is_wanted: impl Fn(usize, &str, bool) -> bool) -> Attempt {
    let interfaces = adapters::interfaces();
    let list = adapters::list()?;
    let wanted = list
        .iter()
        .enumerate()
        .filter(|(number, found)| is_wanted(*number, &found.name, found.is_software));
    first_working(
        wanted.map(|(number, found)| {
            let name = format!("{} ({})", found.name, found.api);
            (name, adapters::open(number))
        }),
        || {
            let hardware = list.iter().filter(|found| !found.is_software).count();
            match (hardware, list.len()) {
                (0, count) => format!(
                    "{interfaces} finds no GPU, only {count} in software, chosen by number alone"
                ),
                (_, count) => format!("{interfaces} finds {count} adapters, none of them this one"),
            }
        },
    )
}

#[cfg(not(feature = "gpu"))]
fn adapter(_is_wanted: impl Fn(usize, &str, bool) -> bool) -> Attempt {
    let reason = "this build has no Vulkan, Metal and DirectX; build with `--features gpu` to get \
                  them";
    Err(reason.to_owned().into())
}

/// The first device that computes correctly; the refusals of all if none does.
#[cfg(any(feature = "cuda", feature = "gpu"))]
fn first_working(
    devices: impl Iterator<Item = (String, std::result::Result<Device, String>)>,
    none: impl Fn() -> String,
) -> Attempt {
    let mut refusals = Vec::new();
    for (name, device) in devices {
        match device.and_then(|device| super::trial::passes(device).map(|()| device)) {
            Ok(device) => return Ok(device),
            Err(reason) => refusals.push(format!("{name}: {reason}")),
        }
    }
    match refusals.is_empty() {
        true => Err(none().into()),
        false => Err(Refusal {
            reason: refusals.join("; "),
            gpu_failed: true,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_always_found_and_a_missing_gpu_is_an_error() {
        assert_eq!(select(&DeviceChoice::Cpu).unwrap().device, Device::Cpu);
        let auto = select(&DeviceChoice::Auto).unwrap();
        assert_eq!(auto.device == Device::Cpu, auto.fallback_reason.is_some());
        let named = |name: &str| DeviceChoice::Gpu(GpuChoice::Named(name.to_owned()));
        for choice in [
            DeviceChoice::Cuda(4096),
            DeviceChoice::Gpu(GpuChoice::Number(4096)),
            named("Voodoo 3"),
        ] {
            let error = select(&choice).unwrap_err().to_string();
            assert!(error.starts_with(&format!("device {choice}: ")), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
