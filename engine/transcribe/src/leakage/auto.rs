//! The automatic filter of the MT3-PyTorch adapter (mt3-infer): rules on the shares of instrument
//! families.

use std::fmt;

use hitscribe_core::Note;
use serde::Serialize;

/// Number of notes by family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InstrumentCounts {
    /// All notes.
    pub total: usize,
    /// Drum notes.
    pub drum: usize,
    /// Bass: programs 32 to 39.
    pub bass: usize,
    /// Chromatic percussion: programs 8 to 15.
    pub chromatic: usize,
}

/// Whether a note belongs to General MIDI's chromatic percussion (programs 8 to 15, from celesta to
/// dulcimer).
pub(super) fn is_chromatic(note: &Note) -> bool {
    !note.is_drum && (8..=15).contains(&note.program)
}

impl InstrumentCounts {
    /// Counts `notes`.
    pub fn of(notes: &[Note]) -> Self {
        let count = |of: &dyn Fn(&Note) -> bool| notes.iter().filter(|n| of(n)).count();
        Self {
            total: notes.len(),
            drum: count(&|n| n.is_drum),
            bass: count(&|n| !n.is_drum && (32..=39).contains(&n.program)),
            chromatic: count(&is_chromatic),
        }
    }
}

/// A rule that applies, with the share that it depends on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoRule {
    /// There are drums, and more than 20 % bass: only drums stay.
    DrumsWithBass {
        /// Share of bass notes.
        share: f64,
    },
    /// There are drums, and more than 50 % chromatic percussion: only drums stay.
    DrumsWithChromatic {
        /// Share of chromatic percussion.
        share: f64,
    },
    /// More than 60 % drums: only drums stay.
    MostlyDrums {
        /// Share of drum notes.
        share: f64,
    },
    /// More than 70 % chromatic percussion: every pitched note becomes a drum note of the same key.
    MostlyChromatic {
        /// Share of chromatic percussion.
        share: f64,
    },
}

impl fmt::Display for AutoRule {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (what, share, limit) = match self {
            Self::DrumsWithBass { share } => ("drums beside bass", share, 20),
            Self::DrumsWithChromatic { share } => ("drums beside chromatic percussion", share, 50),
            Self::MostlyDrums { share } => ("mostly drums", share, 60),
            Self::MostlyChromatic { share } => ("mostly chromatic percussion", share, 70),
        };
        write!(
            f,
            "auto: {what}, {:.0} % of the notes (more than {limit} %)",
            share * 100.0
        )
    }
}

/// The rule that applies to these counts, if any. All comparisons are strict.
pub fn auto_rule(counts: &InstrumentCounts) -> Option<AutoRule> {
    if counts.total == 0 {
        return None;
    }
    let share = |count: usize| count as f64 / counts.total as f64;
    let (drum, bass, chromatic) = (
        share(counts.drum),
        share(counts.bass),
        share(counts.chromatic),
    );
    if counts.drum > 0 && bass > 0.2 {
        Some(AutoRule::DrumsWithBass { share: bass })
    } else if counts.drum > 0 && chromatic > 0.5 {
        Some(AutoRule::DrumsWithChromatic { share: chromatic })
    } else if drum > 0.6 {
        Some(AutoRule::MostlyDrums { share: drum })
    } else if chromatic > 0.7 {
        Some(AutoRule::MostlyChromatic { share: chromatic })
    } else {
        None
    }
}
