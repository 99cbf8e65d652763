//! Drum transcription scores: by class, timing and dynamics.
//!
//! The groupings of 3 and 5 classes are those of ADTOF (a side stick is a snare, the tambourine is
//! left out). That of 8 classes follows Vogl, Widmer and Knees, "Towards multi-instrument drum
//! transcription" (2018).

use std::collections::BTreeMap;

use hitscribe_core::Note;
use serde::Serialize;

use crate::matching::matched_times;
use crate::scores::{Counts, Scored, Scores};
use crate::statistics::{mean, median, spearman, standard_deviation};

/// One drum hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Onset in seconds.
    pub seconds: f64,
    /// General MIDI percussion key.
    pub key: u8,
    /// MIDI velocity 1..=127, if known.
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

/// A grouping of percussion keys into classes. Keys without a class are ignored on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Kick, snare, hi-hat.
    Three,
    /// Kick, snare, toms, hi-hat, cymbals.
    Five,
    /// As [`Grouping::Five`], with ride, bell and claves separate.
    Eight,
}

/// A class: its short name and its General MIDI percussion keys.
pub type DrumGroup = (&'static str, &'static [u8]);

const KICK: &[u8] = &[35, 36];
const SNARE: &[u8] = &[37, 38, 40];
const HAT: &[u8] = &[42, 44, 46];
const TOM: &[u8] = &[41, 43, 45, 47, 48, 50];

impl Grouping {
    /// Every grouping, coarse to fine.
    pub const ALL: [Self; 3] = [Self::Three, Self::Five, Self::Eight];

    /// Number of classes, as the name of the grouping in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Three => "3",
            Self::Five => "5",
            Self::Eight => "8",
        }
    }

    /// The classes in report order.
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

/// Hits of one class with different keys and at most this distance are one event.
const MERGE_SECONDS: f64 = 0.010;
/// Names of the onset tolerances, and their values in seconds.
const TOLERANCES: [(&str, f64); 3] = [("50ms", 0.05), ("30ms", 0.03), ("20ms", 0.02)];
const TIMING_TOLERANCE_SECONDS: f64 = 0.05;

/// The hits of each class of a grouping, sorted by time.
///
/// Hits of one class within 10 ms and with *different* keys become one (a crash on two cymbals, a
/// kick written as 35 and 36). Repeated hits of the same key stay, so that double triggers lower
/// the precision.
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

/// Counts for one class.
pub(crate) fn class_counts(reference: &[Hit], estimate: &[Hit], tolerance_seconds: f64) -> Counts {
    Counts {
        matched: matched_times(&times(reference), &times(estimate), tolerance_seconds),
        estimated: estimate.len(),
        reference: reference.len(),
    }
}

/// Pairs (reference, estimate) within 50 ms, matched greedily from the nearest: for timing and
/// dynamics.
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

/// Scores of one grouping at one tolerance.
#[derive(Clone, Debug, Serialize)]
pub struct GroupingScores {
    /// Scores of the summed counts of all classes and recordings.
    pub micro: Scored,
    /// Scores of each class, over all recordings.
    pub classes: BTreeMap<&'static str, Scored>,
    /// Mean over recordings of the micro scores.
    pub track_mean: Scores,
    /// ADTOF's mean: F averaged over recordings, then over classes. A class that is absent on both
    /// sides counts as 1.
    pub adtof_mean: f64,
    /// Micro scores of each recording.
    pub tracks: BTreeMap<String, Scored>,
}

/// Errors of estimated onsets in milliseconds: estimate minus reference. `None` without pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timing {
    /// Number of pairs.
    pub n: usize,
    /// Mean; positive means late.
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
    /// Statistics of errors given in seconds.
    pub(crate) fn of_seconds(errors: &[f64]) -> Self {
        let ms: Vec<f64> = errors.iter().map(|e| e * 1e3).collect();
        let absolute: Vec<f64> = ms.iter().map(|e| e.abs()).collect();
        let has_pairs = !ms.is_empty();
        Self {
            n: ms.len(),
            mean: has_pairs.then(|| mean(&ms)),
            median: median(&ms),
            std: has_pairs.then(|| standard_deviation(&ms)),
            mad: has_pairs.then(|| mean(&absolute)),
        }
    }
}

/// Timing over all hits, by class, and by recording.
#[derive(Clone, Debug, Serialize)]
pub struct TimingScores {
    /// All pairs.
    pub all: Timing,
    /// By class of [`Grouping::Five`].
    pub classes: BTreeMap<&'static str, Timing>,
    /// By recording.
    pub tracks: BTreeMap<String, Timing>,
}

/// Spearman's rank correlation of estimated and annotated velocities, over the timing pairs.
#[derive(Clone, Debug, Serialize)]
pub struct VelocityScores {
    /// Mean over the recordings with a correlation.
    pub mean_spearman: Option<f64>,
    /// By recording; `None` if velocities do not vary or there are fewer than three pairs.
    pub tracks: BTreeMap<String, Option<f64>>,
}

/// Drum scores of a set of recordings. Serializes as
/// `{"3": {"50ms": ...}, ..., "timing_ms": ...}`.
#[derive(Clone, Debug, Serialize)]
pub struct DrumScores {
    /// Scores by the name of the grouping, then the name of the tolerance.
    #[serde(flatten)]
    pub groupings: BTreeMap<&'static str, BTreeMap<&'static str, GroupingScores>>,
    /// Timing, with the classes of [`Grouping::Five`].
    pub timing_ms: TimingScores,
    /// Dynamics of the same pairs.
    pub velocity: VelocityScores,
}

impl DrumScores {
    /// Scores of a grouping at the tolerance `50ms`, `30ms` or `20ms`.
    pub fn get(&self, grouping: Grouping, tolerance: &str) -> Option<&GroupingScores> {
        self.groupings.get(grouping.name())?.get(tolerance)
    }
}

/// Scores the drums of a set of recordings.
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

/// The hits of a recording by class.
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
    let class_means: Vec<f64> = class_f1.iter().map(|f1| mean(f1)).collect();
    GroupingScores {
        micro: total.scored(),
        classes: classes
            .iter()
            .zip(&per_class)
            .map(|((name, _), counts)| (*name, counts.scored()))
            .collect(),
        track_mean: Scores::mean(per_track.values().map(|t| &t.scores)),
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
    let correlations: Vec<f64> = dynamics.values().copied().flatten().collect();
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
            mean_spearman: (!correlations.is_empty()).then(|| mean(&correlations)),
            tracks: dynamics,
        },
    )
}
