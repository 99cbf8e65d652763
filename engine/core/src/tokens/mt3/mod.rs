//! Tokens of MT3, MT3-PyTorch and MR-MT3.

pub mod decode;
pub mod encode;
