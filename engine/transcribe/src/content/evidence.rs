//! The measurements of a recording.

use serde::Serialize;

const BREADTH_WEIGHT: f32 = 0.5;
const DECAY_WEIGHT_PER_DB: f32 = 0.02;
const MAXIMUM_DECAY_DB: f32 = 15.0;

/// Measurements of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ContentEvidence {
    /// Share of the energy that is percussive, 0..=1.
    pub percussive_share: f32,
    /// Median share of the spectrum that rises at onsets, 0..=1.
    pub onset_breadth: f32,
    /// Median fall of the level within a tenth of a second after onsets, in dB.
    pub decay_db: f32,
    /// Onsets per second.
    pub onsets_per_second: f32,
}

impl ContentEvidence {
    /// How drum-like the recording is.
    pub(super) fn points(&self) -> f32 {
        self.percussive_share
            + BREADTH_WEIGHT * self.onset_breadth
            + DECAY_WEIGHT_PER_DB * self.decay_db.clamp(0.0, MAXIMUM_DECAY_DB)
    }
}
