//! Synthesis of training data for the built-in model: drum takes as they are recorded, mixed and
//! mastered, with exact labels. Deterministic by seed.

pub mod accompaniment;
pub mod bank;
pub mod chain;
pub mod class;
mod codec;
pub mod dsp;
pub mod grid;
pub mod groove;
pub mod kit;
pub mod labels;
pub mod mixdown;
pub mod noise;
pub mod patterns;
pub mod perform;
pub mod procedural;
pub mod recorded;
pub mod recordings;
pub mod segment;
pub mod smf;
pub mod styles;
mod wav;

/// Everything is rendered at this rate, in Hz: the built-in model's own.
pub const SAMPLE_RATE: u32 = 32_000;
