//! What plays along and must not be transcribed as drums.

pub mod band;
mod riffs;
pub mod solo;
pub mod songs;
mod tone;
mod touch;
pub mod voice;
