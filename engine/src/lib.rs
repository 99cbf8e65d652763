//! Audio in, notes out: the transcription engine of Hitscribe.
//!
//! No DAW, no GUI. The modules stand on each other in this order, each only on those before it:
//! [`audio`] → [`token`] → [`model`] → [`decode`] → [`note`] → [`midi`] → [`stream`].
//! [`error`], [`event`] (the note itself), [`device`] and [`files`] stand below them all.

pub mod audio;
pub mod decode;
pub mod device;
pub mod error;
pub mod event;
pub mod files;
pub mod midi;
pub mod model;
pub mod note;
pub mod stream;
pub mod token;

pub use error::Error;
pub use event::{DrumClass, Note};
