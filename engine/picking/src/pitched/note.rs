//! What the pickers of notes share.

/// Logits by which sensitivity 0 raises and sensitivity 1 lowers the threshold of an onset.
pub(super) const SENSITIVITY_LOGITS: f32 = 3.0;

/// A note in frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PickedNote {
    /// Index of the key in the model's outputs.
    pub key: usize,
    /// Start in frames from the start of the passage, never negative.
    pub onset_frames: f64,
    /// End in frames, after the start.
    pub end_frames: f64,
    /// Velocity, 0..=1.
    pub velocity: f32,
    /// The model's probability of the onset, 0..=1.
    pub confidence: f32,
    /// Index of the family of its instrument, if it was asked for.
    pub family: Option<usize>,
}

pub(super) fn logit(probability: f32) -> f32 {
    let p = probability.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
