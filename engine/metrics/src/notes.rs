//! Note metrics of MT3 and MR-MT3, which are those of `mir_eval.transcription`: onsets within 50
//! ms, equal keys, maximum matching.

use std::collections::{BTreeMap, BTreeSet};

use hitscribe_core::Note;
use serde::Serialize;

use crate::matching::{Candidates, maximum_matching};
use crate::scores::{Counts, ONSET_TOLERANCE_SECONDS, Scores};

/// Whether offsets are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offsets {
    /// Only onset and key must match.
    Ignore,
    /// Offsets must also differ by at most 50 ms or 20 % of the reference's length, whichever is
    /// more.
    Compare,
}

/// Distances are rounded to this fraction of a second before they are compared, so that 50 ms is
/// within the tolerance.
const ROUNDING: f64 = 1e4;
/// Offset tolerance relative to the length of the reference note.
const OFFSET_RATIO: f64 = 0.2;
const MIN_OFFSET_TOLERANCE_SECONDS: f64 = 0.05;

fn distance_seconds(a: f64, b: f64) -> f64 {
    ((a - b).abs() * ROUNDING).round_ties_even() / ROUNDING
}

/// Matches notes one to one. Returns (index in `reference`, index in `estimate`), sorted by
/// reference.
///
/// Programs and drum flags are ignored: if they matter, match each group of notes separately.
pub fn match_notes(reference: &[Note], estimate: &[Note], offsets: Offsets) -> Vec<(usize, usize)> {
    let mut by_onset: Vec<usize> = (0..estimate.len()).collect();
    by_onset.sort_by(|&a, &b| {
        estimate[a]
            .onset_seconds
            .total_cmp(&estimate[b].onset_seconds)
    });
    let mut graph: Vec<Candidates> = Vec::new();
    let mut position = vec![None; estimate.len()];
    for (r, wanted) in reference.iter().enumerate() {
        // Slightly wider than the tolerance; `is_match` decides.
        let reach = ONSET_TOLERANCE_SECONDS + 1.0 / ROUNDING;
        let first =
            by_onset.partition_point(|&e| estimate[e].onset_seconds < wanted.onset_seconds - reach);
        let end = by_onset
            .partition_point(|&e| estimate[e].onset_seconds <= wanted.onset_seconds + reach);
        let mut near: Vec<usize> = by_onset[first..end]
            .iter()
            .copied()
            .filter(|&e| is_match(wanted, &estimate[e], offsets))
            .collect();
        near.sort_unstable();
        for e in near {
            let at = *position[e].get_or_insert_with(|| {
                graph.push(Candidates {
                    estimate: e,
                    references: Vec::new(),
                });
                graph.len() - 1
            });
            graph[at].references.push(r);
        }
    }
    maximum_matching(&graph, reference.len())
}

fn is_match(wanted: &Note, found: &Note, offsets: Offsets) -> bool {
    if wanted.pitch != found.pitch
        || distance_seconds(wanted.onset_seconds, found.onset_seconds) > ONSET_TOLERANCE_SECONDS
    {
        return false;
    }
    let length = (wanted.offset_seconds - wanted.onset_seconds).abs();
    offsets == Offsets::Ignore
        || distance_seconds(wanted.offset_seconds, found.offset_seconds)
            <= (OFFSET_RATIO * length).max(MIN_OFFSET_TOLERANCE_SECONDS)
}

/// Scores of a pair of note lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct NoteScores {
    /// Matched, estimated and reference notes.
    #[serde(flatten)]
    pub counts: Counts,
    /// Precision, recall, F1; all 0 if a side is empty.
    #[serde(flatten)]
    pub scores: Scores,
    /// Mean over matched pairs of the common duration divided by the spanned duration; 0 without
    /// pairs.
    pub average_overlap: f64,
}

/// Scores that ignore the instrument. As in `mir_eval`, notes without length are left out.
pub fn note_scores(reference: &[Note], estimate: &[Note], offsets: Offsets) -> NoteScores {
    let sounding = |notes: &[Note]| -> Vec<Note> {
        notes
            .iter()
            .copied()
            .filter(|n| n.offset_seconds > n.onset_seconds)
            .collect()
    };
    let (reference, estimate) = (sounding(reference), sounding(estimate));
    let pairs = match_notes(&reference, &estimate, offsets);
    let overlap = |&(r, e): &(usize, usize)| {
        let (a, b) = (&reference[r], &estimate[e]);
        let common = a.offset_seconds.min(b.offset_seconds) - a.onset_seconds.max(b.onset_seconds);
        common / (a.offset_seconds.max(b.offset_seconds) - a.onset_seconds.min(b.onset_seconds))
    };
    let counts = Counts {
        matched: pairs.len(),
        estimated: estimate.len(),
        reference: reference.len(),
    };
    let average_overlap = if pairs.is_empty() {
        0.0
    } else {
        pairs.iter().map(overlap).sum::<f64>() / pairs.len() as f64
    };
    NoteScores {
        counts,
        scores: counts.scores_or_zero(),
        average_overlap,
    }
}

/// Granularity of instruments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// Drums, and everything else.
    Flat,
    /// Families of eight programs.
    MidiClass,
    /// Single programs.
    Full,
}

impl Granularity {
    /// The group that a note belongs to.
    pub fn group(self, note: &Note) -> InstrumentGroup {
        let program = match self {
            Self::Flat => u8::from(note.is_drum),
            Self::MidiClass => note.program / 8 * 8,
            Self::Full => note.program,
        };
        InstrumentGroup {
            program,
            is_drum: note.is_drum,
        }
    }
}

/// A group of notes that count as one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct InstrumentGroup {
    /// First program of the group; for [`Granularity::Flat`] 0, or 1 for drums.
    pub program: u8,
    /// Whether these are drums.
    pub is_drum: bool,
}

/// Onset scores in which the instrument must match too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MultiInstrumentScores {
    /// Precision weighted by estimated notes, recall weighted by reference notes, and their F1.
    pub scores: Scores,
    /// Scores of every group that occurs on either side.
    pub per_group: BTreeMap<InstrumentGroup, Scores>,
}

/// MT3's multi-instrument onset scores ("MT3: multi-task multitrack music transcription",
/// arXiv:2111.03017). Offsets are ignored.
pub fn multi_instrument_scores(
    reference: &[Note],
    estimate: &[Note],
    granularity: Granularity,
) -> MultiInstrumentScores {
    let of_group = |notes: &[Note], group| -> Vec<Note> {
        notes
            .iter()
            .copied()
            .filter(|n| granularity.group(n) == group)
            .collect()
    };
    let groups: BTreeSet<_> = reference
        .iter()
        .chain(estimate)
        .map(|n| granularity.group(n))
        .collect();
    let mut result = MultiInstrumentScores::default();
    let mut total = Counts::default();
    for group in groups {
        let (wanted, found) = (of_group(reference, group), of_group(estimate, group));
        let matched = match_notes(&wanted, &found, Offsets::Ignore).len();
        let counts = Counts {
            matched,
            estimated: found.len(),
            reference: wanted.len(),
        };
        result.per_group.insert(group, counts.scores_or_zero());
        total += counts;
    }
    let ratio = |of: usize| {
        if of == 0 {
            0.0
        } else {
            total.matched as f64 / of as f64
        }
    };
    result.scores = Scores::new(ratio(total.estimated), ratio(total.reference));
    result
}
