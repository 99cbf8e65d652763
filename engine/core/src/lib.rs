//! What every other crate of Hitscribe builds on: notes, audio files, features, tokens, MIDI files and
//! checkpoints. No network, no DAW, no GUI.
//!
//! Modules use only those before them in this order: [`error`], [`atomic_file`], [`drum_class`], [`note`],
//! [`audio`], [`features`], [`tokens`], [`midi`], [`checkpoint`], [`model_store`].

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
