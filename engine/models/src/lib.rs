//! The networks of Hitscribe on any device. The only crate that knows `burn`.
//!
//! - [`frame`]: [`DrumNet`] and [`PitchNet`], the built-in networks, which run frame by frame.
//! - [`generate`]: [`TokenModel`], published models of the MT3 family, which decode tokens.
//! - [`device`]: the choice between CPU and GPU, and what happens when a GPU fails.
//!
//! No public type names a backend, so that crates that use this one compile no code of the
//! networks.

#![deny(unsafe_code)]

#[allow(unsafe_code)] // Vector instructions.
mod compact;
pub mod device;
pub mod frame;
pub mod generate;

mod mt3_family;

pub use compact::Precision;
pub use frame::{DrumNet, PitchNet};
pub use generate::TokenModel;
pub use mt3_family::hyperparameters::{Hyperparameters, MemoryVariant};
pub use mt3_family::load::LoadReport;

#[cfg(test)]
mod tests;
mod windows;
