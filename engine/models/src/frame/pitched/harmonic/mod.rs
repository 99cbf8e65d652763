//! The second format: every block compares each key with its harmonics and sub-harmonics.
//!
//! `train/HARMONIC.md` specifies it.

mod block;
pub(super) mod config;
mod memory;
pub(super) mod network;
