//! Scores of a transcription against a reference.
//!
//! Two families, both with maximum one-to-one matching:
//! - [`note_scores`], [`multi_instrument_scores`], [`instrument_scores`]: the note metrics of MT3 and MR-MT3, which are
//!   those of `mir_eval.transcription` with an onset tolerance of 50 ms;
//! - [`score_drums`]: hits by drum class in groupings of 3, 5 and 8, at 50, 30 and 20 ms, with timing and dynamics.
//!
//! [`score_set`] puts them together for a list of recordings. Everything here is arithmetic on lists of notes: no
//! files, no audio, no state.

mod drums;
mod instruments;
mod matching;
mod notes;
mod set;
mod statistics;

use serde::Serialize;

pub use drums::{
    DrumScores, DrumTrack, Grouping, GroupingScores, Hit, Timing, TrackCounts, hits_by_class,
    score_drums,
};
pub use instruments::{InstrumentKey, InstrumentScores, instrument_scores};
pub use notes::{
    Granularity, InstrumentGroup, MultiInstrumentScores, NoteScores, Offsets, match_notes,
    multi_instrument_scores, note_scores,
};
pub use set::{
    AlignedCounts, FalseDrums, Leakage, PitchedScores, PitchedTrack, RecordingKind, ScoredTrack,
    SetScores, score_set,
};

/// How far an estimated onset may be from the reference, in seconds, unless a metric says otherwise.
pub const ONSET_TOLERANCE_SECONDS: f64 = 0.05;

/// Precision, recall and their harmonic mean, each 0..=1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Scores {
    /// Share of the estimated notes that are right.
    #[serde(rename = "P")]
    pub precision: f64,
    /// Share of the reference notes that were found.
    #[serde(rename = "R")]
    pub recall: f64,
    /// Harmonic mean of the two; 0 when both are 0.
    #[serde(rename = "F")]
    pub f1: f64,
}

impl Scores {
    /// The scores with their harmonic mean.
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
}

/// How many notes there are on both sides and how many of them belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pairs of the maximum matching.
    #[serde(rename = "tp")]
    pub matched: usize,
    /// Notes of the transcription.
    #[serde(rename = "n_est")]
    pub estimated: usize,
    /// Notes of the reference.
    #[serde(rename = "n_ref")]
    pub reference: usize,
}

impl Counts {
    /// Scores in which nothing against nothing is perfect, as drum transcription counts a class that a song lacks.
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

    /// Scores in which an empty side gives 0, as `mir_eval` defines them.
    pub fn scores_or_zero(self) -> Scores {
        if self.estimated == 0 || self.reference == 0 {
            return Scores::default();
        }
        self.scores()
    }

    /// The counts beside the scores of [`Counts::scores`].
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

/// Scores with the counts that they come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Scored {
    /// Precision, recall, F.
    #[serde(flatten)]
    pub scores: Scores,
    /// The counts.
    #[serde(flatten)]
    pub counts: Counts,
}
