//! Beats, bars and tempo of a transcription.
//!
//! Beats are found from notes alone: their onsets, drum classes and dynamics are better evidence
//! than a picture of the sound. Dynamic programming follows the pulse from 40 to 300 beats per
//! minute (`path`); the rhythms of bars (`patterns`) decide between its multiples, and where
//! bars begin (`bars`). One tempo for the whole recording is preferred where it explains the
//! hits (`line`); loops and programmed music get it exactly.

mod bars;
mod estimate;
mod grid;
mod hit;
mod line;
mod path;
mod patterns;
mod pulse;
#[cfg(test)]
mod tests;

pub use grid::{BeatGrid, TempoMapKind};
