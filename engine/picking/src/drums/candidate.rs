//! Candidates of peak picking, and the sensitivity that selects among them.

use hitscribe_core::DrumClass;

const CLASSES: usize = DrumClass::ALL.len();

/// From 0 (only the surest notes) to 1 (every candidate); the models are calibrated for 0.5.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sensitivity {
    /// For all classes.
    pub overall: f32,
    /// Offset for single drum classes, by their index, -0.5 to 0.5. More hits of a class may mean
    /// fewer of its rivals, since one stroke is one hit.
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

/// A peak of the model's onset curve that may be a hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The drum.
    pub class: DrumClass,
    /// Position in frames from the start of the passage, never negative.
    pub position_frames: f64,
    /// The model's probability, 0..=1.
    pub confidence: f32,
    /// Logits above the calibrated threshold of its class.
    pub calibrated_excess: f32,
    /// Logits above the threshold for the present sensitivity. One of the two is at least minus
    /// [`super::loudness_gate::max_bonus`].
    pub excess: f32,
}
