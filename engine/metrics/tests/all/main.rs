//! Integration tests of the crate, as one program.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod drum_metrics;
mod note_metrics;
