//! Numbers of notes by instrument.

use std::collections::BTreeMap;
use std::fmt;

use hitscribe_core::{DrumClass, Note};
use serde::Serialize;

/// General MIDI's families of eight programs.
const FAMILIES: [&str; 16] = [
    "piano",
    "chromatic percussion",
    "organ",
    "guitar",
    "bass",
    "strings",
    "ensemble",
    "brass",
    "reed",
    "pipe",
    "synth lead",
    "synth pad",
    "synth effects",
    "ethnic",
    "percussive",
    "sound effects",
];

/// One instrument of a transcription.
#[derive(Debug, PartialEq, Serialize)]
pub struct Instrument {
    /// Program; 0 for drums.
    pub program: u8,
    /// Whether this is the drums.
    pub is_drum: bool,
    /// Name of the General MIDI family.
    pub name: &'static str,
    /// Number of notes.
    pub notes: usize,
    /// Share of all notes, 0..=1.
    pub share: f64,
}

impl fmt::Display for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (notes, percent) = (self.notes, self.share * 100.0);
        match self.is_drum {
            true => write!(f, "drums: {notes} notes ({percent:.1} %)"),
            false => write!(
                f,
                "program {} ({}): {notes} notes ({percent:.1} %)",
                self.program, self.name
            ),
        }
    }
}

/// The instruments, those with most notes first.
pub fn breakdown(notes: &[Note]) -> Vec<Instrument> {
    let mut counts: BTreeMap<(bool, u8), usize> = BTreeMap::new();
    for note in notes {
        *counts
            .entry((note.is_drum, if note.is_drum { 0 } else { note.program }))
            .or_default() += 1;
    }
    let mut instruments: Vec<Instrument> = counts
        .into_iter()
        .map(|((is_drum, program), count)| Instrument {
            program,
            is_drum,
            name: if is_drum {
                "drums"
            } else {
                FAMILIES
                    .get(usize::from(program / 8))
                    .copied()
                    .unwrap_or("voice")
            },
            notes: count,
            share: count as f64 / notes.len() as f64,
        })
        .collect();
    instruments.sort_by(|a, b| {
        b.notes
            .cmp(&a.notes)
            .then((a.is_drum, a.program).cmp(&(b.is_drum, b.program)))
    });
    instruments
}

/// Numbers of drum notes by key.
pub fn drum_keys(notes: &[Note]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for note in notes.iter().filter(|n| n.is_drum) {
        let name = DrumClass::from_gm_note(note.pitch).map_or("other", DrumClass::label);
        *counts.entry(format!("{} {name}", note.pitch)).or_default() += 1;
    }
    counts
}
