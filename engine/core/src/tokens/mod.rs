//! Event vocabularies: tokens to notes and back.
//!
//! [`mt3`] reads what MT3, MT3-PyTorch and MR-MT3 say, [`yourmt3`] what YourMT3 says. Decoding
//! takes whatever a network may say: nonsense is counted, never fatal.

pub mod incremental;
pub mod mt3;
pub mod vocabulary;
pub mod yourmt3;

/// What a decoder said about one segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SegmentTokens {
    /// Start of the segment in seconds from the start of the audio.
    pub start_seconds: f64,
    /// Model ids without the start id.
    pub ids: Vec<i32>,
    /// Probability 0..=1 of each id when it was chosen; may be shorter than `ids`, missing ones
    /// count as 1.
    pub probabilities: Vec<f32>,
}

impl SegmentTokens {
    /// Ids of unknown probability.
    pub fn certain(start_seconds: f64, ids: Vec<i32>) -> Self {
        Self {
            start_seconds,
            ids,
            probabilities: Vec::new(),
        }
    }

    /// Probability of the id at `index`.
    pub fn probability(&self, index: usize) -> f32 {
        self.probabilities.get(index).copied().unwrap_or(1.0)
    }
}

/// Probabilities of the tokens that a note stands on. A token that is said once and holds for
/// several notes counts for each of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StateProbability {
    pub shift: f32,
    pub program: f32,
    pub velocity: f32,
}

impl StateProbability {
    pub(crate) const CERTAIN: Self = Self {
        shift: 1.0,
        program: 1.0,
        velocity: 1.0,
    };

    /// Joint probability of a pitched onset whose pitch token has `pitch_probability`.
    pub(crate) fn pitched(self, pitch_probability: f32) -> f32 {
        self.shift * self.program * self.velocity * pitch_probability
    }

    /// Joint probability of a drum hit whose drum token has `drum_probability`.
    pub(crate) fn drum(self, drum_probability: f32) -> f32 {
        self.shift * self.velocity * drum_probability
    }
}
