//! The choice of a device at run time, and what happens when a GPU fails.
//!
//! [`select`] turns a user's [`DeviceChoice`] into a [`Device`] that works; [`search`] says what
//! there is, and why. [`load`] loads a model there and replaces a GPU that fails by the CPU, where
//! the choice allows it. `fallback.rs` lists where a GPU that fails later is replaced.

#[cfg(feature = "gpu")]
#[allow(unsafe_code)] // Asks Vulkan for the memory of an adapter.
mod adapters;
mod backend;
mod choice;
#[cfg(any(feature = "cuda", test))]
#[cfg_attr(not(feature = "cuda"), allow(dead_code))]
#[allow(unsafe_code)] // Calls the C functions of the CUDA driver.
mod cuda;
mod fallback;
mod guarded;
mod search;
mod select;
#[cfg(any(feature = "cuda", feature = "gpu"))]
mod settings;
#[cfg(any(feature = "cuda", feature = "gpu", test))]
mod trial;

#[cfg(test)]
pub(crate) use backend::Cpu;
#[cfg(all(test, feature = "gpu"))]
pub(crate) use backend::Gpu;
pub use backend::has_half_floats;
pub(crate) use backend::{BackendTask, is_cpu};
pub use choice::{Device, DeviceChoice, GpuChoice, Selected};
#[cfg(feature = "cuda")]
pub use cuda::export_cuda_path;
pub use fallback::{load, load_on};
pub use guarded::guarded;
pub use search::{FoundDevice, Search, Step, search};
pub use select::{NO_GPU_VARIABLE, select};

/// Loses a GPU as a driver does that fails: a test of what comes after.
#[cfg(feature = "gpu")]
#[doc(hidden)]
pub fn lose(device: Device) {
    if let Device::Gpu { opening, .. } = device {
        adapters::destroy(opening);
    }
}
