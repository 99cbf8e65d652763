//! Autoregressive decoding: caches, constraints, confidences.

pub mod allowed;
mod family;
pub mod greedy;
mod segment;
pub mod token_mask;
mod token_model;
mod trace;

pub use family::{Family, TokenOptions};
pub use segment::{SegmentForm, SegmentJob, family_of};
pub use token_model::{Heard, LoadOptions, Transcriber};
pub use trace::{NamedTensor, NamedValues, TraceRequest};
