//! Everything that runs on the audio thread, and the background task that rebuilds it.

#[expect(unsafe_code, reason = "a global allocator, and an exported symbol")]
pub mod alloc_guard;
pub mod change_report;
pub mod config;
pub mod delay_line;
pub mod processor;
pub mod rebuild;
pub mod render_detection;
pub mod scheduler;
pub mod transport;
pub mod wait;
