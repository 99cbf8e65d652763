//! The tests of the crate from outside, as one program.

mod drum_metrics;
mod note_metrics;
