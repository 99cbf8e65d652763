//! The tokens of one segment and their probabilities.

/// The ids that a network generated for one segment of audio.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SegmentTokens {
    /// Start of the segment in seconds from the start of the audio.
    pub start_seconds: f64,
    /// Model ids without the start id.
    pub ids: Vec<i32>,
    /// Probability 0..=1 of each id when it was generated. May be shorter than `ids`; missing
    /// probabilities count as 1.
    pub probabilities: Vec<f32>,
}

impl SegmentTokens {
    /// Ids without probabilities, which then count as 1.
    pub fn certain(start_seconds: f64, ids: Vec<i32>) -> Self {
        Self {
            start_seconds,
            ids,
            probabilities: Vec::new(),
        }
    }

    /// Probability 0..=1 of the id at `index`.
    pub fn probability(&self, index: usize) -> f32 {
        self.probabilities.get(index).copied().unwrap_or(1.0)
    }
}

/// Probabilities of the state tokens that apply to the next note. A state token is emitted once and
/// counts for every note that follows, until the next token of its kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StateProbability {
    pub(super) shift: f32,
    pub(super) program: f32,
    pub(super) velocity: f32,
}

impl StateProbability {
    pub(super) const CERTAIN: Self = Self {
        shift: 1.0,
        program: 1.0,
        velocity: 1.0,
    };

    /// Joint probability of a pitched onset whose pitch token has `pitch_probability`.
    pub(super) fn pitched(self, pitch_probability: f32) -> f32 {
        self.shift * self.program * self.velocity * pitch_probability
    }

    /// Joint probability of a drum hit whose drum token has `drum_probability`.
    pub(super) fn drum(self, drum_probability: f32) -> f32 {
        self.shift * self.velocity * drum_probability
    }
}
