//! Drum transcription scores by class, timing and dynamics.
//!
//! Groupings: 3 and 5 as ADTOF has them (side stick is a snare, tambourine is left out), 8 after Vogl, Widmer and
//! Knees, "Towards multi-instrument drum transcription" (2018).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::matching::matched_times;
use crate::statistics::{mean, median, spearman, standard_deviation};
use crate::{Counts, Scored, Scores};
use hitscribe_core::Note;

/// One drum hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Onset in seconds.
    pub seconds: f64,
    /// General MIDI percussion key.
    pub key: u8,
    /// MIDI velocity where it is known.
    pub velocity: Option<u8>,
}

impl From<&Note> for Hit {
    fn from(note: &Note) -> Self {
        Self {
            seconds: note.onset_seconds,
            key: note.pitch,
            velocity: Some(note.velocity),
        }
    }
}

/// How percussion keys are grouped into classes. Keys outside the grouping are ignored on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Kick, snare, hi-hat.
    Three,
    /// The same with toms and cymbals.
    Five,
    /// The same with ride, bell and claves apart.
    Eight,
}

/// A class: its short name and its keys.
pub type DrumGroup = (&'static str, &'static [u8]);

const KICK: &[u8] = &[35, 36];
const SNARE: &[u8] = &[37, 38, 40];
const HAT: &[u8] = &[42, 44, 46];
const TOM: &[u8] = &[41, 43, 45, 47, 48, 50];

impl Grouping {
    /// Every grouping, coarse to fine.
    pub const ALL: [Self; 3] = [Self::Three, Self::Five, Self::Eight];

    /// Number of classes as it appears in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Three => "3",
            Self::Five => "5",
            Self::Eight => "8",
        }
    }

    /// The classes in the order of reports.
    pub const fn classes(self) -> &'static [DrumGroup] {
        match self {
            Self::Three => &[("KD", KICK), ("SD", SNARE), ("HH", HAT)],
            Self::Five => &[
                ("KD", KICK),
                ("SD", SNARE),
                ("TT", TOM),
                ("HH", HAT),
                ("CY", &[49, 51, 52, 53, 55, 57, 59]),
            ],
            Self::Eight => &[
                ("KD", KICK),
                ("SD", &[37, 38, 39, 40]),
                ("TT", TOM),
                ("HH", &[42, 44, 46, 54]),
                ("CY", &[49, 52, 55, 57]),
                ("RD", &[51, 59]),
                ("BE", &[53, 56, 67, 68]),
                ("CL", &[31, 75, 76, 77]),
            ],
        }
    }
}

/// Hits of one class from different keys closer than this are one event.
const MERGE_SECONDS: f64 = 0.010;
/// Tolerances of the scores in seconds, with their names.
const TOLERANCES: [(&str, f64); 3] = [("50ms", 0.05), ("30ms", 0.03), ("20ms", 0.02)];
const TIMING_TOLERANCE_SECONDS: f64 = 0.05;

/// The hits of each class of a grouping, in order of time; classes without hits are empty.
///
/// Hits of one class within 10 ms from *different* keys (a crash on two cymbals, a kick written as 35 and 36) become
/// one; repeated hits of the same key stay, so that double triggers cost precision.
pub fn hits_by_class(hits: &[Hit], grouping: Grouping) -> Vec<Vec<Hit>> {
    let mut sorted = hits.to_vec();
    sorted.sort_by(|a, b| a.seconds.total_cmp(&b.seconds).then(a.key.cmp(&b.key)));
    let merge = |keys: &[u8]| {
        let mut class: Vec<Hit> = Vec::new();
        for hit in sorted.iter().filter(|h| keys.contains(&h.key)) {
            let same =
                |last: &Hit| hit.seconds - last.seconds <= MERGE_SECONDS && last.key != hit.key;
            if !class.last().is_some_and(same) {
                class.push(*hit);
            }
        }
        class
    };
    grouping
        .classes()
        .iter()
        .map(|(_, keys)| merge(keys))
        .collect()
}

fn times(hits: &[Hit]) -> Vec<f64> {
    hits.iter().map(|h| h.seconds).collect()
}

/// Counts of the maximum matching of one class.
pub(super) fn class_counts(reference: &[Hit], estimate: &[Hit], tolerance_seconds: f64) -> Counts {
    Counts {
        matched: matched_times(&times(reference), &times(estimate), tolerance_seconds),
        estimated: estimate.len(),
        reference: reference.len(),
    }
}

/// Pairs (reference, estimate) within 50 ms, the nearest first: the basis of timing and dynamics.
fn nearest_pairs<'a>(reference: &'a [Hit], estimate: &'a [Hit]) -> Vec<(&'a Hit, &'a Hit)> {
    let mut near = Vec::new();
    for (r, wanted) in reference.iter().enumerate() {
        let first =
            estimate.partition_point(|e| e.seconds < wanted.seconds - TIMING_TOLERANCE_SECONDS);
        let end =
            estimate.partition_point(|e| e.seconds <= wanted.seconds + TIMING_TOLERANCE_SECONDS);
        near.extend((first..end).map(|e| ((estimate[e].seconds - wanted.seconds).abs(), r, e)));
    }
    near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let (mut used_r, mut used_e) = (vec![false; reference.len()], vec![false; estimate.len()]);
    let mut pairs = Vec::new();
    for (_, r, e) in near {
        if !used_r[r] && !used_e[e] {
            (used_r[r], used_e[e]) = (true, true);
            pairs.push((&reference[r], &estimate[e]));
        }
    }
    pairs
}

/// The hits of one recording.
#[derive(Clone, Debug, Default)]
pub struct DrumTrack {
    /// Name in reports.
    pub name: String,
    /// Annotated hits.
    pub reference: Vec<Hit>,
    /// Transcribed hits.
    pub estimate: Vec<Hit>,
}

/// Scores of one recording.
pub type TrackCounts = Scored;

/// Scores of one grouping at one tolerance.
#[derive(Clone, Debug, Serialize)]
pub struct GroupingScores {
    /// Over all hits of all classes and recordings.
    pub micro: Scored,
    /// Over all recordings, by class.
    pub classes: BTreeMap<&'static str, Scored>,
    /// Mean over recordings of each recording's micro scores.
    pub track_mean: Scores,
    /// Mean over classes of the mean over recordings of F, a class absent on both sides counting 1 (ADTOF's mean).
    pub adtof_mean: f64,
    /// Micro scores of each recording.
    pub tracks: BTreeMap<String, TrackCounts>,
}

/// Signed error of estimated onsets, estimate minus reference, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timing {
    /// Number of pairs.
    pub n: usize,
    /// Mean; positive is late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median: Option<f64>,
    /// Standard deviation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std: Option<f64>,
    /// Mean absolute error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mad: Option<f64>,
}

impl Timing {
    pub(super) fn of_seconds(errors: &[f64]) -> Self {
        let ms: Vec<f64> = errors.iter().map(|e| e * 1e3).collect();
        let absolute: Vec<f64> = ms.iter().map(|e| e.abs()).collect();
        let some = !ms.is_empty();
        Self {
            n: ms.len(),
            mean: some.then(|| mean(&ms)),
            median: median(&ms),
            std: some.then(|| standard_deviation(&ms)),
            mad: some.then(|| mean(&absolute)),
        }
    }
}

/// Timing of all hits, by class and by recording.
#[derive(Clone, Debug, Serialize)]
pub struct TimingScores {
    /// All pairs.
    pub all: Timing,
    /// By class of the grouping with five.
    pub classes: BTreeMap<&'static str, Timing>,
    /// By recording.
    pub tracks: BTreeMap<String, Timing>,
}

/// How well estimated velocities follow annotated ones: Spearman's rank correlation over the timing pairs.
#[derive(Clone, Debug, Serialize)]
pub struct VelocityScores {
    /// Mean over recordings that have one.
    pub mean_spearman: Option<f64>,
    /// By recording; null where velocities do not vary or there are fewer than three pairs.
    pub tracks: BTreeMap<String, Option<f64>>,
}

/// Everything about the drums of a set of recordings. Serializes as `{"3": {"50ms": ...}, ..., "timing_ms": ...}`.
#[derive(Clone, Debug, Serialize)]
pub struct DrumScores {
    /// Grouping name, tolerance name, scores.
    #[serde(flatten)]
    pub groupings: BTreeMap<&'static str, BTreeMap<&'static str, GroupingScores>>,
    /// Timing within the grouping with five classes.
    pub timing_ms: TimingScores,
    /// Dynamics within the same pairs.
    pub velocity: VelocityScores,
}

impl DrumScores {
    /// Scores of a grouping at `50ms`, `30ms` or `20ms`.
    pub fn get(&self, grouping: Grouping, tolerance: &str) -> Option<&GroupingScores> {
        self.groupings.get(grouping.name())?.get(tolerance)
    }
}

/// Scores of a set of recordings.
pub fn score_drums(tracks: &[DrumTrack]) -> DrumScores {
    let mut groupings = BTreeMap::new();
    for grouping in Grouping::ALL {
        let split: Vec<Split> = tracks.iter().map(|t| Split::new(t, grouping)).collect();
        let of = |tolerance| grouping_scores(&split, grouping, tolerance);
        groupings.insert(
            grouping.name(),
            TOLERANCES.map(|(name, seconds)| (name, of(seconds))).into(),
        );
    }
    let (timing_ms, velocity) = pair_scores(tracks);
    DrumScores {
        groupings,
        timing_ms,
        velocity,
    }
}

/// A recording by class.
struct Split<'a> {
    name: &'a str,
    reference: Vec<Vec<Hit>>,
    estimate: Vec<Vec<Hit>>,
}

impl<'a> Split<'a> {
    fn new(track: &'a DrumTrack, grouping: Grouping) -> Self {
        Self {
            name: &track.name,
            reference: hits_by_class(&track.reference, grouping),
            estimate: hits_by_class(&track.estimate, grouping),
        }
    }
}

fn grouping_scores(tracks: &[Split], grouping: Grouping, tolerance_seconds: f64) -> GroupingScores {
    let classes = grouping.classes();
    let mut per_class = vec![Counts::default(); classes.len()];
    let mut class_f1 = vec![Vec::new(); classes.len()];
    let mut per_track = BTreeMap::new();
    let mut total = Counts::default();
    for track in tracks {
        let mut sum = Counts::default();
        for class in 0..classes.len() {
            let counts = class_counts(
                &track.reference[class],
                &track.estimate[class],
                tolerance_seconds,
            );
            per_class[class] += counts;
            class_f1[class].push(counts.scores().f1);
            sum += counts;
        }
        total += sum;
        per_track.insert(track.name.to_owned(), sum.scored());
    }
    let mean_of = |value: fn(&Scores) -> f64| {
        mean(
            &per_track
                .values()
                .map(|t| value(&t.scores))
                .collect::<Vec<_>>(),
        )
    };
    let class_means: Vec<f64> = class_f1.iter().map(|f1| mean(f1)).collect();
    GroupingScores {
        micro: total.scored(),
        classes: classes
            .iter()
            .zip(&per_class)
            .map(|((name, _), counts)| (*name, counts.scored()))
            .collect(),
        track_mean: Scores {
            precision: mean_of(|s| s.precision),
            recall: mean_of(|s| s.recall),
            f1: mean_of(|s| s.f1),
        },
        adtof_mean: mean(&class_means),
        tracks: per_track,
    }
}

fn pair_scores(tracks: &[DrumTrack]) -> (TimingScores, VelocityScores) {
    let classes = Grouping::Five.classes();
    let mut all = Vec::new();
    let mut per_class = vec![Vec::new(); classes.len()];
    let mut per_track = BTreeMap::new();
    let mut dynamics = BTreeMap::new();
    for track in tracks {
        let split = Split::new(track, Grouping::Five);
        let (mut errors, mut velocities) = (Vec::new(), Vec::new());
        for (class, errors_of_class) in per_class.iter_mut().enumerate() {
            for (wanted, found) in nearest_pairs(&split.reference[class], &split.estimate[class]) {
                errors_of_class.push(found.seconds - wanted.seconds);
                errors.push(found.seconds - wanted.seconds);
                if let (Some(a), Some(b)) = (wanted.velocity, found.velocity) {
                    velocities.push((f64::from(a), f64::from(b)));
                }
            }
        }
        all.extend_from_slice(&errors);
        per_track.insert(track.name.clone(), Timing::of_seconds(&errors));
        dynamics.insert(track.name.clone(), spearman(&velocities));
    }
    let known: Vec<f64> = dynamics.values().copied().flatten().collect();
    let timing = TimingScores {
        all: Timing::of_seconds(&all),
        classes: classes
            .iter()
            .zip(&per_class)
            .map(|((name, _), e)| (*name, Timing::of_seconds(e)))
            .collect(),
        tracks: per_track,
    };
    (
        timing,
        VelocityScores {
            mean_spearman: (!known.is_empty()).then(|| mean(&known)),
            tracks: dynamics,
        },
    )
}
