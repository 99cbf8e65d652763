//! Transcribes live sources: audio threads on one side, the models on the other, and a take of what
//! was played.
//!
//! Three threads meet here. An audio thread owns a [`CapturePort`]: it pushes blocks and takes
//! notes without allocating, locking or blocking. The engine thread, one for the whole process
//! ([`SharedEngine`]), runs the models over the ports of all instances. Any other thread, such as a
//! GUI, reads the [`take::Take`] and the status.
//!
//! ```
//! use std::sync::Arc;
//!
//! use hitscribe::{DeviceChoice, SessionConfig};
//! use hitscribe_live::{LiveSettings, SharedEngine, TransportState, take::Take};
//! use parking_lot::Mutex;
//!
//! # fn main() -> Result<(), hitscribe::Error> {
//! let engine = SharedEngine::shared(DeviceChoice::Cpu)?;
//! let take = Arc::new(Mutex::new(Take::default()));
//! let mut port = engine.open(1, SessionConfig::new(48_000), None, take.clone());
//!
//! // On the audio thread, for every block:
//! let mut block = [0.0; 512];
//! port.push(&[&mut block], TransportState::default(), LiveSettings::default());
//! while let Some(marked) = port.next_note_before(port.position_frames()) {
//!     println!("key {} at frame {}", marked.note.pitch, marked.note.onset_samples);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Positions are frames since the port was opened. A note is delivered at the latest when
//! [`PortCounters::settled_frames`] has passed its onset; how far that lags behind is the latency
//! that [`hitscribe::live_latency_samples`] and [`hitscribe::imported_latency_samples`] give, and
//! the time for computing. An offline host waits for it and gets every note.

#![forbid(unsafe_code)]

mod engine_thread;
mod instance;
mod load_meter;
mod messages;
mod model_pool;
mod model_worker;
mod port;
mod shared_engine;
mod status;
pub mod take;
mod take_writer;

pub use messages::{LiveSettings, MarkedNote, PortCounters, TransportState};
pub use port::CapturePort;
pub use shared_engine::SharedEngine;
pub use status::{EngineStatus, ModelPhase, ModelStatus, Phase};
