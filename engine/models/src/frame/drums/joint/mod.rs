//! The second format: the strokes of a group of classes are counted, and its classes share them.
//!
//! `train/NETWORK.md` specifies it.

pub(super) mod config;
pub(super) mod network;
