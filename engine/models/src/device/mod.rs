//! The choice of a device at run time, and what happens when a GPU fails.
//!
//! [`select`] turns a user's [`DeviceChoice`] into a [`Device`] that works. [`load`] loads a model
//! there and replaces a GPU that fails by the CPU, where the choice allows it. `fallback.rs` lists
//! where a GPU that fails later is replaced.

mod backend;
mod choice;
#[cfg(feature = "cuda")]
#[allow(unsafe_code)] // Calls the C functions of the CUDA driver.
mod cuda;
mod fallback;
mod guarded;
mod select;

#[cfg(test)]
pub(crate) use backend::Cpu;
pub(crate) use backend::{BackendTask, is_cpu};
pub use choice::{Device, DeviceChoice, Selected};
pub use fallback::{load, load_on};
pub use guarded::guarded;
pub use select::select;
