//! Scores hypotheses about bars: which beats are the first of a bar, and how many a bar has.

use super::hit::Hit;
use super::patterns::{BINS, LANES, Meter, Mixture};

/// Share of bars without a rhythm of the tables: pauses.
const PAUSE_SHARE: f64 = 0.02;

/// How much sharper in time hits count at a fast tempo than at a slow one, from 0 to 1. The tables
/// have a width in beats; that of real hits is one in time.
pub const SHARPNESS: f64 = 0.6;

/// Time in beats, from the times of the beats; beyond the ends their periods go on.
pub fn position(beats: &[f64], seconds: f64) -> f64 {
    let last = beats.len() - 1;
    let i = beats.partition_point(|&b| b <= seconds).clamp(1, last) - 1;
    i as f64 + (seconds - beats[i]) / (beats[i + 1] - beats[i])
}

/// Time at a position in beats; the inverse of [`position`].
pub fn time(beats: &[f64], position: f64) -> f64 {
    let i = (position.floor().max(0.0) as usize).min(beats.len() - 2);
    beats[i] + (position - i as f64) * (beats[i + 1] - beats[i])
}

/// Hits on beats.
pub struct OnBeats<'a> {
    pub hits: &'a [Hit],
    /// Position of each hit in beats.
    pub positions: Vec<f64>,
    /// Logarithm of bins per second, summed over the hits.
    density: f64,
    /// First and last position of the recording.
    pub range: (f64, f64),
}

impl<'a> OnBeats<'a> {
    pub fn new(hits: &'a [Hit], beats: &[f64], end_seconds: f64) -> Self {
        let positions: Vec<f64> = hits.iter().map(|h| position(beats, h.seconds)).collect();
        let last = beats.len() - 2;
        let density = positions
            .iter()
            .map(|&p| {
                let i = (p.floor().max(0.0) as usize).min(last);
                SHARPNESS * (BINS as f64 / (beats[i + 1] - beats[i])).ln()
            })
            .sum();
        Self {
            hits,
            positions,
            density,
            range: (position(beats, 0.0), position(beats, end_seconds)),
        }
    }

    /// Logarithm of the likelihood of all hits if bars begin at positions `start` + n times the
    /// meter's length.
    pub fn likelihood(&self, start: f64, meter: &Meter) -> f64 {
        let length = meter.beats as f64;
        let bar_of =
            |position: f64| ((position - start) / length + 0.5 / BINS as f64 / length).floor();
        let (first, last) = (bar_of(self.range.0), bar_of(self.range.1));
        let mut total = self.density;
        for alternatives in &meter.mixtures {
            let used = self.hits.iter().any(|h| alternatives[0].has(h.group));
            if !used {
                continue;
            }
            let mut index = 0;
            let mut bar = first;
            while bar <= last {
                let from = index;
                while index < self.hits.len() && bar_of(self.positions[index]) <= bar {
                    index += 1;
                }
                let begin = start + bar * length;
                let covered = (self.range.1.min(begin + length) - self.range.0.max(begin)) / length;
                total += self.bar(from..index, begin, covered.clamp(0.0, 1.0), alternatives);
                bar += 1.0;
            }
        }
        total
    }

    fn bar(
        &self,
        hits: std::ops::Range<usize>,
        begin: f64,
        covered: f64,
        alternatives: &[Mixture],
    ) -> f64 {
        let mut values: Vec<f64> = Vec::with_capacity(alternatives.len() * LANES + 1);
        let mut count = 0;
        for mixture in alternatives {
            let mut sum = [0.0; LANES];
            count = 0;
            for index in hits.clone() {
                let group = self.hits[index].group;
                if mixture.has(group) {
                    mixture.add(group, self.positions[index] - begin, &mut sum);
                    count += 1;
                }
            }
            for ((sum, expected), share) in
                sum.iter().zip(&mixture.expected).zip(&mixture.log_share)
            {
                values.push(
                    f64::from(sum - expected * covered as f32 + share)
                        - (alternatives.len() as f64).ln(),
                );
            }
        }
        // A pause: hardly any hit, anywhere.
        values.push(PAUSE_SHARE.ln() - 0.1 * covered + count as f64 * (1e-3f64).ln());
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        most + values.iter().map(|v| (v - most).exp()).sum::<f64>().ln()
    }
}
