//! The device to compute on: the user's choice in the project, or the environment variable.

use hitscribe_models::device::DeviceChoice;

use crate::params::choices::DeviceParam;

/// Environment variable that selects the device: `auto` (the default), `cpu` or `cuda:N`.
pub const DEVICE_VARIABLE: &str = "HITSCRIBE_DEVICE";

/// The device of the parameter. If that is Auto, the one of [`DEVICE_VARIABLE`].
pub fn device_choice(param: DeviceParam) -> DeviceChoice {
    let from_environment = || std::env::var(DEVICE_VARIABLE).ok()?.parse().ok();
    param.choice().or_else(from_environment).unwrap_or_default()
}
