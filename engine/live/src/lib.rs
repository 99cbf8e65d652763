//! Live sources: capture ports, the engine thread that all instances of a process share, the take.

mod engine_thread;
mod instance;
mod messages;
mod model_pool;
mod model_worker;
mod port;
mod shared_engine;
mod status;
pub mod take;
mod take_writer;

pub use messages::{LiveNote, LiveSettings, PortCounters, TransportState};
pub use port::CapturePort;
pub use shared_engine::SharedEngine;
pub use status::{EngineStatus, ModelPhase, ModelStatus, Phase};
