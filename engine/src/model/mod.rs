//! Networks and their weights.

pub mod advice;
pub mod builtin;
pub mod catalogue;
pub mod checkpoint;
pub mod config;
mod experts;
pub mod mt3;
pub mod ops;
pub mod perceiver;
pub mod pitched;
pub mod pre_encoder;
pub mod streaming;
pub mod t5;
pub mod weights_file;
pub mod yourmt3;
