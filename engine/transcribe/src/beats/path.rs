//! Tracks beats whose tempo may change, with dynamic programming.

use super::bars::SHARPNESS;
use super::hit::Hit;
use super::patterns::{BINS, LANES, Meter};

/// Beats lie on this grid while they are tracked.
const STEP_SECONDS: f64 = 0.01;
/// Periods around the guess that are tried, as factors.
const SLOWEST: f64 = 1.25;
const FASTEST: f64 = 0.8;
/// Most periods that are tried.
const PERIODS: usize = 17;
/// Standard deviation of a tempo's change from beat to beat, as a share.
const CHANGE: f64 = 0.04;

/// Beats over all hits, from before the first to after the last, near a period.
pub fn track(hits: &[Hit], end_seconds: f64, period_seconds: f64, table: &Meter) -> Vec<f64> {
    let frames = |seconds: f64| (seconds / STEP_SECONDS).round() as usize;
    let (shortest, longest) = (
        frames(period_seconds * FASTEST),
        frames(period_seconds * SLOWEST),
    );
    let stride = (longest - shortest).div_ceil(PERIODS - 1).max(1);
    let periods: Vec<usize> = (shortest..=longest).step_by(stride).collect();
    let end = frames(end_seconds) + 1;
    let total = end + longest + 1;
    let first = first_hits(hits, total);
    let change: Vec<Vec<f32>> = periods
        .iter()
        .map(|&a| periods.iter().map(|&b| change_cost(a, b, stride)).collect())
        .collect();
    let count = periods.len();
    // Of the last `longest` frames and this one: no beat is longer, and no path ends earlier.
    let mut scores = vec![f32::NEG_INFINITY; (longest + 1) * count];
    let row = |frame: usize| frame % (longest + 1) * count;
    let mut before = vec![u8::MAX; total * count];
    for beat in 0..total {
        for (index, &period) in periods.iter().enumerate() {
            let from = beat.checked_sub(period);
            let hits = &hits[first[from.unwrap_or(0)]..first[beat]];
            let covered = (beat.min(end) - from.unwrap_or(0).min(end)) as f64 * STEP_SECONDS;
            let start_seconds = (beat as f64 - period as f64) * STEP_SECONDS;
            let seconds = period as f64 * STEP_SECONDS;
            let own = likelihood(
                hits,
                start_seconds,
                seconds,
                covered / period_seconds,
                table,
            );
            let (best, previous) = match from {
                None => (0.0, u8::MAX),
                Some(from) => {
                    let earlier = &scores[row(from)..row(from) + count];
                    let mut best = (f32::NEG_INFINITY, u8::MAX);
                    for (other, (s, c)) in earlier.iter().zip(&change[index]).enumerate() {
                        if s - c > best.0 {
                            best = (s - c, other as u8);
                        }
                    }
                    best
                }
            };
            scores[row(beat) + index] = best + own as f32;
            before[beat * count + index] = previous;
        }
    }
    let last = |beat: usize, index: usize| beat >= end && beat < end + periods[index];
    let mut state = (0, 0);
    let mut best = f32::NEG_INFINITY;
    for beat in end..total {
        for index in 0..count {
            let s = scores[row(beat) + index];
            if last(beat, index) && s > best {
                (best, state) = (s, (beat, index));
            }
        }
    }
    let mut beats = vec![state.0 as f64 * STEP_SECONDS];
    loop {
        let (beat, index) = state;
        let start = beat as f64 - periods[index] as f64;
        beats.push(start * STEP_SECONDS);
        let previous = before[beat * count + index];
        if previous == u8::MAX || start < 0.0 {
            break;
        }
        state = (beat - periods[index], usize::from(previous));
    }
    beats.reverse();
    beats
}

/// For each frame the number of hits before it.
fn first_hits(hits: &[Hit], total: usize) -> Vec<usize> {
    let mut first = Vec::with_capacity(total);
    let mut index = 0;
    for frame in 0..total {
        // A hit a little before a beat belongs to it.
        let seconds = frame as f64 * STEP_SECONDS - 0.5 * STEP_SECONDS;
        while index < hits.len() && hits[index].seconds < seconds {
            index += 1;
        }
        first.push(index);
    }
    first
}

/// Cost of a change of the period; the steps of the grid alone cost nothing.
fn change_cost(a: usize, b: usize, stride: usize) -> f32 {
    let difference = (a.abs_diff(b).saturating_sub(stride)) as f64 / a as f64;
    (0.5 * (difference / CHANGE).powi(2) + if a == b { 0.0 } else { 0.1 }) as f32
}

/// Logarithm of the likelihood of the hits of one beat.
fn likelihood(hits: &[Hit], start: f64, seconds: f64, covered_beats: f64, table: &Meter) -> f64 {
    let mut total = 0.0;
    let per_second = SHARPNESS * (BINS as f64 / seconds).ln();
    for mixture in table.mixtures.iter().flatten() {
        let mut sum = [0.0; LANES];
        let mut any = false;
        for hit in hits.iter().filter(|hit| mixture.has(hit.group)) {
            mixture.add_nearest(hit.group, (hit.seconds - start) / seconds, &mut sum);
            total += per_second;
            any = true;
        }
        if any {
            let rates = sum.iter().zip(&mixture.expected);
            let best = rates
                .zip(&mixture.log_share)
                .map(|((sum, expected), share)| sum - expected * covered_beats as f32 + share)
                .fold(f32::NEG_INFINITY, f32::max);
            total += f64::from(best);
        }
    }
    total
}
