//! The bundle in a headless host.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod control;
mod host_faults;
mod life;
mod old_state;
mod render;
mod start;
mod state;
#[cfg(target_os = "linux")]
mod window;
