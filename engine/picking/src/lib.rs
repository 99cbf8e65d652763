//! Hits and notes from the outputs of the frame networks.
//!
//! A crate of its own so that a change here is compiled and tested in seconds: it needs the networks'
//! configurations, not the networks.

#![forbid(unsafe_code)]

pub mod drums;
pub mod pitched;
