//! Transcribes drums and pitched instruments: audio in, notes out.

pub mod builtin;
pub mod content;
pub mod drums;
pub mod imported;
pub mod leakage;
pub mod pipeline;
pub mod pitched;
pub mod session;
pub mod session_config;
pub mod source;
pub mod transcriber;

pub use builtin::{Engine, builtin_latency_samples};
pub use imported::{ModelChoice, Published, Unusable, published_latency_samples};
pub use leakage::live::{judged, live_latency_samples};
pub use pipeline::tokens::{LONGEST_LIVE_NOTE_SECONDS, SEGMENT_SECONDS};
pub use session::Session;
pub use session_config::{HOP_FRAMES, LONGEST_NOTE_SECONDS, MIN_HOP_FRAMES, Parts, SessionConfig};
pub use source::Source;
pub use transcriber::{Transcription, transcribe_file, transcribe_samples};
