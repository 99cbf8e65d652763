//! The tests of the engine from outside, one program: each of its own would compile and link the networks
//! again. What counts allocations is its own.

mod common;
mod mt3_family;

mod advice;
mod audio_files;
mod builtin_parity;
mod drum_metrics;
mod leakage;
mod model_store;
mod note_metrics;
mod parity_frontend;
mod parity_mt3;
mod parity_mt3_tokens;
mod parity_yourmt3;
mod parity_yourmt3_tokens;
mod pitched_parity;
mod pitched_session;
mod published_session;
mod self_made;
