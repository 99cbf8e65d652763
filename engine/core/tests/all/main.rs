//! Integration tests of the crate, as one program.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audio_files;
mod containers;
mod model_store;
mod parity_frontend;
mod parity_mt3_tokens;
mod parity_yourmt3_tokens;
mod wav_bytes;
