//! Work on threads of its own: transcribing a dropped file, playing the take.

pub mod audition;
pub mod import;
