//! Autoregressive decoding: caches, constraints, confidences.
