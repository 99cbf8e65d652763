//! How hard a drum was hit, measured on the audio.
//!
//! The strength of a hit combines its peak level, which includes everything that sounds, and the
//! level in the band of its class. [`VelocityScale`] converts strengths, in dB, to velocities
//! relative to the loudest hits so far, so that the level of a recording does not matter.
//!
//! A network that has velocities of its own adds what it knows ([`combined`]): levels are exact
//! within a class, the network between classes, and with other drums at the same time.

use crate::drums::band_levels::{BAND_COUNT, BandLevels, STEPS_PER_SECOND, band_of};
use hitscribe_core::DrumClass;

/// Peak level over band level of a single hit in dB, median over rendered kits: the initial value
/// for [`StrengthMeter::strength_db`], which adapts.
const PEAK_OVER_BAND_DB: [f64; BAND_COUNT] = [10.9, 11.7, 9.9, 21.1, 15.5, 12.3];

/// Weight of the peak in the strength; the rest is the weight of the band.
const PEAK_SHARE: f64 = 0.6;

/// Window of a hit in steps: from 3 ms before its onset to 30 ms after it for the peak, to 60 ms
/// for the band.
const BEFORE_STEPS: i64 = 12;
const PEAK_STEPS: i64 = 120;
const BAND_STEPS: i64 = 240;

/// Weight of the initial offset and largest weight of the past, in hits.
const OFFSET_PRIOR_HITS: f64 = 3.0;
const OFFSET_MEMORY_HITS: f64 = 40.0;

fn onset_step(onset_seconds: f64) -> i64 {
    (onset_seconds.max(0.0) * f64::from(STEPS_PER_SECOND)) as i64
}

/// Level in dB of the first 60 ms of a hit in the band of its class.
pub fn band_db(levels: &BandLevels, class: DrumClass, onset_seconds: f64) -> f64 {
    let (band, onset) = (band_of(class), onset_step(onset_seconds));
    let energy: f32 = levels
        .steps(onset - BEFORE_STEPS, onset + BAND_STEPS)
        .map(|step| step.energy[band])
        .sum();
    let samples = (BEFORE_STEPS + BAND_STEPS) as f64 * levels.samples_per_step() as f64;
    10.0 * (f64::from(energy) / samples + 1e-12).log10()
}

/// Peak level in dB of the first 30 ms of a hit.
pub fn peak_db(levels: &BandLevels, onset_seconds: f64) -> f64 {
    let onset = onset_step(onset_seconds);
    let peak = levels
        .steps(onset - BEFORE_STEPS, onset + PEAK_STEPS)
        .fold(0.0f32, |peak, step| peak.max(step.peak));
    20.0 * (f64::from(peak) + 1e-6).log10()
}

/// Steps before an onset that [`band_db`] and [`peak_db`] need.
pub const PAST_STEPS: i64 = BEFORE_STEPS;

/// Computes the strength of hits.
#[derive(Clone)]
pub struct StrengthMeter {
    /// Mean of peak level over band level for each class, and the weight of that mean in hits.
    offsets_db: [(f64, f64); DrumClass::ALL.len()],
}

impl Default for StrengthMeter {
    fn default() -> Self {
        Self {
            offsets_db: DrumClass::ALL.map(|c| (PEAK_OVER_BAND_DB[band_of(c)], OFFSET_PRIOR_HITS)),
        }
    }
}

impl StrengthMeter {
    /// Strength in dB of a hit with this peak level and band level in dB. To be called in the order
    /// of the hits, which calibrate each class's band against the peaks.
    pub fn strength_db(&mut self, class: DrumClass, (peak_db, band_db): (f64, f64)) -> f64 {
        let (offset_db, hits) = &mut self.offsets_db[class.index()];
        *offset_db += (peak_db - band_db - *offset_db) / (*hits + 1.0);
        *hits = (*hits + 1.0).min(OFFSET_MEMORY_HITS);
        PEAK_SHARE * peak_db + (1.0 - PEAK_SHARE) * (band_db + *offset_db)
    }
}

/// Velocity of the loudest hits.
const LOUDEST_VELOCITY: f64 = 115.0;
/// Velocity per dB: a ghost note is 40 dB below the loudest hits.
const VELOCITY_PER_DB: f64 = 2.4;
/// Decay of the loudest level in dB per hit: a song may fade.
const DECAY_DB: f64 = 0.02;

/// Converts strengths to velocities, hit by hit.
#[derive(Clone, Copy, Debug, Default)]
pub struct VelocityScale {
    loudest_db: Option<f64>,
}

impl VelocityScale {
    /// MIDI velocity 1..=127 of the next hit.
    pub fn velocity(&mut self, strength_db: f64) -> u8 {
        let loudest_db = match self.loudest_db {
            // Half of the difference: a single loud moment must not lower all that follow.
            Some(known) if strength_db > known => known + 0.5 * (strength_db - known),
            Some(known) => (known - DECAY_DB).max(strength_db),
            // The first hit counts as a firm one.
            None => strength_db + 3.0,
        };
        self.loudest_db = Some(loudest_db);
        let velocity = LOUDEST_VELOCITY + VELOCITY_PER_DB * (strength_db - loudest_db);
        velocity.round().clamp(1.0, 127.0) as u8
    }
}

/// Weight of the network's velocity. On the tuning half of the validation grid the rank correlation
/// by clip rises from .56 to .64 with it, within a class from .60 to .61 (`train/EXPERIMENTS.md`).
const NETWORK_SHARE: f64 = 0.3;

/// Both together vary less than what was played: this much more is right on that half, too.
const SPREAD: f64 = 1.6;

/// Velocity of the softest hits that both agree on: samplers are nearly silent below.
const SOFTEST_VELOCITY: f64 = 10.0;

/// The velocity 1..=127 by the level of a hit, and by the network in steps of 1/255.
pub fn combined(by_level: u8, by_network: Option<u8>) -> u8 {
    let Some(by_network) = by_network else {
        return by_level;
    };
    let by_network = f64::from(by_network) * 127.0 / 255.0;
    let mean = f64::from(by_level) + NETWORK_SHARE * (by_network - f64::from(by_level));
    let velocity = LOUDEST_VELOCITY + SPREAD * (mean - LOUDEST_VELOCITY);
    velocity.round().clamp(SOFTEST_VELOCITY, 127.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 32_000;

    #[test]
    fn the_networks_velocity_moves_that_of_the_level() {
        assert_eq!(combined(100, None), 100);
        assert_eq!(combined(100, Some(255)), 104);
        assert_eq!(combined(100, Some(0)), 43);
        assert_eq!(combined(1, Some(0)), 10);
    }

    /// A kick-like sine of 60 Hz and a hat-like one of 9 kHz, each from its onset on.
    fn two_hits(kick: f32, hat: f32) -> Vec<f32> {
        let burst = |n: usize, at: usize, hz: f32, gain: f32| {
            let t = (n as f32 - at as f32) / RATE as f32;
            if t < 0.0 {
                return 0.0;
            }
            gain * (-t * 30.0).exp() * (std::f32::consts::TAU * hz * t).sin()
        };
        (0..32_000)
            .map(|n| burst(n, 8_000, 60.0, kick) + burst(n, 20_000, 9_000.0, hat))
            .collect()
    }

    fn strengths(audio: &[f32], block: usize) -> (f64, f64) {
        let (mut levels, mut meter) = (BandLevels::new(RATE), StrengthMeter::default());
        audio.chunks(block).for_each(|b| levels.push(b));
        let kick = strength_db(&mut meter, &levels, DrumClass::Kick, 0.25);
        levels.drop_before(2_000);
        let hat = strength_db(&mut meter, &levels, DrumClass::ClosedHat, 0.625);
        (kick, hat)
    }

    fn strength_db(
        meter: &mut StrengthMeter,
        levels: &BandLevels,
        class: DrumClass,
        onset_seconds: f64,
    ) -> f64 {
        let measured = (
            peak_db(levels, onset_seconds),
            band_db(levels, class, onset_seconds),
        );
        meter.strength_db(class, measured)
    }

    #[test]
    fn strength_follows_the_hit_and_not_the_blocks() {
        let loud = strengths(&two_hits(0.5, 0.5), 512);
        let soft = strengths(&two_hits(0.25, 0.05), 512);
        assert!((loud.0 - soft.0 - 6.02).abs() < 0.1, "{loud:?} {soft:?}");
        assert!((loud.1 - soft.1 - 20.0).abs() < 0.5, "{loud:?} {soft:?}");
        assert_eq!(loud, strengths(&two_hits(0.5, 0.5), 37));
    }

    #[test]
    fn hits_at_the_end_and_in_silence_have_a_finite_strength() {
        let (mut levels, mut meter) = (BandLevels::new(RATE), StrengthMeter::default());
        levels.push(&[0.0; 100]);
        for onset_seconds in [5.0, -1.0] {
            let strength_db = strength_db(&mut meter, &levels, DrumClass::Snare, onset_seconds);
            assert!(strength_db.is_finite());
        }
    }

    #[test]
    fn velocities_keep_the_order_and_do_not_depend_on_the_gain() {
        let strengths = [-12.0, -20.0, -30.0, -14.0, -11.0, -45.0];
        let velocities = |gain_db: f64| {
            let mut scale = VelocityScale::default();
            strengths.map(|s| scale.velocity(s + gain_db))
        };
        let v = velocities(0.0);
        assert_eq!(v, velocities(-20.0));
        assert!(v[4] > v[3] && v[3] > v[1] && v[1] > v[2] && v[2] > v[5]);
        assert!((100..=127).contains(&v[0]), "{v:?}");
    }
}
