//! How hard a drum was hit, measured on the audio.
//!
//! The strength of a hit is its peak level together with the level in the band where its kind of drum
//! lives: the first says how loud the moment was, the second how much of that was this drum. Strengths
//! are in dB of the recording; [`VelocityScale`] turns them into velocities relative to the loudest
//! hits heard so far, so that a quiet recording has the same velocities as a loud one.
//!
//! Measuring beat a trained velocity output on both human performances with known velocities (rank
//! correlation within a class .57 against .37) and annotated recordings (.67 against .39).

use std::collections::VecDeque;
use std::f64::consts::TAU;

use crate::event::DrumClass;

/// Each class is measured in one of these bands, in Hz.
const BANDS: [(f64, f64); 6] = [
    (30.0, 120.0),
    (150.0, 6_000.0),
    (60.0, 300.0),
    (6_000.0, 15_000.0),
    (3_000.0, 15_000.0),
    (500.0, 5_000.0),
];

/// By how many dB the peak of a lone hit lies above the level in its band, the median over rendered
/// kits. Only where the adaptation of [`StrengthMeter::strength_db`] starts from.
const PEAK_OVER_BAND_DB: [f64; BANDS.len()] = [10.9, 11.7, 9.9, 21.1, 15.5, 12.3];

/// Share of the peak in the strength; the rest is the band.
const PEAK_SHARE: f64 = 0.6;

/// The window of a hit in ms: from before its onset to after it, for the peak and for the band.
const BEFORE_MS: u64 = 3;
const PEAK_MS: u64 = 30;
const BAND_MS: u64 = 60;

/// Hits that the starting value of the band's offset weighs, and the most that the past weighs.
const OFFSET_PRIOR_HITS: f64 = 3.0;
const OFFSET_MEMORY_HITS: f64 = 40.0;

const fn band_of(class: DrumClass) -> usize {
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
        // Edges bent to where the bilinear transform puts them.
        let bent = |hz: f64| (TAU / 2.0 * (hz / rate_hz).min(0.49)).tan();
        let (low, high) = (bent(low_hz), bent(high_hz));
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

/// What is kept of one millisecond.
#[derive(Clone, Copy, Default)]
struct Millisecond {
    peak: f32,
    /// Sum of squares in each band.
    energy: [f32; BANDS.len()],
}

/// Follows the levels of one source. Samples go in as they come; results do not depend on the blocks.
pub struct StrengthMeter {
    filters: [BandPass; BANDS.len()],
    samples_per_ms: usize,
    current: Millisecond,
    current_samples: usize,
    /// The milliseconds from `first_ms` on.
    past: VecDeque<Millisecond>,
    first_ms: u64,
    /// Running offset of each class's band and how many hits it stands on.
    offsets_db: [(f64, f64); DrumClass::ALL.len()],
}

impl StrengthMeter {
    /// A meter before the first sample, at a whole number of samples per millisecond.
    pub fn new(sample_rate_hz: u32) -> Self {
        let rate_hz = f64::from(sample_rate_hz);
        Self {
            filters: BANDS.map(|(low, high)| BandPass::new(low, high, rate_hz)),
            samples_per_ms: (sample_rate_hz as usize / 1000).max(1),
            current: Millisecond::default(),
            current_samples: 0,
            past: VecDeque::new(),
            first_ms: 0,
            offsets_db: DrumClass::ALL.map(|c| (PEAK_OVER_BAND_DB[band_of(c)], OFFSET_PRIOR_HITS)),
        }
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
            if self.current_samples == self.samples_per_ms {
                self.past.push_back(std::mem::take(&mut self.current));
                self.current_samples = 0;
            }
        }
    }

    /// Strength in dB of a hit at `onset_seconds`. Call it in the order of the hits and before
    /// [`StrengthMeter::forget_before`] has passed them: each class's band is put on the scale of the
    /// peaks by the hits so far.
    pub fn strength_db(&mut self, class: DrumClass, onset_seconds: f64) -> f64 {
        let band = band_of(class);
        let onset_ms = (onset_seconds.max(0.0) * 1000.0) as u64;
        let peak = self
            .window(onset_ms, PEAK_MS)
            .fold(0.0f32, |peak, m| peak.max(m.peak));
        let energy: f32 = self.window(onset_ms, BAND_MS).map(|m| m.energy[band]).sum();
        let samples = (BEFORE_MS + BAND_MS) as f64 * self.samples_per_ms as f64;
        let peak_db = 20.0 * (f64::from(peak) + 1e-6).log10();
        let band_db = 10.0 * (f64::from(energy) / samples + 1e-12).log10();
        let (offset_db, hits) = &mut self.offsets_db[class.index()];
        *offset_db += (peak_db - band_db - *offset_db) / (*hits + 1.0);
        *hits = (*hits + 1.0).min(OFFSET_MEMORY_HITS);
        PEAK_SHARE * peak_db + (1.0 - PEAK_SHARE) * (band_db + *offset_db)
    }

    /// Lets go of everything before a time that no later hit lies before.
    pub fn forget_before(&mut self, seconds: f64) {
        let keep_from = ((seconds.max(0.0) * 1000.0) as u64).saturating_sub(BEFORE_MS);
        while self.first_ms < keep_from && self.past.pop_front().is_some() {
            self.first_ms += 1;
        }
    }

    fn window(&self, onset_ms: u64, length_ms: u64) -> impl Iterator<Item = &Millisecond> {
        let from = onset_ms
            .saturating_sub(BEFORE_MS)
            .saturating_sub(self.first_ms);
        let to = (onset_ms + length_ms).saturating_sub(self.first_ms);
        self.past
            .iter()
            .skip(from as usize)
            .take((to - from) as usize)
    }
}

/// Velocity of the loudest hits.
const LOUDEST_VELOCITY: f64 = 115.0;
/// Velocity steps for one dB: 40 dB below the loudest is a ghost note.
const VELOCITY_PER_DB: f64 = 2.4;
/// How fast the loudest hit is forgotten, in dB for each hit: a song may fade.
const FORGETTING_DB: f64 = 0.02;

/// Turns strengths into velocities, hit by hit.
#[derive(Clone, Copy, Debug, Default)]
pub struct VelocityScale {
    loudest_db: Option<f64>,
}

impl VelocityScale {
    /// MIDI velocity 1..=127 of the next hit.
    pub fn velocity(&mut self, strength_db: f64) -> u8 {
        let loudest_db = match self.loudest_db {
            // One loud moment does not push everything after it down: half of the surprise counts.
            Some(known) if strength_db > known => known + 0.5 * (strength_db - known),
            Some(known) => (known - FORGETTING_DB).max(strength_db),
            // The first hit is taken for a firm one.
            None => strength_db + 3.0,
        };
        self.loudest_db = Some(loudest_db);
        let velocity = LOUDEST_VELOCITY + VELOCITY_PER_DB * (strength_db - loudest_db);
        velocity.round().clamp(1.0, 127.0) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 32_000;

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
        let mut meter = StrengthMeter::new(RATE);
        audio.chunks(block).for_each(|b| meter.push(b));
        let kick = meter.strength_db(DrumClass::Kick, 0.25);
        meter.forget_before(0.5);
        (kick, meter.strength_db(DrumClass::ClosedHat, 0.625))
    }

    #[test]
    fn strength_follows_each_hit_and_not_the_blocks() {
        let loud = strengths(&two_hits(0.5, 0.5), 512);
        let soft = strengths(&two_hits(0.25, 0.05), 512);
        assert!((loud.0 - soft.0 - 6.02).abs() < 0.1, "{loud:?} {soft:?}");
        assert!((loud.1 - soft.1 - 20.0).abs() < 0.5, "{loud:?} {soft:?}");
        assert_eq!(loud, strengths(&two_hits(0.5, 0.5), 37));
    }

    #[test]
    fn a_hit_at_the_very_end_or_in_silence_is_no_error() {
        let mut meter = StrengthMeter::new(RATE);
        meter.push(&[0.0; 100]);
        assert!(meter.strength_db(DrumClass::Snare, 5.0).is_finite());
        assert!(meter.strength_db(DrumClass::Snare, -1.0).is_finite());
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
