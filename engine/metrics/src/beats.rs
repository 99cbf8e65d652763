//! Scores of beats: those of `mir_eval.beat`.

use serde::Serialize;

use crate::matching::matched_times;

/// Beats match within this, as in the literature.
const TOLERANCE_SECONDS: f64 = 0.07;
/// Largest deviation of phase and period, as a share of the reference's interval.
const CONTINUITY: f64 = 0.175;

/// Scores of beats and downbeats. Unlike `mir_eval.beat.evaluate` nothing is left out at the start
/// of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BeatScores {
    /// F-measure of the beats, within 70 ms.
    pub f1: f64,
    /// F-measure of the downbeats, within 70 ms; none without reference downbeats.
    pub downbeat_f1: Option<f64>,
    /// Share of the beats in the longest correct stretch.
    pub cml_c: f64,
    /// Share of correct beats: CMLt.
    pub cml_t: f64,
    /// As `cml_c`, at half and double the tempo and on the off-beat too.
    pub aml_c: f64,
    /// As `cml_t`, at half and double the tempo and on the off-beat too: AMLt.
    pub aml_t: f64,
}

/// Scores beats and downbeats, times in seconds in ascending order.
pub fn beat_scores(
    reference: &[f64],
    estimate: &[f64],
    reference_downbeats: &[f64],
    estimate_downbeats: &[f64],
) -> BeatScores {
    let levels: Vec<(f64, f64)> = variations(reference)
        .iter()
        .map(|variation| continuity(variation, estimate))
        .collect();
    let most = |part: fn(&(f64, f64)) -> f64| levels.iter().map(part).fold(0.0, f64::max);
    BeatScores {
        f1: f_measure(reference, estimate),
        downbeat_f1: (!reference_downbeats.is_empty())
            .then(|| f_measure(reference_downbeats, estimate_downbeats)),
        cml_c: levels[0].0,
        cml_t: levels[0].1,
        aml_c: most(|level| level.0),
        aml_t: most(|level| level.1),
    }
}

fn f_measure(reference: &[f64], estimate: &[f64]) -> f64 {
    let matched = matched_times(reference, estimate, TOLERANCE_SECONDS);
    match reference.len() + estimate.len() {
        0 => 0.0,
        total => 2.0 * matched as f64 / total as f64,
    }
}

/// The beats, the off-beats, both, and the two halves.
fn variations(beats: &[f64]) -> [Vec<f64>; 5] {
    let middles: Vec<f64> = beats.windows(2).map(|b| (b[0] + b[1]) / 2.0).collect();
    let mut double: Vec<f64> = beats.iter().chain(&middles).copied().collect();
    double.sort_by(f64::total_cmp);
    let every_second = |from: usize| beats.iter().skip(from).step_by(2).copied().collect();
    [
        beats.to_vec(),
        middles,
        double,
        every_second(0),
        every_second(1),
    ]
}

/// Share of the beats in the longest correct stretch, and of all correct beats.
fn continuity(reference: &[f64], estimate: &[f64]) -> (f64, f64) {
    if reference.len() < 2 || estimate.len() < 2 {
        return (0.0, 0.0);
    }
    let mut used = vec![false; reference.len()];
    let (mut longest, mut stretch, mut correct) = (0, 0, 0);
    for (index, beat) in estimate.iter().enumerate() {
        let after = reference.partition_point(|r| r < beat);
        let distance = |i: usize| (reference[i] - beat).abs();
        let nearest = match after {
            0 => 0,
            i if i == reference.len() || distance(i - 1) <= distance(i) => i - 1,
            i => i,
        };
        let looks_forward = index == 0 || nearest == 0;
        let wanted = interval(reference, nearest, looks_forward);
        let found = interval(estimate, index, looks_forward);
        let is_good = !used[nearest]
            && distance(nearest) / wanted < CONTINUITY
            && (1.0 - found / wanted).abs() < CONTINUITY;
        if is_good {
            used[nearest] = true;
            correct += 1;
            stretch += 1;
            longest = longest.max(stretch);
        } else {
            stretch = 0;
        }
    }
    let total = reference.len().max(estimate.len()) as f64;
    (f64::from(longest) / total, f64::from(correct) / total)
}

/// The interval after a beat, or before it; at the ends the one that exists.
fn interval(beats: &[f64], index: usize, forward: bool) -> f64 {
    let from = if forward && index + 1 < beats.len() {
        index
    } else {
        index - 1
    };
    beats[from + 1] - beats[from]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(period: f64, from: f64, count: usize) -> Vec<f64> {
        (0..count).map(|i| from + period * i as f64).collect()
    }

    #[test]
    fn scores_are_those_of_mir_eval() {
        // Values of mir_eval 0.8.2: f_measure and continuity.
        let reference = every(0.5, 0.0, 40);
        let shaken: Vec<f64> = (0..40)
            .map(|i| 0.5 * f64::from(i) + 0.06 * f64::from(i % 5 - 2))
            .collect();
        let slower = every(0.51, 0.1, 38);
        let half = every(1.0, 0.5, 20);
        let missing: Vec<f64> = reference
            .iter()
            .copied()
            .filter(|t| (t * 2.0) as i64 % 7 != 3)
            .collect();
        let cases: [(&[f64], [f64; 5]); 5] = [
            (
                &shaken,
                [
                    0.6000000000,
                    0.0750000000,
                    0.6000000000,
                    0.0750000000,
                    0.6000000000,
                ],
            ),
            (
                &slower,
                [
                    0.1282051282,
                    0.1500000000,
                    0.1500000000,
                    0.4358974359,
                    0.4358974359,
                ],
            ),
            (
                &half,
                [
                    0.6666666667,
                    0.0000000000,
                    0.0000000000,
                    1.0000000000,
                    1.0000000000,
                ],
            ),
            (
                &missing,
                [
                    0.9189189189,
                    0.1250000000,
                    0.7000000000,
                    0.1250000000,
                    0.7000000000,
                ],
            ),
            (
                &reference,
                [
                    1.0000000000,
                    1.0000000000,
                    1.0000000000,
                    1.0000000000,
                    1.0000000000,
                ],
            ),
        ];
        for (estimate, [f1, cml_c, cml_t, aml_c, aml_t]) in cases {
            let scores = beat_scores(&reference, estimate, &[], &[]);
            let found = [
                scores.f1,
                scores.cml_c,
                scores.cml_t,
                scores.aml_c,
                scores.aml_t,
            ];
            for (a, b) in found.iter().zip([f1, cml_c, cml_t, aml_c, aml_t]) {
                assert!((a - b).abs() < 1e-9, "{found:?}");
            }
        }
    }

    #[test]
    fn empty_lists_score_nothing() {
        let scores = beat_scores(&[], &[1.0], &[], &[]);
        assert_eq!(
            (scores.f1, scores.cml_t, scores.downbeat_f1),
            (0.0, 0.0, None)
        );
        assert_eq!(
            beat_scores(&[1.0, 2.0], &[], &[1.0], &[]).downbeat_f1,
            Some(0.0)
        );
    }
}
