//! Scores of a transcription against a reference.
//!
//! Two families, both with maximum one-to-one matching:
//! - [`note_scores`], [`multi_instrument_scores`] and [`instrument_scores`] are the note metrics of
//!   MT3 and MR-MT3: those of `mir_eval.transcription` with an onset tolerance of 50 ms.
//! - [`score_drums`] scores hits by drum class, in groupings of 3, 5 and 8 classes, at tolerances
//!   of 50, 30 and 20 ms, with timing and dynamics.
//!
//! [`score_set`] applies them to a list of recordings. The crate only computes on lists of notes:
//! it reads no files and no audio, and has no state.

#![forbid(unsafe_code)]

mod beats;
mod drums;
mod instruments;
mod matching;
mod notes;
mod scores;
mod set;
mod statistics;

pub use beats::{BeatScores, beat_scores};
pub use drums::{
    DrumScores, DrumTrack, Grouping, GroupingScores, Hit, Timing, hits_by_class, score_drums,
};
pub use instruments::{InstrumentKey, InstrumentScores, instrument_scores};
pub use notes::{
    Granularity, InstrumentGroup, MultiInstrumentScores, NoteScores, Offsets, match_notes,
    multi_instrument_scores, note_scores,
};
pub use scores::{Counts, ONSET_TOLERANCE_SECONDS, Scored, Scores};
pub use set::{
    AlignedCounts, FalseDrums, Leakage, PitchedScores, PitchedTrack, RecordingKind, ScoredTrack,
    SetScores, score_set,
};
