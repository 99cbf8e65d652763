//! Which instruments a transcription claims: MR-MT3's instrument leakage ratio and detection scores.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{Counts, Scores};
use hitscribe_core::Note;

/// What makes two notes the same instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstrumentKey {
    /// The program number alone, as MR-MT3's script has it: drums count as their program, normally 0 (piano).
    Program,
    /// The program and the drum flag, so that drums are not a piano.
    ProgramAndDrum,
}

/// An instrument: its program and, where the key asks for it, whether it is drums.
pub type Instrument = (u8, bool);

/// The instruments of both sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InstrumentScores {
    /// Instruments of the transcription.
    pub estimated: BTreeSet<Instrument>,
    /// Instruments of the reference.
    pub reference: BTreeSet<Instrument>,
    /// Estimated / reference instruments; 1 is right, more means notes leak. None without reference notes.
    pub leakage_ratio: Option<f64>,
    /// Scores of the set of instruments; 0 where nothing agrees (the reference script divides by zero there).
    pub detection: Scores,
}

/// Instrument leakage ratio ("MR-MT3", arXiv:2403.10024) and instrument detection.
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
