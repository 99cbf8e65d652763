//! Shared by the tests of several crates: golden files, comparisons, and random numbers.
//!
//! Only ever a dev-dependency. Its functions panic where a test should fail.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

pub mod golden;
pub mod midi;
pub mod notes;
pub mod random;
pub mod tensors;
