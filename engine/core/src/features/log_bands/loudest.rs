//! Powers relative to the loudest level so far and to the usual power of each band.
//!
//! Nothing after a frame counts, so that live and offline agree. The reference falls slowly: what is
//! quiet after loud music, such as noise in a pause, stays quiet.

use crate::features::log_bands::config::LoudestReference;

/// Least power relative to the reference, as a decimal logarithm.
const LEAST_RELATIVE: f32 = -12.0;
/// Least level relative to the reference.
const LEAST_LEVEL: f32 = -7.0;
/// Range of powers relative to the usual ones.
const UNUSUAL: (f32, f32) = (-3.0, 5.0);

/// What one stream remembers.
pub(super) struct LoudestLevel {
    config: LoudestReference,
    /// Decimal logarithm of power.
    reference: f32,
    /// Mean of the decimal logarithm of each band's power in the last transform.
    usual: Vec<f32>,
    /// Frames that the mean is of, at most as many as it spans.
    frames: u32,
}

impl LoudestLevel {
    pub(super) fn new(config: LoudestReference, bands: usize) -> Self {
        Self {
            reference: config.follower.start,
            usual: vec![config.power_floor.log10(); bands],
            frames: 0,
            config,
        }
    }

    /// Appends the features of the next frame, whose powers are `[bands, FFT sizes]`. The level is
    /// that of the last FFT.
    pub(super) fn push(&mut self, powers: &[f32], features: &mut Vec<f32>) {
        let bands = self.usual.len();
        let sizes = powers.len() / bands;
        let floor = self.config.power_floor;
        let fine = || {
            powers
                .iter()
                .skip(sizes - 1)
                .step_by(sizes)
                .map(|p| p + floor)
        };

        // The mean amplitude: no single band, such as one with hum, decides.
        let level = 2.0 * (fine().map(f32::sqrt).sum::<f32>() / bands as f32).log10();
        let follower = &self.config.follower;
        self.reference = (self.reference - follower.fall)
            .max(level.min(self.reference + follower.rise))
            .max(follower.start);

        // Silence before the music says nothing about it.
        let share = if level < self.config.silence {
            0.0
        } else {
            self.frames = (self.frames + 1).min(self.config.usual_frames);
            1.0 / self.frames as f32
        };
        let gain = 10.0f32.powf(-self.reference);
        let least = 10.0f32.powf(LEAST_RELATIVE);
        for (band, usual) in powers.chunks_exact(sizes).zip(&mut self.usual) {
            for power in band {
                let relative = ((power + floor) * gain).max(least);
                features.push(0.5 * ((relative + self.config.relative_floor).log10() + 3.0));
            }
            let power = (band[sizes - 1] + floor).log10();
            *usual += (power - *usual) * share;
            features.push(0.5 * (power - *usual).clamp(UNUSUAL.0, UNUSUAL.1));
        }
        features.push(0.5 * (self.reference + 3.0));
        features.push(0.5 * (level - self.reference).max(LEAST_LEVEL) + 0.5);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::log_bands::config::Follower;

    fn level() -> LoudestLevel {
        let follower = Follower {
            start: -5.0,
            rise: 0.5,
            fall: 0.001,
        };
        let config = LoudestReference {
            power_floor: 1e-10,
            relative_floor: 1e-7,
            follower,
            usual_frames: 100,
            silence: -9.0,
        };
        LoudestLevel::new(config, 4)
    }

    /// Reference and level of the last of some frames of equal powers.
    fn scalars(level: &mut LoudestLevel, power: f32, frames: usize) -> (f32, f32) {
        let mut features = Vec::new();
        (0..frames).for_each(|_| level.push(&[power; 8], &mut features));
        assert!(features.iter().all(|value| value.is_finite()));
        let last = &features[features.len() - 2..];
        (2.0 * last[0] - 3.0, 2.0 * last[1] - 1.0)
    }

    #[test]
    fn the_reference_rises_fast_and_falls_slowly() {
        let mut level = level();
        assert_eq!(scalars(&mut level, 0.0, 5).0, -5.0);
        let (reference, below) = scalars(&mut level, 0.01, 3);
        assert!((reference + 3.5).abs() < 1e-5 && (below - 1.5).abs() < 1e-5);
        assert!((scalars(&mut level, 0.01, 10).0 + 2.0).abs() < 1e-5);
        let (reference, below) = scalars(&mut level, 0.0, 100);
        assert!(
            (reference + 2.1).abs() < 1e-3 && below == -7.0,
            "{reference} {below}"
        );
    }

    #[test]
    fn digital_silence_is_no_part_of_the_usual() {
        let (mut level, mut delayed) = (level(), level());
        let mut features = Vec::new();
        scalars(&mut delayed, 0.0, 50);
        for _ in 0..20 {
            level.push(&[0.001; 8], &mut features);
        }
        let expected = std::mem::take(&mut features);
        for _ in 0..20 {
            delayed.push(&[0.001; 8], &mut features);
        }
        assert_eq!(features, expected);
    }

    #[test]
    fn what_is_usual_is_zero_and_a_stroke_is_not() {
        let mut level = level();
        scalars(&mut level, 0.001, 200);
        let mut features = Vec::new();
        level.push(
            &[0.001, 0.001, 0.001, 0.1, 0.001, 0.001, 0.001, 0.001],
            &mut features,
        );
        let unusual: Vec<f32> = features[..12].iter().skip(2).step_by(3).copied().collect();
        assert!((unusual[1] - 0.99).abs() < 1e-3, "{unusual:?}");
        assert!(
            [0, 2, 3].iter().all(|&band| unusual[band].abs() < 1e-4),
            "{unusual:?}"
        );
    }
}
