//! Rings, the engine thread, sessions.

mod ring;
mod source;

pub use ring::{CapturePort, HostTime, Listening, LiveNote, PortCounters};
pub use source::Source;
