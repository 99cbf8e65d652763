//! One engine for the whole process, one session for each source that listens.
//!
//! ```
//! use hitscribe_engine::device::DeviceChoice;
//! use hitscribe_engine::stream::{Engine, SessionConfig};
//!
//! let engine = Engine::builtin(DeviceChoice::Cpu)?;
//! let mut session = engine.session(&SessionConfig::new(44_100))?;
//! let mut notes = Vec::new();
//! for block in vec![0.0f32; 100_000].chunks(512) {
//!     session.push(block);
//!     while session.is_ready() {
//!         engine.run(&mut [&mut session])?;
//!     }
//!     session.take_notes(&mut notes);
//! }
//! session.finish();
//! while session.is_ready() {
//!     engine.run(&mut [&mut session])?;
//! }
//! session.take_notes(&mut notes);
//! # assert!(notes.is_empty());
//! # Ok::<(), hitscribe_engine::Error>(())
//! ```
//!
//! There are no threads in these and nothing waits: who drives decides where [`Engine::run`] runs. A
//! [`Published`] model has sessions of the same kind. [`Hub`] drives both for live sources.
//!
//! Notes depend on the samples alone, not on how they are cut into blocks, not on when the engine
//! runs and, on the CPU, not on the other sessions: the frames of a passage are computed in steps on
//! a grid that belongs to the source's timeline.

mod client;
mod drum_ear;
mod engine;
mod engine_thread;
mod hub;
mod leakage;
mod message;
mod model_thread;
mod offline;
mod pitched_ear;
mod published;
mod reader;
mod ring;
mod session;
mod shelf;
mod source;
mod token_ear;

pub use engine::{
    Engine, HOP_FRAMES, LONGEST_NOTE_SECONDS, MIN_HOP_FRAMES, Parts, SessionConfig,
    builtin_latency_samples,
};
pub use hub::{EngineStatus, Hub, Phase};
pub use leakage::{judged, live_latency_samples};
pub use message::{HostTime, Listening, LiveNote, PortCounters};
pub use offline::{Transcription, transcribe_file, transcribe_samples};
pub use published::{ModelChoice, Published, Unusable, published_latency_samples};
pub use ring::CapturePort;
pub use session::Session;
pub use shelf::{ModelPhase, ModelStatus};
pub use source::Source;
pub use token_ear::{LONGEST_LIVE_NOTE_SECONDS, SEGMENT_SECONDS};
