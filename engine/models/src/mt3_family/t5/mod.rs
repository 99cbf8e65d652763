//! The T5 blocks of MT3, MR-MT3 and YourMT3: RMS norms before each layer, attention without scale
//! and relative bias, gated GELU.

mod blocks;
mod decoder;
mod encoder;

pub(crate) use blocks::T5Config;
pub(crate) use decoder::{Decoder, DecoderParts};
pub(crate) use encoder::Encoder;
