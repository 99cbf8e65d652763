//! What plays along and must not be transcribed as drums.

mod amplifier;
pub mod band;
pub mod excerpt;
mod fingers;
mod fonts;
mod riffs;
pub mod solo;
pub mod songs;
mod tone;
mod touch;
pub mod voice;
