//! Fits beats to hits: a straight line where one tempo explains them, else a smooth curve.

use super::bars::position;
use super::hit::Hit;

/// Hits are compared with this many places per beat.
const CELLS: f64 = 12.0;
/// Reach of a hit on the beats around it, in beats, while following.
const REACH_BEATS: f64 = 1.2;

/// Phases of a beat among which tracked beats vote.
const PHASES: usize = 32;

/// Beats of one tempo: time of beat 0, and seconds per beat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    pub start_seconds: f64,
    pub period_seconds: f64,
    /// Standard error of the period, in seconds.
    pub error_seconds: f64,
}

/// A hit's position on a grid and how late it is there.
struct Residual {
    position: f64,
    cell: usize,
    late_seconds: f64,
    weight: f64,
}

fn residuals(hits: &[Hit], beats: &[f64]) -> Vec<Residual> {
    let last = beats.len() - 2;
    let mut residuals: Vec<Residual> = hits
        .iter()
        .map(|hit| {
            let x = position(beats, hit.seconds);
            let cell = (x * CELLS).round();
            let i = (x.floor().max(0.0) as usize).min(last);
            Residual {
                position: x,
                cell: (cell as i64).rem_euclid(CELLS as i64) as usize,
                late_seconds: (x - cell / CELLS) * (beats[i + 1] - beats[i]),
                weight: hit.weight(),
            }
        })
        .collect();
    // What is always late, such as a swung eighth, is not the tempo's fault; the beat itself is.
    for cell in 1..CELLS as usize {
        let (sum, weight) = residuals
            .iter()
            .filter(|r| r.cell == cell)
            .fold((0.0, 0.0), |(s, w), r| {
                (s + r.weight * r.late_seconds, w + r.weight)
            });
        let mean = sum / (weight + 1.0);
        for r in residuals.iter_mut().filter(|r| r.cell == cell) {
            r.late_seconds -= mean;
        }
    }
    residuals
}

/// How late the hits around each beat are, smoothed over `reach` beats.
fn trend(residuals: &[Residual], count: usize, reach: f64) -> Vec<f64> {
    let mut from = 0;
    (0..count)
        .map(|beat| {
            let beat = beat as f64;
            while from < residuals.len() && residuals[from].position < beat - 3.0 * reach {
                from += 1;
            }
            let (mut sum, mut weight) = (0.0, 0.4);
            for r in &residuals[from..] {
                let distance = (r.position - beat) / reach;
                if distance > 3.0 {
                    break;
                }
                let w = r.weight * (-0.5 * distance * distance).exp();
                sum += w * r.late_seconds;
                weight += w;
            }
            sum / weight
        })
        .collect()
}

/// By what share of a beat all beats are early.
///
/// Tracked beats can be off by more than half a cell, which residuals cannot show.
fn early(hits: &[Hit], beats: &[f64]) -> f64 {
    const PLACES: [(f64, f64); 7] = [
        (0.0, 1.0),
        (0.25, 0.5),
        (1.0 / 3.0, 0.4),
        (0.5, 0.7),
        (2.0 / 3.0, 0.4),
        (0.75, 0.5),
        (1.0, 1.0),
    ];
    const WIDTH: f64 = 0.025;
    let places: Vec<(f64, f64)> = hits
        .iter()
        .map(|hit| (position(beats, hit.seconds), hit.weight()))
        .collect();
    let fits = |shift: f64| -> f64 {
        let one = |&(place, weight): &(f64, f64)| {
            let place = (place - shift).rem_euclid(1.0);
            let near = PLACES
                .iter()
                .map(|&(centre, share)| share * (-0.5 * ((place - centre) / WIDTH).powi(2)).exp());
            weight * near.fold(0.0, f64::max)
        };
        places.iter().map(one).sum()
    };
    let mut best = (fits(0.0) * 1.02, 0.0);
    for step in -10..=10 {
        let shift = f64::from(step) * 0.01;
        let fit = fits(shift);
        if fit > best.0 {
            best = (fit, shift);
        }
    }
    best.1
}

/// Moves beats onto the hits around them.
pub fn follow(hits: &[Hit], beats: &mut [f64]) {
    let shift = early(hits, beats);
    let lengths: Vec<f64> = beats.windows(2).map(|b| b[1] - b[0]).collect();
    for (index, beat) in beats.iter_mut().enumerate() {
        *beat += shift * lengths[index.min(lengths.len() - 1)];
    }
    for _ in 0..4 {
        let shift = trend(&residuals(hits, beats), beats.len(), REACH_BEATS);
        for (beat, shift) in beats.iter_mut().zip(shift) {
            *beat += shift;
        }
        for i in 1..beats.len() {
            beats[i] = beats[i].max(beats[i - 1] + 0.05);
        }
    }
}

/// The line through tracked beats and hits.
pub fn fit(hits: &[Hit], beats: &[f64]) -> Line {
    let mut lengths: Vec<f64> = beats.windows(2).map(|b| b[1] - b[0]).collect();
    lengths.sort_by(f64::total_cmp);
    let mut period = coherent_period(hits, lengths[lengths.len() / 2]);
    // The phase that most beats agree with, over the same stretch.
    let bin = |beat: &f64| ((beat / period).rem_euclid(1.0) * PHASES as f64) as usize % PHASES;
    let mut votes = [0usize; PHASES];
    beats.iter().for_each(|beat| votes[bin(beat)] += 1);
    let near = |centre: usize| -> usize {
        (0..5)
            .map(|i| votes[(centre + PHASES + i - 2) % PHASES])
            .sum()
    };
    let best = (0..PHASES).max_by_key(|&centre| near(centre)).unwrap_or(0);
    let mut start = (best as f64 + 0.5) / PHASES as f64 * period;
    start += ((beats[0] - start) / period).round() * period;
    let line = |start: f64, period: f64| -> Vec<f64> {
        let count = ((beats[beats.len() - 1] - start) / period).ceil().max(1.0) as usize + 1;
        (0..count).map(|i| start + period * i as f64).collect()
    };
    let middle = (beats[0] + beats[beats.len() - 1]) / 2.0;
    let near = |window: f64| -> Vec<Hit> {
        let inside = |hit: &&Hit| (hit.seconds - middle).abs() <= window / 2.0;
        hits.iter().filter(inside).copied().collect()
    };
    start += period * early(&near(SPAN_SECONDS), &line(start, period));
    // From the middle outwards: an uncertain tempo would lose count far away.
    let length = beats[beats.len() - 1] - beats[0];
    let mut error = 0.0;
    let mut window = SPAN_SECONDS;
    let mut rounds_left = 6;
    while rounds_left > 0 {
        let residuals = residuals(&near(window), &line(start, period));
        let mut spread: Vec<f64> = residuals.iter().map(|r| r.late_seconds.abs()).collect();
        spread.sort_by(f64::total_cmp);
        let scale = 3.0
            * spread
                .get(spread.len() / 2)
                .copied()
                .unwrap_or(0.0)
                .max(1e-4);
        let points = residuals
            .iter()
            .map(|r| (r.position, r.late_seconds, r.weight));
        let robust = |late: f64| 1.0 / (1.0 + (late / scale).powi(2));
        let (a, b, slope_error) = regression(points, robust);
        start += a;
        period += b;
        error = slope_error;
        if window < length {
            window *= 1.5;
        } else {
            rounds_left -= 1;
        }
    }
    Line {
        start_seconds: start,
        period_seconds: period,
        error_seconds: error,
    }
}

/// Weighted least squares: intercept, slope and standard error of the slope.
fn regression(
    points: impl Iterator<Item = (f64, f64, f64)> + Clone,
    robust: impl Fn(f64) -> f64,
) -> (f64, f64, f64) {
    let weight = |y: f64, w: f64| w * robust(y);
    let (mut n, mut sx, mut sy) = (0.0, 0.0, 0.0);
    for (x, y, w) in points.clone() {
        let w = weight(y, w);
        n += w;
        sx += w * x;
        sy += w * y;
    }
    if n <= 0.0 {
        return (0.0, 0.0, f64::INFINITY);
    }
    let (mx, my) = (sx / n, sy / n);
    let (mut sxx, mut sxy, mut syy) = (0.0, 0.0, 0.0);
    for (x, y, w) in points {
        let w = weight(y, w);
        sxx += w * (x - mx).powi(2);
        sxy += w * (x - mx) * (y - my);
        syy += w * (y - my).powi(2);
    }
    if sxx <= 0.0 {
        return (my, 0.0, f64::INFINITY);
    }
    let slope = sxy / sxx;
    let variance = ((syy - slope * sxy) / n).max(0.0);
    (my - slope * mx, slope, (variance / sxx).sqrt())
}

/// Longest stretch over which repetition is measured at once.
const SPAN_SECONDS: f64 = 60.0;
/// Longest difference of a loop's length from whole bars, in seconds.
const LOOP_SECONDS: f64 = 0.004;
/// Displacement of the outer hits that a rounded tempo may cause, beside the fit's uncertainty.
const ROUNDING_SECONDS: f64 = 0.003;
/// Latest first beat of a loop that begins on the beat, in seconds.
const LOOP_START_SECONDS: f64 = 0.02;

impl Line {
    /// The line with a tempo that loops and programmed music have, if the hits leave it open: one
    /// at which the recording is a whole number of bars, or a whole number of beats per minute.
    pub fn rounded(&self, hits: &[Hit], end_seconds: f64, beats_per_bar: usize) -> Self {
        let (Some(first), Some(last)) = (hits.first(), hits.last()) else {
            return *self;
        };
        let centre = (first.seconds + last.seconds) / 2.0;
        let half = (last.seconds - first.seconds) / 2.0;
        let open = 2.5 * self.error_seconds / self.period_seconds * half + ROUNDING_SECONDS;
        let allows = |period: f64| (period / self.period_seconds - 1.0).abs() * half <= open;
        let turned = |period: f64| {
            // The beat nearest to the middle stays where it is.
            let beat = ((centre - self.start_seconds) / self.period_seconds).round();
            let start_seconds = self.start_seconds + beat * (self.period_seconds - period);
            Self {
                start_seconds,
                period_seconds: period,
                ..*self
            }
        };
        let bar = self.period_seconds * beats_per_bar as f64;
        let bars = (end_seconds / bar).round();
        let looped = end_seconds / (bars * beats_per_bar as f64);
        let bpm = 60.0 / self.period_seconds;
        let whole = 60.0 / bpm.round();
        let off = |period: f64| (period - self.period_seconds).abs();
        if bars >= 1.0 && allows(looped) && !(allows(whole) && off(whole) < off(looped)) {
            let nearly = (60.0 / looped - (60.0 / looped).round()).abs() < 0.005;
            let line = turned(if nearly { whole } else { looped });
            let beat = (line.start_seconds / line.period_seconds).round() * line.period_seconds;
            if (line.start_seconds - beat).abs() < LOOP_START_SECONDS {
                return Self {
                    start_seconds: beat,
                    ..line
                };
            }
            if (end_seconds - bars * bar).abs() < LOOP_SECONDS {
                return line;
            }
        }
        if allows(whole) { turned(whole) } else { *self }
    }

    /// Times of the beats, from one before the start to one after `end_seconds`.
    pub fn beats(&self, end_seconds: f64) -> Vec<f64> {
        let before = (self.start_seconds / self.period_seconds).ceil() + 1.0;
        let start = self.start_seconds - before * self.period_seconds;
        let count = ((end_seconds - start) / self.period_seconds).ceil() as usize + 2;
        (0..count)
            .map(|i| start + self.period_seconds * i as f64)
            .collect()
    }
}

/// Share of the beats that are within `tolerance_seconds` of a line's.
pub fn explained(beats: &[f64], line: &Line, tolerance_seconds: f64) -> f64 {
    let near = |&&beat: &&f64| {
        let place = (beat - line.start_seconds) / line.period_seconds;
        (place - place.round()).abs() * line.period_seconds <= tolerance_seconds
    };
    beats.iter().filter(near).count() as f64 / beats.len() as f64
}

/// The period near `period_seconds` at which hits repeat best.
pub fn coherent_period(hits: &[Hit], period_seconds: f64) -> f64 {
    const NEAR: f64 = 0.03;
    // The densest stretch is as good as any: the middle one.
    let (first, last) = (hits[0].seconds, hits[hits.len() - 1].seconds);
    let from = ((first + last - SPAN_SECONDS) / 2.0).max(first);
    let hits: Vec<&Hit> = hits
        .iter()
        .filter(|h| (from..from + SPAN_SECONDS).contains(&h.seconds))
        .collect();
    let span = (last - first).clamp(period_seconds, SPAN_SECONDS);
    let step = 0.05 * period_seconds / span;
    let count = (NEAR / step).ceil() as i64;
    let mut best = (0.0, period_seconds);
    for index in -count..=count {
        let period = period_seconds * (1.0 + step * index as f64);
        let mut sums = [(0.0f64, 0.0f64); 3];
        for hit in &hits {
            let turn = std::f64::consts::TAU * (hit.seconds - from) / period;
            for ((re, im), harmonic) in sums.iter_mut().zip([1.0, 2.0, 4.0]) {
                let (sin, cos) = (turn * harmonic).sin_cos();
                *re += hit.weight() * cos;
                *im += hit.weight() * sin;
            }
        }
        let score: f64 = sums.iter().map(|(re, im)| re.hypot(*im)).sum();
        if score > best.0 {
            best = (score, period);
        }
    }
    best.1
}
