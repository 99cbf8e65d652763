//! Transcribes drums and pitched instruments: audio in, notes out.
//!
//! A [`Transcriber`] is a loaded model. It transcribes files and samples:
//!
//! ```
//! use hitscribe::{Transcriber, audio::demo_kit};
//!
//! # fn main() -> Result<(), hitscribe::Error> {
//! let transcriber = Transcriber::builtin()?;
//! let (samples, _) = demo_kit::groove();
//! let song = transcriber.samples(&samples, 2, demo_kit::DEMO_SAMPLE_RATE_HZ)?;
//! for note in &song.notes {
//!     println!("{:.3} s: key {}, velocity {}", note.onset_seconds, note.pitch, note.velocity);
//! }
//! # assert!(song.notes.len() > 20);
//! # Ok(())
//! # }
//! ```
//!
//! [`Transcriber::open`] loads a checkpoint of MT3, MR-MT3 or YourMT3 instead,
//! [`Transcriber::options`] sets what a recording contains, how sensitive the models are, a filter
//! against drum hits that were transcribed as pitched notes, and callbacks:
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! use hitscribe::{Source, Transcriber, leakage::Strategy};
//!
//! # fn main() -> Result<(), hitscribe::Error> {
//! let song = Transcriber::open("mt3.pth")?
//!     .options()
//!     .source(Source::FullMix)
//!     .sensitivity(0.6)
//!     .leakage(Strategy::Smart)
//!     .on_progress(|progress| {
//!         eprintln!("{:.1} s", progress.done_seconds);
//!         ControlFlow::Continue(())
//!     })
//!     .file("song.flac")?;
//! song.write_midi("song.mid")?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Transcriber::session`] transcribes a stream while it comes in, see [`StreamingSession`].
//!
//! # Lifecycle
//! Loading takes a fraction of a second for the built-in models and seconds for a checkpoint: keep
//! the transcriber. It is `Send` and `Sync` and can transcribe several recordings at once, from
//! several threads. Each recording or stream begins afresh: nothing is remembered from one to the
//! next, and the same audio gives the same notes.
//!
//! Nothing here is for an audio thread. The crate `hitscribe-live` connects audio threads with one
//! engine thread that runs the sessions of all of them; it uses [`BuiltinModels`],
//! [`ImportedModel`] and [`Session`] directly.

#![forbid(unsafe_code)]

mod audio_input;
pub mod beats;
pub mod builtin;
pub mod content;
pub mod imported;
mod lead_in;
pub mod leakage;
mod loading;
mod model;
pub mod pipeline;
mod plausibility;
mod request;
pub mod session;
pub mod session_config;
pub mod source;
mod streaming;
mod transcriber;
mod transcription;

pub use hitscribe_core::note::PlacedNote;
pub use hitscribe_core::{DrumClass, Error, Note, audio, midi, model_store};
pub use hitscribe_models::Precision;
pub use hitscribe_models::device::{Device, DeviceChoice, GpuChoice};
pub use hitscribe_models::generate::allowed::AllowedNotes;

pub use beats::{BeatGrid, TempoMapKind};
pub use builtin::{BuiltinModels, builtin_latency_samples};
pub use hitscribe_picking::drums::candidate::Sensitivity;
pub use imported::{ImportedModel, ModelChoice, ModelUnavailable, imported_latency_samples};
pub use leakage::live::{live_latency_samples, mark_leakage};
pub use pipeline::tokens::{LONGEST_LIVE_NOTE_SECONDS, SEGMENT_SECONDS};
pub use request::{AudioBlock, Candidates, Notice, Progress};
pub use session::Session;
pub use session_config::{
    HOP_FRAMES, LIVE_NOTE_SECONDS, LONGEST_NOTE_SECONDS, MIN_HOP_FRAMES, Parts, Programs,
    SessionConfig,
};
pub use source::Source;
pub use streaming::StreamingSession;
pub use transcriber::{Options, Transcriber, TranscriberBuilder};
pub use transcription::{Transcription, Warning};
