//! The device to compute on: the user's choice in the project, or the environment variable.

use hitscribe_models::device::{DeviceChoice, GpuChoice};

use crate::params::HitscribeParams;
use crate::params::choices::DeviceParam;

/// Environment variable that selects the device: `auto` (the default), `cpu`, `cuda:N` or `gpu:N`.
pub const DEVICE_VARIABLE: &str = "HITSCRIBE_DEVICE";

/// What the project asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedDevice {
    param: DeviceParam,
    /// The name of the GPU; empty for any.
    gpu_name: String,
}

impl RequestedDevice {
    /// What the parameters ask for.
    pub fn of(params: &HitscribeParams) -> Self {
        Self {
            param: params.device.value(),
            gpu_name: params.gpu_name.lock().clone(),
        }
    }

    /// The corresponding choice of the engine; none for Auto.
    pub fn named(&self) -> Option<DeviceChoice> {
        match self.param {
            DeviceParam::Auto => None,
            DeviceParam::Cpu => Some(DeviceChoice::Cpu),
            DeviceParam::Gpu => Some(
                DeviceChoice::named(&self.gpu_name).unwrap_or(DeviceChoice::Gpu(GpuChoice::Best)),
            ),
        }
    }

    /// The choice of the engine. If it is Auto, the one of [`DEVICE_VARIABLE`].
    pub fn choice(&self) -> DeviceChoice {
        let from_environment = || std::env::var(DEVICE_VARIABLE).ok()?.parse().ok();
        self.named().or_else(from_environment).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_asked_for_by_name_and_without_one_the_best() {
        let requested = |param, name: &str| RequestedDevice {
            param,
            gpu_name: name.to_owned(),
        };
        let text = |param, name| requested(param, name).named().map(|c| c.to_string());
        assert_eq!(text(DeviceParam::Auto, "Iris"), None);
        assert_eq!(text(DeviceParam::Cpu, "Iris").as_deref(), Some("cpu"));
        assert_eq!(text(DeviceParam::Gpu, "").as_deref(), Some("gpu"));
        assert_eq!(text(DeviceParam::Gpu, "Iris").as_deref(), Some("gpu:Iris"));
    }
}
