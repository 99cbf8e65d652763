//! Autoregressive decoding: caches, constraints, confidences.

pub mod constraint;
pub mod greedy;
mod network;
pub mod source;
mod trace;
mod transcriber;

pub use network::{Family, TokenOptions};
pub use trace::{NamedTensor, NamedValues, TraceRequest};
pub use transcriber::{Heard, LoadOptions, Transcriber};
