//! Band levels of a source in steps of a quarter of a millisecond, one band for each kind of drum.
//!
//! Velocities ([`super::velocity`]), onsets ([`super::onset_refinement`]) and the openness of
//! hi-hats ([`super::hihat_openness`]) are measured on them.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use hitscribe_core::DrumClass;

/// Band edges in Hz.
const BANDS: [(f64, f64); 6] = [
    (30.0, 120.0),
    (150.0, 6_000.0),
    (60.0, 300.0),
    (6_000.0, 15_000.0),
    (3_000.0, 15_000.0),
    (500.0, 5_000.0),
];

/// Number of bands.
pub const BAND_COUNT: usize = BANDS.len();
/// Steps in a second.
pub const STEPS_PER_SECOND: u32 = 4_000;

/// Index of the band in which hits of a class are measured.
pub const fn band_of(class: DrumClass) -> usize {
    match class {
        DrumClass::Kick => 0,
        DrumClass::Snare | DrumClass::SideStick | DrumClass::Clap => 1,
        DrumClass::HighTom | DrumClass::MidTom | DrumClass::LowTom | DrumClass::FloorTom => 2,
        DrumClass::ClosedHat | DrumClass::PedalHat | DrumClass::OpenHat => 3,
        DrumClass::Tambourine | DrumClass::Shaker => 3,
        DrumClass::Crash
        | DrumClass::Ride
        | DrumClass::RideBell
        | DrumClass::China
        | DrumClass::Splash => 4,
        DrumClass::Cowbell => 5,
    }
}

/// Levels of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// Largest absolute sample.
    pub peak: f32,
    /// Sum of squares in each band.
    pub energy: [f32; BAND_COUNT],
}

/// Measures the levels of one source. Results do not depend on how the samples are cut into blocks.
pub struct BandLevels {
    filters: [BandPass; BAND_COUNT],
    samples_per_step: usize,
    current: Step,
    current_samples: usize,
    /// The steps from `first_step` on.
    past: VecDeque<Step>,
    first_step: u64,
}

impl BandLevels {
    /// No levels yet. The rate should be a multiple of [`STEPS_PER_SECOND`].
    pub fn new(sample_rate_hz: u32) -> Self {
        let rate_hz = f64::from(sample_rate_hz);
        Self {
            filters: BANDS.map(|(low, high)| BandPass::new(low, high, rate_hz)),
            samples_per_step: (sample_rate_hz / STEPS_PER_SECOND).max(1) as usize,
            current: Step::default(),
            current_samples: 0,
            past: VecDeque::new(),
            first_step: 0,
        }
    }

    /// Samples in a step.
    pub fn samples_per_step(&self) -> usize {
        self.samples_per_step
    }

    /// Takes the next samples.
    pub fn push(&mut self, samples: &[f32]) {
        for &x in samples {
            self.current.peak = self.current.peak.max(x.abs());
            for (filter, energy) in self.filters.iter_mut().zip(&mut self.current.energy) {
                let y = filter.next(f64::from(x)) as f32;
                *energy += y * y;
            }
            self.current_samples += 1;
            if self.current_samples == self.samples_per_step {
                self.past.push_back(std::mem::take(&mut self.current));
                self.current_samples = 0;
            }
        }
    }

    /// The steps from `from` to before `to`, as far as they are known.
    pub fn steps(&self, from: i64, to: i64) -> impl Iterator<Item = &Step> {
        let index = |step: i64| step.saturating_sub_unsigned(self.first_step).max(0) as usize;
        let (from, to) = (index(from), index(to));
        self.past.iter().skip(from).take(to.saturating_sub(from))
    }

    /// Energy of a band in one step; 0 if the step is not known.
    pub fn energy(&self, band: usize, step: i64) -> f32 {
        usize::try_from(step.saturating_sub_unsigned(self.first_step))
            .ok()
            .and_then(|index| self.past.get(index))
            .map_or(0.0, |step| step.energy[band])
    }

    /// Drops everything before a step.
    pub fn drop_before(&mut self, step: i64) {
        while self.first_step < step.max(0) as u64 && self.past.pop_front().is_some() {
            self.first_step += 1;
        }
    }
}

/// Second-order band-pass (bilinear, 0 dB at its centre), transposed direct form II.
#[derive(Clone, Copy)]
struct BandPass {
    b0: f64,
    a1: f64,
    a2: f64,
    s1: f64,
    s2: f64,
}

impl BandPass {
    fn new(low_hz: f64, high_hz: f64, rate_hz: f64) -> Self {
        // Prewarped for the bilinear transform.
        let warped = |hz: f64| (TAU / 2.0 * (hz / rate_hz).min(0.49)).tan();
        let (low, high) = (warped(low_hz), warped(high_hz));
        let (width, centre_squared) = (high - low, high * low);
        let a0 = 1.0 + width + centre_squared;
        Self {
            b0: width / a0,
            a1: 2.0 * (centre_squared - 1.0) / a0,
            a2: (1.0 - width + centre_squared) / a0,
            s1: 0.0,
            s2: 0.0,
        }
    }

    fn next(&mut self, x: f64) -> f64 {
        let y = self.b0 * x + self.s1;
        self.s1 = self.s2 - self.a1 * y;
        self.s2 = -self.b0 * x - self.a2 * y;
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_do_not_depend_on_blocks_and_are_dropped() {
        let samples: Vec<f32> = (0..3_210).map(|n| (n as f32 * 0.3).sin()).collect();
        let (mut whole, mut parts) = (BandLevels::new(32_000), BandLevels::new(32_000));
        whole.push(&samples);
        samples.chunks(37).for_each(|part| parts.push(part));
        let steps = |levels: &BandLevels| levels.steps(-5, 9_999).copied().collect::<Vec<_>>();
        assert_eq!(steps(&whole).len(), 3_210 / 8);
        assert_eq!(steps(&whole), steps(&parts));
        let energy = whole.energy(1, 200);
        whole.drop_before(150);
        assert_eq!(whole.energy(1, 200), energy);
        assert!(energy > 0.0 && whole.energy(1, 149) == 0.0 && whole.energy(1, 9_999) == 0.0);
        assert_eq!(whole.steps(100, 160).count(), 10);
    }
}
