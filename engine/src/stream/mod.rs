//! Rings, the engine thread, sessions.

mod client;
mod hub;
mod leakage;
mod offline;
mod ring;
mod session;
mod source;

pub use hub::{EngineStatus, Hub, Phase};
pub use leakage::live_latency_samples;
pub use offline::{Transcription, transcribe_file, transcribe_samples};
pub use ring::{CapturePort, HostTime, Listening, LiveNote, PortCounters};
pub use session::{
    Engine, HOP_FRAMES, MIN_HOP_FRAMES, Session, SessionConfig, builtin_latency_samples,
};
pub use source::Source;
