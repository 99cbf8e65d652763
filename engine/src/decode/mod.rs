//! Autoregressive decoding: caches, constraints, confidences.

pub mod greedy;
pub mod source;
