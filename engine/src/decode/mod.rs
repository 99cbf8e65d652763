//! Autoregressive decoding: caches, constraints, confidences.

pub mod constraint;
pub mod greedy;
mod network;
mod segment;
pub mod source;
mod trace;
mod transcriber;

pub use network::{Family, TokenOptions};
pub use segment::{SegmentForm, SegmentJob, family_of};
pub use trace::{NamedTensor, NamedValues, TraceRequest};
pub use transcriber::{Heard, LoadOptions, Transcriber};
