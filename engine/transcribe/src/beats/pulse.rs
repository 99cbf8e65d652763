//! First guesses of the beat's period, from how far apart hits are.

use super::hit::Hit;

/// Shortest and longest beat: 300 and 40 beats per minute.
pub const PERIODS_SECONDS: std::ops::RangeInclusive<f64> = 0.2..=1.5;
const STEP_SECONDS: f64 = 0.005;
/// Multiples of a period that support it.
const MULTIPLES: usize = 4;
const LONGEST_LAG_SECONDS: f64 = 1.5 * MULTIPLES as f64 + 0.1;
/// Most guesses.
const GUESSES: usize = 8;
/// Guesses are at least this factor apart: the tracker finds what is between.
const APART: f64 = 1.12;

/// Periods in seconds that may be the beat, the likeliest first.
pub fn periods(hits: &[Hit]) -> Vec<f64> {
    let lags = lags(hits);
    let at = |seconds: f64| {
        let place = seconds / STEP_SECONDS;
        let index = place as usize;
        let share = place.fract();
        lags[index] * (1.0 - share) + lags[index + 1] * share
    };
    let mut scored = Vec::new();
    let mut period = *PERIODS_SECONDS.start();
    while period <= *PERIODS_SECONDS.end() {
        let support: f64 = (1..=MULTIPLES).map(|m| at(period * m as f64)).sum();
        // Around 110 beats per minute, two octaves wide.
        let octaves = (period * 110.0 / 60.0).log2();
        scored.push((support * (-0.5 * octaves * octaves / 0.8).exp(), period));
        period *= 1.01;
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut found: Vec<f64> = Vec::new();
    let add = |period: f64, found: &mut Vec<f64>| {
        let is_new = found.iter().all(|&f| (f / period).max(period / f) >= APART);
        if is_new && PERIODS_SECONDS.contains(&period) {
            found.push(period);
        }
    };
    let Some(&(_, best)) = scored.first() else {
        return found;
    };
    for factor in [
        1.0,
        2.0,
        0.5,
        1.5,
        2.0 / 3.0,
        3.0,
        1.0 / 3.0,
        0.75,
        4.0 / 3.0,
    ] {
        add(best * factor, &mut found);
    }
    for (_, period) in scored {
        if found.len() >= GUESSES {
            break;
        }
        add(period, &mut found);
    }
    found
}

/// How many pairs of hits are this far apart, in steps, smoothed.
fn lags(hits: &[Hit]) -> Vec<f64> {
    let count = (LONGEST_LAG_SECONDS / STEP_SECONDS) as usize + 8;
    let mut lags = vec![0.0; count];
    // Pairs, weighted so that one group's repetition counts more than that of any two.
    for (index, a) in hits.iter().enumerate() {
        for b in &hits[index + 1..] {
            let lag = b.seconds - a.seconds;
            if lag > LONGEST_LAG_SECONDS {
                break;
            }
            let same = if a.group == b.group { 1.0 } else { 0.4 };
            lags[(lag / STEP_SECONDS).round() as usize] += a.weight() * b.weight() * same;
        }
    }
    let kernel = [0.05, 0.1, 0.15, 0.2, 0.2, 0.2, 0.15, 0.1, 0.05];
    (0..count)
        .map(|i| {
            let part = |(j, k): (usize, &f64)| {
                (i + j)
                    .checked_sub(4)
                    .and_then(|at| lags.get(at))
                    .map_or(0.0, |v| v * k)
            };
            kernel.iter().enumerate().map(part).sum()
        })
        .collect()
}
