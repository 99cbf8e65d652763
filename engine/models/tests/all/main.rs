//! The public interface, as one test program. `hostile.rs` counts allocations and is its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "gpu")]
mod gpu;
mod parity;
mod parity_drums;
mod parity_joint;
mod parity_pitched;
mod self_made;
