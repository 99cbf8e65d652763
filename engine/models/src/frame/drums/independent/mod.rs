//! The first format: each class has its own probability, whatever the others have.

pub(super) mod config;
pub(super) mod network;
