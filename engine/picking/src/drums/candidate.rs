//! Candidates: what may be a hit, with all the evidence that decides about it. They do not depend
//! on the sensitivity, which selects among them ([`super::selection`]), at any time.

use hitscribe_core::DrumClass;
use hitscribe_core::note::{DRUM_NOTE_SECONDS, PlacedNote};

use crate::drums::selection::Decision;

const CLASSES: usize = DrumClass::ALL.len();

/// Logits by which sensitivity 0 raises and sensitivity 1 lowers the calibrated thresholds.
pub const SENSITIVITY_LOGITS: f32 = 3.0;

/// Candidates this many logits below the calibrated thresholds are kept for later changes of the
/// sensitivity, apart from what loudness can add: as far as overall sensitivity 1 reaches.
pub const KEPT_BELOW_LOGITS: f32 = SENSITIVITY_LOGITS;

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

impl Sensitivity {
    /// Within its limits; NaN gives the default.
    pub fn limited(&self) -> Self {
        let limited = |value: f32, low: f32, high: f32| {
            if value.is_nan() {
                (low + high) / 2.0
            } else {
                value.clamp(low, high)
            }
        };
        Self {
            overall: limited(self.overall, 0.0, 1.0),
            by_class: self.by_class.map(|trim| limited(trim, -0.5, 0.5)),
        }
    }

    /// Logits that the overall sensitivity adds.
    pub(crate) fn overall_logits(&self) -> f32 {
        (self.overall - 0.5) * 2.0 * SENSITIVITY_LOGITS
    }

    /// Logits that the sensitivity of a class adds; those of no class are not moved.
    pub(crate) fn class_logits(&self, class: Option<DrumClass>) -> f32 {
        let own = class.map_or(0.0, |class| self.by_class[class.index()]);
        own * 2.0 * SENSITIVITY_LOGITS
    }

    /// Largest distance below the calibrated threshold of a class at which a peak can still be a
    /// hit, or beat one that could be.
    pub fn reach_logits(&self, class: Option<DrumClass>) -> f32 {
        let own = self.class_logits(class);
        let least = self.by_class.iter().copied().fold(0.0, f32::min) * 2.0 * SENSITIVITY_LOGITS;
        (own + self.overall_logits()).max(own - least).max(0.0)
    }
}

/// A peak of a network's outputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// The drum; none for a class of the network that is not written.
    pub class: Option<DrumClass>,
    /// Index of the frame.
    pub frame: u64,
    /// The network's probability, 0..=1.
    pub confidence: f32,
    /// Logits above the calibrated threshold.
    pub excess: f32,
    /// The network's own velocity in steps of 1/255; none of a network that has none.
    pub velocity: Option<u8>,
    /// What it competes with.
    pub claim: Claim,
}

/// What a peak competes with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Claim {
    /// Of the independent network: rival classes.
    Rivals,
    /// Of the joint network, a peak of one class: the others of its group.
    Class {
        /// Index of the group.
        group: u8,
        /// Most strokes of the group near the peak.
        strokes: f32,
    },
    /// Of the joint network, a stroke of a group: the classes of the group that claim it. Its
    /// `excess` is that of the group.
    Stroke {
        /// Index of the group.
        group: u8,
    },
}

/// A peak with its place in the network's frames, fractions included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlacedPeak {
    /// The peak.
    pub peak: Peak,
    /// Position in frames, never negative.
    pub position_frames: f64,
}

/// What is measured on the audio where a peak is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Level in the band of the class in dB ([`super::velocity::band_db`]).
    pub band_db: f32,
    /// Peak level of the audio in dB ([`super::velocity::peak_db`]).
    pub peak_db: f32,
    /// How open a hi-hat was ([`super::hihat_openness`]).
    pub openness: Option<u8>,
}

/// A candidate as it is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The peak.
    pub peak: Peak,
    /// Onset in samples of the source.
    pub onset_samples: u64,
    /// What was measured.
    pub measured: Measured,
}

impl Candidate {
    /// The note if it is decided to be a hit.
    pub fn note(&self, decision: &Decision, sample_rate_hz: f64) -> Option<PlacedNote> {
        self.possible_note(decision, sample_rate_hz)
            .filter(|_| decision.is_hit)
    }

    /// The note that it is or would be; none for what is not written.
    pub fn possible_note(&self, decision: &Decision, sample_rate_hz: f64) -> Option<PlacedNote> {
        let length = sample_rate_hz * DRUM_NOTE_SECONDS;
        Some(PlacedNote {
            onset_samples: self.onset_samples,
            length_samples: length.round().max(1.0) as u64,
            pitch: self.peak.class?.gm_note(),
            velocity: decision.velocity,
            program: 0,
            is_drum: true,
            openness: self.measured.openness,
            confidence: self.peak.confidence,
        })
    }
}
