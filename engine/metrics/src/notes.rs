//! Note metrics of MT3 and MR-MT3 (`mir_eval.transcription`): onset within 50 ms, the same key, maximum matching.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::matching::{Candidates, maximum_matching};
use crate::{Counts, ONSET_TOLERANCE_SECONDS, Scores};
use hitscribe_core::Note;

/// Whether the ends of notes are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offsets {
    /// Only onset and key count.
    Ignore,
    /// The end must also be within 20 % of the reference's length or 50 ms, whichever is more.
    Compare,
}

/// Distances are rounded to this many parts of a second before they are compared, so that exactly 50 ms is inside.
const ROUNDING: f64 = 1e4;
const OFFSET_RATIO: f64 = 0.2;
const OFFSET_MINIMUM_SECONDS: f64 = 0.05;

fn distance_seconds(a: f64, b: f64) -> f64 {
    ((a - b).abs() * ROUNDING).round_ties_even() / ROUNDING
}

/// Pairs (index in `reference`, index in `estimate`) of a maximum matching, sorted by reference.
///
/// Programs and the drum flag are not looked at: group the notes first where they matter.
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
        // A little wider than the tolerance; the rounded distance decides.
        let reach = ONSET_TOLERANCE_SECONDS + 1.0 / ROUNDING;
        let first =
            by_onset.partition_point(|&e| estimate[e].onset_seconds < wanted.onset_seconds - reach);
        let end = by_onset
            .partition_point(|&e| estimate[e].onset_seconds <= wanted.onset_seconds + reach);
        let mut near: Vec<usize> = by_onset[first..end]
            .iter()
            .copied()
            .filter(|&e| is_same(wanted, &estimate[e], offsets))
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

fn is_same(wanted: &Note, found: &Note, offsets: Offsets) -> bool {
    if wanted.pitch != found.pitch
        || distance_seconds(wanted.onset_seconds, found.onset_seconds) > ONSET_TOLERANCE_SECONDS
    {
        return false;
    }
    let length = (wanted.offset_seconds - wanted.onset_seconds).abs();
    offsets == Offsets::Ignore
        || distance_seconds(wanted.offset_seconds, found.offset_seconds)
            <= (OFFSET_RATIO * length).max(OFFSET_MINIMUM_SECONDS)
}

/// Scores of one pair of note lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct NoteScores {
    /// Matched, estimated, reference.
    #[serde(flatten)]
    pub counts: Counts,
    /// Precision, recall, F1; all 0 when a side is empty.
    #[serde(flatten)]
    pub scores: Scores,
    /// Mean over the matched pairs of common duration / spanned duration.
    pub average_overlap: f64,
}

/// Onset (and offset) scores that ignore the instrument. Notes without length are left out, as the references do.
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

/// How finely instruments are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// Drums against everything else.
    Flat,
    /// Families of eight programs.
    MidiClass,
    /// Every program for itself.
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

/// Notes that count as one instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct InstrumentGroup {
    /// First program of the group; for [`Granularity::Flat`] 0, or 1 for drums.
    pub program: u8,
    /// Whether these are drums.
    pub is_drum: bool,
}

/// Onset scores in which a note must also have the right instrument.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MultiInstrumentScores {
    /// Precision weighted by estimated notes, recall by reference notes, F1 of the two.
    pub scores: Scores,
    /// Scores of each group that occurs on either side.
    pub per_group: BTreeMap<InstrumentGroup, Scores>,
}

/// MT3's multi-instrument onset F1 ("MT3: multi-task multitrack music transcription", arXiv:2111.03017), no offsets.
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
