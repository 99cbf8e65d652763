//! Scores of a set of recordings: drums, pitched notes, leakage, false drums.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::drums::{class_counts, hits_by_class};
use crate::notes::{Offsets, match_notes};
use crate::statistics::{mean, median};
use crate::{Counts, DrumScores, DrumTrack, Grouping, Hit, Scored, Scores, Timing, score_drums};
use hitscribe_core::Note;

/// What a recording contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordingKind {
    /// Drums only: every pitched note has leaked.
    Drums,
    /// No drums at all: every drum note is false.
    NoDrums,
    /// Pitched instruments, annotated.
    Pitched,
    /// Drums and pitched instruments.
    Mixed,
}

/// A recording with its reference and its transcription.
#[derive(Clone, Debug)]
pub struct ScoredTrack {
    /// Name in reports, such as `set/track`.
    pub name: String,
    /// What it contains.
    pub kind: RecordingKind,
    /// Length in seconds.
    pub duration_seconds: f64,
    /// Annotated hits; empty where drums are not annotated.
    pub reference_hits: Vec<Hit>,
    /// Annotated pitched notes; empty where they are not annotated.
    pub reference_notes: Vec<Note>,
    /// The transcription, drums and pitched notes.
    pub estimate: Vec<Note>,
}

/// Pitched notes found in recordings of drums.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Leakage {
    /// Notes that are not drums.
    pub non_drum: usize,
    /// All notes.
    pub total: usize,
    /// Share of the first in the second.
    pub fraction: f64,
    /// The same share of each recording.
    pub tracks: BTreeMap<String, f64>,
}

/// Drum notes found in recordings without drums.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FalseDrums {
    /// Drum notes.
    pub drum: usize,
    /// All notes.
    pub total: usize,
    /// Share of the first in the second.
    pub fraction: f64,
    /// Drum notes in a minute of audio.
    pub per_minute: f64,
    /// Drum notes and all notes of each recording.
    pub tracks: BTreeMap<String, FalseDrumCounts>,
}

/// Counts of one recording.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct FalseDrumCounts {
    /// Drum notes.
    pub drum: usize,
    /// All notes.
    pub total: usize,
}

/// Pitched scores of one recording, or micro scores of many.
pub type PitchedMetrics = BTreeMap<&'static str, Scored>;

/// Onset scores after the median offset between the two sides has been removed.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct AlignedCounts {
    /// The scores.
    #[serde(flatten)]
    pub scored: Scored,
    /// What was removed from the estimated onsets, in milliseconds.
    pub removed_ms: f64,
}

/// One recording.
#[derive(Clone, Debug, Serialize)]
pub struct PitchedTrack {
    /// `onset`, `onoff`, `multi_full`, `multi_family` (and `_off`), and `drum` where there are annotated drums.
    #[serde(flatten)]
    pub metrics: PitchedMetrics,
    /// Onset scores without a constant offset.
    pub onset_al: AlignedCounts,
    /// Share of drum notes in the transcription.
    pub drum_any: f64,
}

/// All recordings with annotated pitched notes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PitchedScores {
    /// By recording.
    pub tracks: BTreeMap<String, PitchedTrack>,
    /// Mean over recordings.
    pub mean: BTreeMap<&'static str, Scores>,
    /// Over summed counts.
    pub micro: PitchedMetrics,
    /// Mean share of drum notes.
    pub drum_any: f64,
    /// Onset errors of matched notes.
    pub timing_ms: Timing,
}

/// Everything that can be said about a set; parts without material are None.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SetScores {
    /// Recordings with annotated drums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<DrumScores>,
    /// Recordings of drums only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leakage: Option<Leakage>,
    /// Recordings without drums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_drums: Option<FalseDrums>,
    /// Recordings with annotated pitched notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pitched: Option<PitchedScores>,
}

/// Scores a set of recordings.
pub fn score_set(tracks: &[ScoredTrack]) -> SetScores {
    let drums: Vec<DrumTrack> = tracks
        .iter()
        .filter(|t| !t.reference_hits.is_empty())
        .map(|t| DrumTrack {
            name: t.name.clone(),
            reference: t.reference_hits.clone(),
            estimate: t
                .estimate
                .iter()
                .filter(|n| n.is_drum)
                .map(Hit::from)
                .collect(),
        })
        .collect();
    let of_kind = |kind| {
        tracks
            .iter()
            .filter(move |t| t.kind == kind)
            .collect::<Vec<_>>()
    };
    let (only_drums, without) = (
        of_kind(RecordingKind::Drums),
        of_kind(RecordingKind::NoDrums),
    );
    let pitched: Vec<&ScoredTrack> = tracks
        .iter()
        .filter(|t| !t.reference_notes.is_empty())
        .collect();
    SetScores {
        scores: (!drums.is_empty()).then(|| score_drums(&drums)),
        leakage: (!only_drums.is_empty()).then(|| leakage(&only_drums)),
        false_drums: (!without.is_empty()).then(|| false_drums(&without)),
        pitched: (!pitched.is_empty()).then(|| pitched_scores(&pitched)),
    }
}

fn drum_count(track: &ScoredTrack) -> usize {
    track.estimate.iter().filter(|n| n.is_drum).count()
}

fn fraction(part: usize, total: usize) -> f64 {
    part as f64 / total.max(1) as f64
}

fn leakage(tracks: &[&ScoredTrack]) -> Leakage {
    let mut result = Leakage::default();
    for track in tracks {
        let total = track.estimate.len();
        let non_drum = total - drum_count(track);
        result.non_drum += non_drum;
        result.total += total;
        result
            .tracks
            .insert(track.name.clone(), fraction(non_drum, total));
    }
    result.fraction = fraction(result.non_drum, result.total);
    result
}

fn false_drums(tracks: &[&ScoredTrack]) -> FalseDrums {
    let mut result = FalseDrums::default();
    let mut seconds = 0.0;
    for track in tracks {
        let counts = FalseDrumCounts {
            drum: drum_count(track),
            total: track.estimate.len(),
        };
        result.drum += counts.drum;
        result.total += counts.total;
        seconds += track.duration_seconds;
        result.tracks.insert(track.name.clone(), counts);
    }
    result.fraction = fraction(result.drum, result.total);
    result.per_minute = if seconds > 0.0 {
        60.0 * result.drum as f64 / seconds
    } else {
        0.0
    };
    result
}

fn matched(reference: &[Note], estimate: &[Note], offsets: Offsets) -> Counts {
    Counts {
        matched: match_notes(reference, estimate, offsets).len(),
        estimated: estimate.len(),
        reference: reference.len(),
    }
}

/// A note must have the right instrument; the drums are one more instrument, matched by class of five.
fn multi(
    reference: &[Note],
    estimate: &[Note],
    drums: Counts,
    key: fn(&Note) -> u8,
    offsets: Offsets,
) -> Counts {
    let keys: BTreeSet<u8> = reference.iter().chain(estimate).map(key).collect();
    let mut counts = drums;
    for k in keys {
        let of_key = |notes: &[Note]| -> Vec<Note> {
            notes.iter().copied().filter(|n| key(n) == k).collect()
        };
        counts += matched(&of_key(reference), &of_key(estimate), offsets);
    }
    counts
}

/// Onsets further apart than this say nothing about a constant offset.
const OFFSET_SEARCH_SECONDS: f64 = 0.15;
const OFFSET_MINIMUM_PAIRS: usize = 8;

/// Median offset of the estimate against the reference: nearest onset of the same key within 150 ms; 0 of few pairs.
fn own_offset_seconds(reference: &[Note], estimate: &[Note]) -> f64 {
    let mut offsets = Vec::new();
    for wanted in reference {
        let nearest = estimate
            .iter()
            .filter(|e| e.pitch == wanted.pitch)
            .map(|e| e.onset_seconds - wanted.onset_seconds)
            .min_by(|a, b| a.abs().total_cmp(&b.abs()));
        offsets.extend(nearest.filter(|d| d.abs() < OFFSET_SEARCH_SECONDS));
    }
    if offsets.len() < OFFSET_MINIMUM_PAIRS {
        0.0
    } else {
        median(&offsets).unwrap_or_default()
    }
}

fn pitched_track(track: &ScoredTrack, errors: &mut Vec<f64>) -> PitchedTrack {
    let reference = &track.reference_notes;
    let mut notes: Vec<Note> = track
        .estimate
        .iter()
        .copied()
        .filter(|n| !n.is_drum)
        .collect();
    notes.sort_by(|a, b| {
        let times = a
            .onset_seconds
            .total_cmp(&b.onset_seconds)
            .then(a.offset_seconds.total_cmp(&b.offset_seconds));
        times.then((a.pitch, a.program).cmp(&(b.pitch, b.program)))
    });
    let hits: Vec<Hit> = track
        .estimate
        .iter()
        .filter(|n| n.is_drum)
        .map(Hit::from)
        .collect();
    let (wanted, found) = (
        hits_by_class(&track.reference_hits, Grouping::Five),
        hits_by_class(&hits, Grouping::Five),
    );
    let mut drums = Counts::default();
    for (wanted, found) in wanted.iter().zip(&found) {
        drums += class_counts(wanted, found, super::ONSET_TOLERANCE_SECONDS);
    }
    let program = |n: &Note| n.program;
    let family = |n: &Note| n.program / 8;
    let mut metrics: PitchedMetrics = [
        ("onset", matched(reference, &notes, Offsets::Ignore)),
        ("onoff", matched(reference, &notes, Offsets::Compare)),
        (
            "multi_full",
            multi(reference, &notes, drums, program, Offsets::Ignore),
        ),
        (
            "multi_full_off",
            multi(reference, &notes, drums, program, Offsets::Compare),
        ),
        (
            "multi_family",
            multi(reference, &notes, drums, family, Offsets::Ignore),
        ),
        (
            "multi_family_off",
            multi(reference, &notes, drums, family, Offsets::Compare),
        ),
    ]
    .map(|(name, counts)| (name, counts.scored()))
    .into();
    if !track.reference_hits.is_empty() {
        metrics.insert("drum", drums.scored());
    }
    let removed = own_offset_seconds(reference, &notes);
    let aligned: Vec<Note> = notes
        .iter()
        .map(|n| Note {
            onset_seconds: (n.onset_seconds - removed).max(0.0),
            ..*n
        })
        .collect();
    for (r, e) in match_notes(reference, &notes, Offsets::Ignore) {
        errors.push(notes[e].onset_seconds - reference[r].onset_seconds);
    }
    PitchedTrack {
        metrics,
        onset_al: AlignedCounts {
            scored: matched(reference, &aligned, Offsets::Ignore).scored(),
            removed_ms: removed * 1e3,
        },
        drum_any: fraction(hits.len(), track.estimate.len()),
    }
}

fn pitched_scores(tracks: &[&ScoredTrack]) -> PitchedScores {
    let mut errors = Vec::new();
    let per_track: BTreeMap<String, PitchedTrack> = tracks
        .iter()
        .map(|t| (t.name.clone(), pitched_track(t, &mut errors)))
        .collect();
    let mut collected: BTreeMap<&'static str, Vec<Scored>> = BTreeMap::new();
    for track in per_track.values() {
        track
            .metrics
            .iter()
            .for_each(|(name, scored)| collected.entry(name).or_default().push(*scored));
        collected
            .entry("onset_al")
            .or_default()
            .push(track.onset_al.scored);
    }
    let mut result = PitchedScores {
        drum_any: mean(&per_track.values().map(|t| t.drum_any).collect::<Vec<_>>()),
        timing_ms: Timing::of_seconds(&errors),
        tracks: per_track,
        ..PitchedScores::default()
    };
    for (name, all) in collected {
        let mean_of = |value: fn(&Scores) -> f64| {
            mean(&all.iter().map(|s| value(&s.scores)).collect::<Vec<_>>())
        };
        let scores = Scores {
            precision: mean_of(|s| s.precision),
            recall: mean_of(|s| s.recall),
            f1: mean_of(|s| s.f1),
        };
        let mut total = Counts::default();
        all.iter().for_each(|s| total += s.counts);
        result.mean.insert(name, scores);
        result.micro.insert(name, total.scored());
    }
    result
}
