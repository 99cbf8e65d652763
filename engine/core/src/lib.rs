//! Foundation of Hitscribe's crates: notes, audio files, features, token streams, MIDI files and
//! checkpoints. No neural networks, no DAW, no GUI.
//!
//! Modules depend only on modules before them in this order: [`error`], [`atomic_file`],
//! `drum_class`, [`note`], [`audio`], [`features`], [`tokens`], [`midi`], [`checkpoint`],
//! [`model_store`].
//!
//! All types are plain data or own their buffers. Functions may run on any thread; none of them is
//! real-time safe unless its documentation says so.

#![forbid(unsafe_code)]

pub mod atomic_file;
pub mod audio;
pub mod checkpoint;
mod drum_class;
pub mod error;
pub mod features;
pub mod midi;
pub mod model_store;
pub mod note;
pub mod tokens;

pub use drum_class::DrumClass;
pub use error::Error;
pub use note::Note;
