//! Rings, the engine thread, sessions.

mod offline;
mod ring;
mod session;
mod source;

pub use offline::{Transcription, transcribe_file, transcribe_samples};
pub use ring::{CapturePort, HostTime, Listening, LiveNote, PortCounters};
pub use session::{Engine, HOP_FRAMES, MIN_HOP_FRAMES, Session, SessionConfig};
pub use source::Source;
