//! The tests of the crate from outside, as one program: each of its own would link the networks again. What counts
//! allocations is its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod parity;
mod parity_drums;
mod parity_mt3;
mod parity_pitched;
mod parity_yourmt3;
mod self_made;
