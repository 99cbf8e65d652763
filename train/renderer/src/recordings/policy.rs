//! How the labelled stems of recordings are dropped and mixed with those of other songs, as in
//! YourMT3's training.

use std::collections::BTreeSet;

use rand::Rng;

use super::{Part, Stem};
use crate::dsp::chance;

/// Intra-stem and cross-stem augmentation. The default leaves songs as they are.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Policy {
    /// Share of the labelled parts of a song that are silent in each segment. At least one plays.
    #[arg(long, default_value_t = 0.0, value_parser = probability)]
    pub silent: f32,
    /// Labelled parts of at most this many other songs are added. No instrument, and no drum kit,
    /// is there twice.
    #[arg(long, default_value_t = 0)]
    pub max_k: usize,
    /// How fast the probability of more songs falls: that of k or more is exp(-(k tau)^alpha).
    #[arg(long, default_value_t = 0.3, value_parser = positive)]
    pub tau: f64,
    /// Shape of that fall; 1 is exponential.
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    pub alpha: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            silent: 0.0,
            max_k: 0,
            tau: 0.3,
            alpha: 1.0,
        }
    }
}

fn probability(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    let inside = (0.0..=1.0).contains(&value);
    inside.then_some(value).ok_or("not between 0 and 1".into())
}

fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let inside = value > 0.0 && value.is_finite();
    inside.then_some(value).ok_or("not above 0".into())
}

impl Policy {
    /// The parts that are heard of `parts`, at least one of them.
    pub(super) fn kept<'a>(self, rng: &mut impl Rng, mut parts: Vec<&'a Part>) -> Vec<&'a Part> {
        if self.silent > 0.0 && parts.len() > 1 {
            let one = rng.random_range(0..parts.len());
            let mut index = 0;
            parts.retain(|_| {
                index += 1;
                index - 1 == one || !chance(rng, self.silent)
            });
        }
        parts
    }

    /// From how many other songs parts are added.
    pub(super) fn other_songs(self, rng: &mut impl Rng) -> usize {
        if self.max_k == 0 {
            return 0;
        }
        let drawn: f64 = rng.random();
        let survives = |k: usize| (-(k as f64 * self.tau).powf(self.alpha)).exp() > drawn;
        (1..=self.max_k).take_while(|&k| survives(k)).count()
    }
}

/// The instruments that labels have for the notes of a part that belong to `stem`; 128 is drums.
pub(super) fn instruments(stem: Stem, part: &Part) -> BTreeSet<u8> {
    let notes = part.notes.iter().filter(|n| stem.holds(n));
    notes.map(|n| stem.instrument(n)).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn the_number_of_songs_falls_as_the_weibull_distribution_does() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (tau, alpha) in [(0.3, 1.0), (0.5, 1.5)] {
            let policy = Policy {
                max_k: 3,
                tau,
                alpha,
                ..Policy::default()
            };
            let mut counts = [0; 4];
            for _ in 0..20_000 {
                counts[policy.other_songs(&mut rng)] += 1;
            }
            let mut reached = 20_000;
            for (k, count) in counts.into_iter().enumerate() {
                let expected = 20_000.0 * (-(k as f64 * tau).powf(alpha)).exp();
                assert!((f64::from(reached) - expected).abs() < 300.0, "{counts:?}");
                reached -= count;
            }
            assert_eq!(reached, 0);
        }
        assert_eq!(Policy::default().other_songs(&mut rng), 0);
    }
}
