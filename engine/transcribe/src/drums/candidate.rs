//! Candidates of peak picking, and the sensitivity that decides about them.

use hitscribe_core::DrumClass;

const CLASSES: usize = DrumClass::ALL.len();

/// How much is a hit: from 0 (only certain hits) to 1 (every suspicion); 0.5 is what the model was
/// tuned for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sensitivity {
    /// For all classes.
    pub overall: f32,
    /// Added to it for single classes, by their index: -0.5 to 0.5. More of a class may cost its
    /// rivals hits, since one stroke is one hit.
    pub by_class: [f32; CLASSES],
}

impl Default for Sensitivity {
    fn default() -> Self {
        Self::from(0.5)
    }
}

impl From<f32> for Sensitivity {
    fn from(overall: f32) -> Self {
        Self {
            overall,
            by_class: [0.0; CLASSES],
        }
    }
}

/// What may be a hit, before it has a place in the audio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pick {
    /// What was struck.
    pub class: DrumClass,
    /// When, in frames from the start of the passage, never negative.
    pub position_frames: f64,
    /// Probability 0..=1 that the model gives to it.
    pub confidence: f32,
    /// Logits above the calibrated threshold of its class.
    pub calibrated_excess: f32,
    /// Logits above the threshold as the sensitivity moves it; not below minus
    /// [`super::loudness_gate::most_help`] unless the calibrated one is above that.
    pub excess: f32,
}
