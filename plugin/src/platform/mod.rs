//! Code for each operating system.

pub mod drag;
