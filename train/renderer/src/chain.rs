//! What records it: telephones and tablets in a room, tape, discs, cassettes, small loudspeakers, a
//! bus that is driven too far. Mono, in place, without delay.

use std::f32::consts::TAU;

use hitscribe_dsp::RealFftPlanner;
use rand::Rng;

use crate::SAMPLE_RATE;
use crate::codec::lossy;
use crate::dsp::{
    Biquad, Room, amplitude, chance, clip, compress, log_uniform, mix, peak, random_eq, saturate,
    scale, sharp_low_pass, uniform,
};
use crate::noise::{crackle, room_tone};

const RATE: f32 = SAMPLE_RATE as f32;

/// A way of recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// As it is mixed.
    Clean,
    /// A telephone or a tablet somewhere in the room, with automatic gain.
    Phone,
    /// Mono tape or disc: narrow, worn, with hum.
    Vintage,
    /// Compact cassette.
    Cassette,
    /// Little left above some 3 to 6 kHz.
    Dull,
    /// Compressed, limited and clipped without mercy.
    Smashed,
    /// A codec at a low bit rate.
    Codec,
}

impl Chain {
    /// One at random; half of them clean.
    pub fn random(rng: &mut impl Rng) -> Self {
        match rng.random::<f32>() {
            p if p < 0.52 => Self::Clean,
            p if p < 0.67 => Self::Phone,
            p if p < 0.75 => Self::Vintage,
            p if p < 0.79 => Self::Cassette,
            p if p < 0.85 => Self::Dull,
            p if p < 0.92 => Self::Smashed,
            _ => Self::Codec,
        }
    }

    /// Whether so little is left at the top that it tells nothing any more.
    pub const fn is_dull(self) -> bool {
        matches!(self, Self::Vintage | Self::Dull)
    }

    /// The noise that comes before everything else in the chain, relative to a peak of 1; `None`
    /// where there is none worth a mention.
    pub fn floor(self, rng: &mut impl Rng, length: usize) -> Option<Vec<f32>> {
        let (low_db, high_db) = match self {
            Self::Phone => (-64.0, -42.0),
            Self::Vintage => (-58.0, -34.0),
            Self::Cassette => (-60.0, -40.0),
            _ => return None,
        };
        let mut bed = room_tone(rng, length);
        scale(&mut bed, amplitude(uniform(rng, low_db, high_db)));
        Some(bed)
    }

    /// Records `audio` in place.
    pub fn record(self, rng: &mut impl Rng, planner: &mut RealFftPlanner, audio: &mut [f32]) {
        match self {
            Self::Clean => {}
            Self::Phone => phone(rng, planner, audio),
            Self::Vintage => vintage(rng, planner, audio),
            Self::Cassette => cassette(rng, audio),
            Self::Dull => {
                let hz = log_uniform(rng, 2_800.0, 6_500.0);
                for _ in 0..rng.random_range(1..=2) {
                    Biquad::low_pass(hz, 0.6).run(audio);
                }
            }
            Self::Smashed => smashed(rng, planner, audio),
            Self::Codec => lossy(rng, planner, audio),
        }
    }
}

fn phone(rng: &mut impl Rng, planner: &mut RealFftPlanner, audio: &mut [f32]) {
    let (t60, delay_ms) = (log_uniform(rng, 0.15, 0.8), uniform(rng, 0.5, 8.0));
    let wet = amplitude(uniform(rng, -14.0, 2.0));
    let dry = audio.to_vec();
    Room::random(rng, t60, delay_ms).add(planner, &dry, wet, audio);
    Biquad::high_pass(log_uniform(rng, 45.0, 230.0), uniform(rng, 0.5, 0.9)).run(audio);
    if chance(rng, 0.7) {
        Biquad::low_pass(log_uniform(rng, 5_000.0, 15_000.0), 0.7).run(audio);
    }
    random_eq(rng, audio, 7.0);
    if chance(rng, 0.3) {
        clip(audio, uniform(rng, 0.5, 10.0));
    }
    if chance(rng, 0.75) {
        automatic_gain(rng, audio);
    }
    if chance(rng, 0.35) {
        lossy(rng, planner, audio);
    }
}

fn vintage(rng: &mut impl Rng, planner: &mut RealFftPlanner, audio: &mut [f32]) {
    if chance(rng, 0.7) {
        let t60 = log_uniform(rng, 0.15, 0.9);
        let wet = amplitude(uniform(rng, -20.0, -2.0));
        let dry = audio.to_vec();
        Room::random(rng, t60, 3.0).add(planner, &dry, wet, audio);
    }
    if chance(rng, 0.6) {
        let (depth, ratio) = (uniform(rng, 8.0, 24.0), uniform(rng, 2.0, 8.0));
        compress(
            audio,
            depth,
            ratio,
            uniform(rng, 2.0, 30.0),
            log_uniform(rng, 80.0, 500.0),
        );
    }
    saturate(audio, log_uniform(rng, 0.8, 6.0));
    Biquad::high_pass(log_uniform(rng, 50.0, 160.0), 0.7).run(audio);
    let edge_hz = log_uniform(rng, 3_800.0, 8_000.0);
    for _ in 0..rng.random_range(1..=2) {
        Biquad::low_pass(edge_hz, 0.7).run(audio);
    }
    random_eq(rng, audio, 6.0);
    waver(rng, audio, 0.0012);
    let top = peak(audio);
    if chance(rng, 0.5) {
        let per_second = log_uniform(rng, 1.0, 60.0);
        let clicks = crackle(rng, audio.len(), per_second);
        mix(audio, &clicks, top * amplitude(uniform(rng, -40.0, -16.0)));
    }
}

fn cassette(rng: &mut impl Rng, audio: &mut [f32]) {
    saturate(audio, log_uniform(rng, 0.6, 3.0));
    Biquad::high_shelf(log_uniform(rng, 3_000.0, 8_000.0), uniform(rng, -12.0, 2.0)).run(audio);
    Biquad::low_pass(log_uniform(rng, 8_000.0, 13_000.0), 0.7).run(audio);
    waver(rng, audio, 0.002);
    if chance(rng, 0.3) {
        // The tape leaves the head.
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..audio.len());
            let length = (log_uniform(rng, 0.02, 0.2) * RATE) as usize;
            let depth = uniform(rng, 0.2, 0.8);
            for (i, x) in audio[at..].iter_mut().take(length).enumerate() {
                *x *= 1.0 - depth * (i as f32 / length as f32 * TAU * 0.5).sin();
            }
        }
    }
}

fn smashed(rng: &mut impl Rng, planner: &mut RealFftPlanner, audio: &mut [f32]) {
    for _ in 0..rng.random_range(1..=2) {
        let (depth, ratio) = (uniform(rng, 18.0, 40.0), uniform(rng, 6.0, 20.0));
        let (attack, release) = (log_uniform(rng, 0.1, 25.0), log_uniform(rng, 25.0, 250.0));
        compress(audio, depth, ratio, attack, release);
    }
    if chance(rng, 0.6) {
        saturate(audio, log_uniform(rng, 2.0, 14.0));
    }
    if chance(rng, 0.6) {
        clip(audio, uniform(rng, 2.0, 12.0));
    }
    if chance(rng, 0.3) {
        sharp_low_pass(planner, audio, uniform(rng, 10_000.0, 15_500.0));
    }
}

/// Slow automatic gain: what is quiet comes up, as telephones do.
fn automatic_gain(rng: &mut impl Rng, audio: &mut [f32]) {
    let target = peak(audio) * amplitude(-uniform(rng, 3.0, 12.0));
    let most = amplitude(uniform(rng, 4.0, 24.0));
    let strength = uniform(rng, 0.5, 1.0);
    let fall = (-1.0 / (log_uniform(rng, 0.003, 0.08) * RATE)).exp();
    let rise = (-1.0 / (log_uniform(rng, 0.15, 2.5) * RATE)).exp();
    let (mut level, mut gain) = (target, 1.0f32);
    for (i, x) in audio.iter_mut().enumerate() {
        let now = x.abs();
        let c = if now > level { fall } else { rise };
        level = now + c * (level - now);
        if i % 16 == 0 {
            gain = (target / level.max(1e-7)).powf(strength).min(most);
        }
        *x *= gain;
    }
}

/// Wow and flutter: time bends by a fraction of a millisecond.
fn waver(rng: &mut impl Rng, audio: &mut [f32], depth: f32) {
    let waves: [(f32, f32, f32); 2] = [(0.4, 2.5), (4.0, 11.0)].map(|(low, high)| {
        let hz = log_uniform(rng, low, high);
        let speed = depth * rng.random::<f32>() / if low > 1.0 { 2.0 } else { 1.0 };
        // Samples of displacement for a speed that is off by so much.
        let width = (speed * RATE / (TAU * hz)).min(10.0);
        (width, TAU * hz / RATE, rng.random::<f32>() * TAU)
    });
    let source = audio.to_vec();
    for (i, x) in audio.iter_mut().enumerate() {
        let bend: f32 = waves
            .iter()
            .map(|(w, step, p)| w * (p + step * i as f32).sin())
            .sum();
        let whole = bend.floor();
        let share = bend - whole;
        let before = i
            .saturating_add_signed(whole as isize)
            .min(source.len() - 2);
        *x = source[before] * (1.0 - share) + source[before + 1] * share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const CHAINS: [Chain; 7] = [
        Chain::Clean,
        Chain::Phone,
        Chain::Vintage,
        Chain::Cassette,
        Chain::Dull,
        Chain::Smashed,
        Chain::Codec,
    ];

    #[test]
    fn a_click_stays_where_it_is_in_every_chain() {
        for chain in CHAINS {
            for seed in 0..6 {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let mut audio = vec![0.0f32; 48_000];
                for (i, x) in audio[24_000..24_400].iter_mut().enumerate() {
                    *x = (i as f32 * 0.4).sin() * (-(i as f32) / 80.0).exp();
                }
                chain.record(&mut rng, &mut RealFftPlanner::new(), &mut audio);
                assert!(audio.iter().all(|x| x.is_finite()), "{chain:?} {seed}");
                let top = peak(&audio);
                let first = audio.iter().position(|x| x.abs() > 0.3 * top).unwrap();
                // Two milliseconds; a room may be louder than the direct sound.
                let late = if chain == Chain::Phone { 1_500 } else { 64 };
                assert!(
                    (23_936..24_000 + late).contains(&first),
                    "{chain:?} {seed}: {first}"
                );
            }
        }
    }
}
