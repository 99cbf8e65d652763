//! Counts of matched notes, and precision, recall and F1.

use serde::Serialize;

use crate::statistics::mean;

/// Default onset tolerance in seconds.
pub const ONSET_TOLERANCE_SECONDS: f64 = 0.05;

/// Precision, recall and their harmonic mean, each 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Scores {
    /// Fraction of the estimated notes that match.
    #[serde(rename = "P")]
    pub precision: f64,
    /// Fraction of the reference notes that match.
    #[serde(rename = "R")]
    pub recall: f64,
    /// Harmonic mean of the two; 0 when both are 0.
    #[serde(rename = "F")]
    pub f1: f64,
}

impl Scores {
    /// Precision, recall and their harmonic mean.
    pub fn new(precision: f64, recall: f64) -> Self {
        let sum = precision + recall;
        let f1 = if sum > 0.0 {
            2.0 * precision * recall / sum
        } else {
            0.0
        };
        Self {
            precision,
            recall,
            f1,
        }
    }

    /// The mean of each score; 0 without scores.
    pub(crate) fn mean<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> Self {
        let mean_of = |value: fn(&Self) -> f64| mean(&all.clone().map(value).collect::<Vec<_>>());
        Self {
            precision: mean_of(|s| s.precision),
            recall: mean_of(|s| s.recall),
            f1: mean_of(|s| s.f1),
        }
    }
}

/// Numbers of estimated, reference and matched notes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pairs in the maximum matching.
    #[serde(rename = "tp")]
    pub matched: usize,
    /// Estimated notes: those of the transcription.
    #[serde(rename = "n_est")]
    pub estimated: usize,
    /// Reference notes.
    #[serde(rename = "n_ref")]
    pub reference: usize,
}

impl Counts {
    /// Scores that are 1 if both sides are empty: the convention of drum transcription for a class
    /// that does not occur.
    pub fn scores(self) -> Scores {
        let ratio = |of: usize, other: usize| match (of, other) {
            (0, 0) => 1.0,
            (0, _) => 0.0,
            (of, _) => self.matched as f64 / of as f64,
        };
        Scores::new(
            ratio(self.estimated, self.reference),
            ratio(self.reference, self.estimated),
        )
    }

    /// Scores that are 0 if either side is empty: the convention of `mir_eval`.
    pub fn scores_or_zero(self) -> Scores {
        if self.estimated == 0 || self.reference == 0 {
            return Scores::default();
        }
        self.scores()
    }

    /// These counts with the scores of [`Counts::scores`].
    pub fn scored(self) -> Scored {
        Scored {
            scores: self.scores(),
            counts: self,
        }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.matched += other.matched;
        self.estimated += other.estimated;
        self.reference += other.reference;
    }
}

/// Scores and their counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Scored {
    /// Precision, recall, F.
    #[serde(flatten)]
    pub scores: Scores,
    /// The counts.
    #[serde(flatten)]
    pub counts: Counts,
}
