//! Scores of a set of recordings: drums, pitched notes, leakage and false drums.

use std::collections::{BTreeMap, BTreeSet};

use hitscribe_core::Note;
use serde::Serialize;

use crate::drums::{
    DrumScores, DrumTrack, Grouping, Hit, Timing, class_counts, hits_by_class, score_drums,
};
use crate::notes::{Offsets, match_notes};
use crate::scores::{Counts, ONSET_TOLERANCE_SECONDS, Scored, Scores};
use crate::statistics::{mean, median};

/// The contents of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordingKind {
    /// Only drums: every pitched note is leakage.
    Drums,
    /// No drums: every drum note is false.
    NoDrums,
    /// Annotated pitched instruments.
    Pitched,
    /// Drums and pitched instruments.
    Mixed,
}

/// A recording, its reference and its transcription.
#[derive(Clone, Debug)]
pub struct ScoredTrack {
    /// Name in reports, such as `set/track`.
    pub name: String,
    /// Contents.
    pub kind: RecordingKind,
    /// Length in seconds.
    pub duration_seconds: f64,
    /// Annotated hits; empty if drums are not annotated.
    pub reference_hits: Vec<Hit>,
    /// Annotated pitched notes; empty if they are not annotated.
    pub reference_notes: Vec<Note>,
    /// The transcription, drums and pitched notes.
    pub estimate: Vec<Note>,
}

/// Pitched notes in transcriptions of drum recordings.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Leakage {
    /// Pitched notes.
    pub non_drum: usize,
    /// All notes.
    pub total: usize,
    /// `non_drum / total`; 0 without notes.
    pub fraction: f64,
    /// The fraction for each recording.
    pub tracks: BTreeMap<String, f64>,
}

/// Drum notes in transcriptions of recordings without drums.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FalseDrums {
    /// Drum notes.
    pub drum: usize,
    /// All notes.
    pub total: usize,
    /// `drum / total`; 0 without notes.
    pub fraction: f64,
    /// Drum notes per minute of audio.
    pub per_minute: f64,
    /// The counts for each recording.
    pub tracks: BTreeMap<String, FalseDrumCounts>,
}

/// Counts for one recording.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct FalseDrumCounts {
    /// Drum notes.
    pub drum: usize,
    /// All notes.
    pub total: usize,
}

/// Scores by the name of the metric, for one recording or for summed counts.
pub type PitchedMetrics = BTreeMap<&'static str, Scored>;

/// Onset scores after removing the median onset error of the transcription.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct AlignedCounts {
    /// The scores.
    #[serde(flatten)]
    pub scored: Scored,
    /// The error that was subtracted from the estimated onsets, in milliseconds.
    pub removed_ms: f64,
}

/// Pitched scores of one recording.
#[derive(Clone, Debug, Serialize)]
pub struct PitchedTrack {
    /// `onset`, `onoff`, `multi_full`, `multi_family` (and `_off`), and `drum` if drums are
    /// annotated.
    #[serde(flatten)]
    pub metrics: PitchedMetrics,
    /// Onset scores without a constant onset error.
    pub onset_al: AlignedCounts,
    /// Fraction of drum notes in the transcription.
    pub drum_any: f64,
}

/// Scores of all recordings with annotated pitched notes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PitchedScores {
    /// By recording.
    pub tracks: BTreeMap<String, PitchedTrack>,
    /// Mean over recordings, by metric.
    pub mean: BTreeMap<&'static str, Scores>,
    /// Scores of summed counts, by metric.
    pub micro: PitchedMetrics,
    /// Mean over recordings of the fraction of drum notes.
    pub drum_any: f64,
    /// Onset errors of matched notes.
    pub timing_ms: Timing,
}

/// All scores of a set. A part is `None` if no recording is suitable for it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SetScores {
    /// Drum scores of recordings with annotated drums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<DrumScores>,
    /// Leakage in recordings with only drums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leakage: Option<Leakage>,
    /// False drums in recordings without drums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub false_drums: Option<FalseDrums>,
    /// Pitched scores of recordings with annotated pitched notes.
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

/// Counts if the instrument must match too. The drums are one more instrument, with the counts of
/// the grouping of five.
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

/// Larger onset errors are not considered for the constant error.
const MAX_CONSTANT_ERROR_SECONDS: f64 = 0.15;
/// Pairs needed for estimating the constant error.
const MIN_CONSTANT_ERROR_PAIRS: usize = 8;

/// Median onset error of the estimate, from the nearest onsets of the same key within 150 ms; 0
/// with too few pairs.
fn constant_error_seconds(reference: &[Note], estimate: &[Note]) -> f64 {
    let mut errors = Vec::new();
    for wanted in reference {
        let nearest = estimate
            .iter()
            .filter(|e| e.pitch == wanted.pitch)
            .map(|e| e.onset_seconds - wanted.onset_seconds)
            .min_by(|a, b| a.abs().total_cmp(&b.abs()));
        errors.extend(nearest.filter(|d| d.abs() < MAX_CONSTANT_ERROR_SECONDS));
    }
    if errors.len() < MIN_CONSTANT_ERROR_PAIRS {
        0.0
    } else {
        median(&errors).unwrap_or_default()
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
        drums += class_counts(wanted, found, ONSET_TOLERANCE_SECONDS);
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
    let removed = constant_error_seconds(reference, &notes);
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
        let scores = Scores::mean(all.iter().map(|s| &s.scores));
        let mut total = Counts::default();
        all.iter().for_each(|s| total += s.counts);
        result.mean.insert(name, scores);
        result.micro.insert(name, total.scored());
    }
    result
}
