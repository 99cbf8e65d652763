//! The first format: the bands around ten harmonics of a key are its inputs.
//!
//! Its PyTorch definition is `train/hitscribe_train/pitched/model.py`.

pub(super) mod config;
pub(super) mod network;
