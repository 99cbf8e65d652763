//! The tests of the crate from outside, as one program.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod content;
mod leakage;
mod pitched_notes;
mod pitched_session;
mod published_session;
mod small_mt3;
