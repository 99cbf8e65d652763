//! The tests of the crate from outside, as one program.

mod content;
mod leakage;
mod pitched_session;
mod published_session;
