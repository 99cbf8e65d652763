//! The policy for a GPU that fails: the CPU takes over, once, and stays.
//!
//! This module loads models. A GPU that fails while a model runs is replaced by the owner of the
//! model, which has to load it again and decides what becomes of the audio:
//!
//! - `hitscribe::Transcriber` (`transcribe/src/transcriber.rs`): with [`DeviceChoice::Auto`] it
//!   loads its models on the CPU and transcribes the recording again from the start.
//! - `ByContent` (`transcribe/src/loading.rs`): an imported model that is loaded later goes to the
//!   CPU at once if another has failed on the GPU.
//! - `hitscribe_live`, built-in models (`live/src/engine_thread.rs`): sessions start again on the
//!   CPU, and a second failure ends the service until the user asks for another device.
//! - `hitscribe_live`, imported models (`live/src/model_worker.rs`): the same batch is decoded on
//!   the CPU.

use hitscribe_core::error::{Error, Result};

use crate::device::choice::{Device, DeviceChoice, Selected};
use crate::device::select::select;

/// Loads a model with `load` on the device of choice. With [`DeviceChoice::Auto`] a GPU that fails
/// is replaced by the CPU; [`Selected`] has the reason.
///
/// # Errors
/// Those of [`select`] and `load`. [`Error::Device`] only if the choice is a GPU by number, or if
/// the CPU fails.
pub fn load<T>(
    choice: &DeviceChoice,
    load: impl FnMut(Device) -> Result<T>,
) -> Result<(T, Selected)> {
    let selected = select(choice)?;
    load_selected(selected, *choice == DeviceChoice::Auto, load)
}

/// Loads a model with `load` on `device`, or on the CPU if that device fails.
///
/// # Errors
/// Those of `load`.
pub fn load_on<T>(device: Device, load: impl FnMut(Device) -> Result<T>) -> Result<(T, Selected)> {
    load_selected(Selected::chosen(device), true, load)
}

fn load_selected<T>(
    selected: Selected,
    may_fall_back: bool,
    mut load: impl FnMut(Device) -> Result<T>,
) -> Result<(T, Selected)> {
    match load(selected.device) {
        Err(Error::Device { reason, .. }) if may_fall_back && selected.device != Device::Cpu => {
            log::warn!("{} failed, using the CPU: {reason}", selected.device);
            let fallback = Selected {
                fallback_reason: Some(reason),
                gpu_failed: true,
                ..Selected::chosen(Device::Cpu)
            };
            Ok((load(Device::Cpu)?, fallback))
        }
        outcome => Ok((outcome?, selected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails_on_gpu(device: Device) -> Result<Device> {
        match device {
            Device::Cpu => Ok(device),
            _ => Err(Error::Device {
                device: device.to_string(),
                reason: "gone".to_owned(),
            }),
        }
    }

    #[test]
    fn the_cpu_replaces_a_gpu_that_fails() {
        let (device, selected) = load_on(Device::TestGpu, fails_on_gpu).unwrap();
        assert_eq!((device, selected.device), (Device::Cpu, Device::Cpu));
        assert_eq!(selected.fallback_reason.as_deref(), Some("gone"));
        assert_eq!(selected.gpu_failure().as_deref(), Some("gone"));
        let (device, selected) = load_on(Device::TestGpu, Ok).unwrap();
        assert_eq!(
            (device, selected.device),
            (Device::TestGpu, Device::TestGpu)
        );
        assert_eq!(selected.fallback_reason, None);
    }

    #[test]
    fn a_gpu_by_number_and_other_errors_have_no_replacement() {
        let by_number = Selected::chosen(Device::TestGpu);
        assert!(load_selected(by_number, false, fails_on_gpu).is_err());
        let mut loads = 0;
        let outcome = load_on(Device::TestGpu, |_| {
            loads += 1;
            Err::<(), _>(Error::Model {
                model: "m".to_owned(),
                reason: "damaged".to_owned(),
            })
        });
        assert!(outcome.is_err());
        assert_eq!(loads, 1);
    }
}
