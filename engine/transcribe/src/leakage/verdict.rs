//! Verdicts of the leakage filter, and what becomes of the notes.

use std::fmt;

use hitscribe_core::Note;
use serde::Serialize;

use crate::leakage::auto::AutoRule;
use crate::leakage::evidence::Evidence;

/// Why a note is removed or changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A rule of [`super::Strategy::Auto`] applies to the file or window.
    Auto(AutoRule),
    /// It is not a drum.
    NotADrum,
    /// Its key is one of a drum kit.
    KitKey,
    /// Its confidence is below the threshold.
    LowConfidence,
    /// It belongs to chromatic percussion.
    ChromaticPercussion,
    /// The evidence suggests a drum hit.
    Evidence(Evidence),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto(rule) => rule.fmt(f),
            Self::NotADrum => f.write_str("not a drum"),
            Self::KitKey => f.write_str("a key of the drum kit"),
            Self::LowConfidence => f.write_str("confidence below the threshold"),
            Self::ChromaticPercussion => f.write_str("chromatic percussion"),
            Self::Evidence(evidence) => evidence.fmt(f),
        }
    }
}

/// The decision about a note.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It stays as it is.
    Keep,
    /// It is removed.
    Remove(Reason),
    /// It becomes a drum note.
    Remap {
        /// Percussion key of the drum note.
        key: u8,
        /// Why.
        reason: Reason,
    },
}

impl Verdict {
    /// The note after the decision; none if it is removed.
    pub fn apply(self, note: &Note) -> Option<Note> {
        match self {
            Self::Keep => Some(*note),
            Self::Remove(_) => None,
            Self::Remap { key, .. } => Some(Note {
                pitch: key,
                is_drum: true,
                program: 0,
                ..*note
            }),
        }
    }
}

/// The notes after their verdicts.
pub fn apply(notes: &[Note], verdicts: &[Verdict]) -> Vec<Note> {
    notes
        .iter()
        .zip(verdicts)
        .filter_map(|(note, verdict)| verdict.apply(note))
        .collect()
}
