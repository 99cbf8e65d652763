//! Instruments of a transcription: MR-MT3's instrument leakage ratio and detection scores.

use std::collections::BTreeSet;

use hitscribe_core::Note;
use serde::Serialize;

use crate::scores::{Counts, Scores};

/// What identifies an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstrumentKey {
    /// The program number alone, as in MR-MT3's script: drums count as their program, usually 0
    /// (piano).
    Program,
    /// The program and the drum flag.
    ProgramAndDrum,
}

/// An instrument: its program, and whether it is drums (`false` for [`InstrumentKey::Program`]).
pub type Instrument = (u8, bool);

/// The instruments of both sides and their scores.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InstrumentScores {
    /// Instruments of the transcription.
    pub estimated: BTreeSet<Instrument>,
    /// Instruments of the reference.
    pub reference: BTreeSet<Instrument>,
    /// Number of estimated divided by number of reference instruments; above 1, notes leak into
    /// other instruments. `None` without reference notes.
    pub leakage_ratio: Option<f64>,
    /// Scores of the set of instruments; 0 if none match (MR-MT3's script divides by zero then).
    pub detection: Scores,
}

/// Instrument leakage ratio and instrument detection scores ("MR-MT3", arXiv:2403.10024).
pub fn instrument_scores(
    reference: &[Note],
    estimate: &[Note],
    key: InstrumentKey,
) -> InstrumentScores {
    let instruments = |notes: &[Note]| -> BTreeSet<Instrument> {
        notes
            .iter()
            .map(|n| (n.program, n.is_drum && key == InstrumentKey::ProgramAndDrum))
            .collect()
    };
    let (reference, estimated) = (instruments(reference), instruments(estimate));
    let counts = Counts {
        matched: reference.intersection(&estimated).count(),
        estimated: estimated.len(),
        reference: reference.len(),
    };
    let leakage_ratio =
        (counts.reference > 0).then(|| counts.estimated as f64 / counts.reference as f64);
    InstrumentScores {
        estimated,
        reference,
        leakage_ratio,
        detection: counts.scores_or_zero(),
    }
}
