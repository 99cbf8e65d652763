//! What the tests of several crates share: golden data and how to compare with them.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::missing_panics_doc,
    clippy::unwrap_used
)]

pub mod golden_notes;
pub mod mt3_family;
