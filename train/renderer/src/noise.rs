//! What else a microphone picks up: room tone, handling, chairs, feet, sticks, talk. None of it is
//! a stroke; detectors that normalise the level take it for one.

use std::f32::consts::TAU;

use rand::Rng;
use rand::seq::IndexedRandom;

use crate::SAMPLE_RATE;
use crate::accompaniment::voice::sing;
use crate::dsp::{Biquad, amplitude, chance, log_uniform, mix, normal, peak, rms, scale, uniform};

const RATE: f32 = SAMPLE_RATE as f32;

fn samples(seconds: f32) -> usize {
    (seconds * RATE) as usize
}

fn white(rng: &mut impl Rng, length: usize) -> Vec<f32> {
    (0..length)
        .map(|_| rng.random::<f32>() * 2.0 - 1.0)
        .collect()
}

/// Exponential fall by 60 dB in `t60` after a linear rise.
fn fall(sound: &mut [f32], rise: f32, t60: f32) {
    let step = (-6.907 / (t60 * RATE)).exp();
    let (mut level, rise) = (1.0f32, (rise * RATE).max(1.0));
    for (i, x) in sound.iter_mut().enumerate() {
        *x *= level * (i as f32 / rise).min(1.0);
        level *= step;
    }
}

fn modes(rng: &mut impl Rng, count: usize, hz: (f32, f32), t60: f32, rise: f32) -> Vec<f32> {
    let mut sound = vec![0.0f32; samples(t60)];
    for _ in 0..count {
        let mut mode = vec![0.0f32; sound.len()];
        let step = TAU * log_uniform(rng, hz.0, hz.1) / RATE;
        let phase = rng.random::<f32>() * TAU;
        for (i, x) in mode.iter_mut().enumerate() {
            *x = (phase + step * i as f32).sin();
        }
        fall(&mut mode, rise, t60 * uniform(rng, 0.4, 1.0));
        mix(&mut sound, &mode, uniform(rng, 0.2, 1.0));
    }
    sound
}

/// Short and dry: a switch, a tongue, a cable, a fingernail.
fn click(rng: &mut impl Rng) -> Vec<f32> {
    let t60 = log_uniform(rng, 0.002, 0.02);
    let mut sound = white(rng, samples(t60).max(32));
    Biquad::band_pass(log_uniform(rng, 800.0, 9_000.0), uniform(rng, 0.4, 3.0)).run(&mut sound);
    fall(&mut sound, 0.0002, t60);
    sound
}

/// A foot, a knee against a table, a door: low, with a soft start.
fn thump(rng: &mut impl Rng) -> Vec<f32> {
    let (t60, rise) = (log_uniform(rng, 0.06, 0.4), log_uniform(rng, 0.003, 0.025));
    let count = rng.random_range(1..=3);
    let mut sound = modes(rng, count, (35.0, 220.0), t60, rise);
    let mut dust = white(rng, sound.len());
    Biquad::low_pass(log_uniform(rng, 150.0, 1_200.0), 0.6).run(&mut dust);
    fall(&mut dust, rise, t60 * 0.4);
    mix(&mut sound, &dust, uniform(rng, 0.0, 1.5));
    sound
}

/// A chair, a floor board, a pedal without oil: it sticks and slips.
fn creak(rng: &mut impl Rng) -> Vec<f32> {
    let length = samples(log_uniform(rng, 0.1, 1.0));
    let mut sound = vec![0.0f32; length];
    let (from, to) = (log_uniform(rng, 15.0, 160.0), log_uniform(rng, 15.0, 160.0));
    let mut at = 0.0f32;
    while (at as usize) < length {
        let share = at / length as f32;
        sound[at as usize] = uniform(rng, 0.3, 1.0) * (share * TAU * 0.5).sin();
        at += RATE / (from + (to - from) * share) * uniform(rng, 0.85, 1.15);
    }
    for _ in 0..rng.random_range(2..=3) {
        let (hz, q) = (log_uniform(rng, 250.0, 3_500.0), uniform(rng, 3.0, 15.0));
        Biquad::bell(hz, q, uniform(rng, 12.0, 28.0)).run(&mut sound);
    }
    Biquad::low_pass(log_uniform(rng, 2_000.0, 9_000.0), 0.7).run(&mut sound);
    sound
}

/// Fingers on the recorder, cloth on the microphone, paper: noise whose level wanders.
fn rub(rng: &mut impl Rng) -> Vec<f32> {
    let length = samples(log_uniform(rng, 0.08, 1.6));
    let mut sound = white(rng, length);
    if chance(rng, 0.5) {
        Biquad::low_pass(log_uniform(rng, 120.0, 1_500.0), 0.6).run(&mut sound);
    } else {
        Biquad::band_pass(log_uniform(rng, 900.0, 9_000.0), uniform(rng, 0.4, 1.2)).run(&mut sound);
    }
    let grain = log_uniform(rng, 0.003, 0.08) * RATE;
    let (mut level, mut target, mut next) = (0.0f32, 0.0f32, 0.0f32);
    let pull = 1.0 - (-3.0 / grain).exp();
    for (i, x) in sound.iter_mut().enumerate() {
        if i as f32 >= next {
            target = if chance(rng, 0.4) {
                0.05
            } else {
                rng.random::<f32>()
            };
            next += grain * uniform(rng, 0.3, 1.7);
        }
        level += pull * (target - level);
        *x *= level * (i as f32 / 300.0).min(1.0) * ((length - i) as f32 / 600.0).min(1.0);
    }
    sound
}

/// Sticks against each other, a stand, a bottle, keys.
fn clank(rng: &mut impl Rng) -> Vec<f32> {
    if chance(rng, 0.5) {
        let t60 = log_uniform(rng, 0.015, 0.06);
        modes(rng, 3, (700.0, 3_500.0), t60, 0.0005)
    } else {
        let t60 = log_uniform(rng, 0.05, 0.7);
        let count = rng.random_range(3..=7);
        let rise = log_uniform(rng, 0.0005, 0.004);
        modes(rng, count, (900.0, 9_000.0), t60, rise)
    }
}

/// A breath, a cough, a gust.
fn breath(rng: &mut impl Rng) -> Vec<f32> {
    let length = samples(log_uniform(rng, 0.06, 0.6));
    let mut sound = white(rng, length);
    Biquad::band_pass(log_uniform(rng, 60.0, 3_000.0), uniform(rng, 0.3, 1.5)).run(&mut sound);
    let peak_at = uniform(rng, 0.05, 0.6);
    for (i, x) in sound.iter_mut().enumerate() {
        let t = i as f32 / length as f32;
        *x *= if t < peak_at {
            t / peak_at
        } else {
            (1.0 - t) / (1.0 - peak_at)
        };
    }
    sound
}

/// Somebody says something: recorded speech where there is any.
fn words(rng: &mut impl Rng, talk: &[Vec<i16>], length: usize) -> Vec<f32> {
    match talk.choose(rng) {
        Some(speech) if chance(rng, 0.8) => spoken(rng, speech, length),
        _ => sing(rng, length),
    }
}

/// A part of some speech, faded at its ends.
pub fn spoken(rng: &mut impl Rng, speech: &[i16], length: usize) -> Vec<f32> {
    let start = rng.random_range(0..speech.len().saturating_sub(length).max(1));
    let part = speech.iter().skip(start).take(length);
    let mut sound: Vec<f32> = part.map(|x| f32::from(*x) / 32_768.0).collect();
    let count = sound.len();
    for (i, x) in sound.iter_mut().enumerate() {
        *x *= (i.min(count - i) as f32 / 400.0).min(1.0);
    }
    sound
}

/// One event, peak 1.
pub fn incident(rng: &mut impl Rng, talk: &[Vec<i16>]) -> Vec<f32> {
    let mut sound = match rng.random_range(0..14) {
        0 | 1 => click(rng),
        2 | 3 => thump(rng),
        4 | 5 => creak(rng),
        6..=8 => rub(rng),
        9 | 10 => clank(rng),
        11 => breath(rng),
        _ => {
            let length = samples(log_uniform(rng, 0.3, 3.0));
            words(rng, talk, length)
        }
    };
    let top = peak(&sound).max(1e-6);
    scale(&mut sound, 1.0 / top);
    sound
}

/// Events at random times over all of `audio`, peaks from `quietest_db` to `loudest_db`.
pub fn incidents(
    rng: &mut impl Rng,
    audio: &mut [f32],
    talk: &[Vec<i16>],
    per_second: f32,
    quietest_db: f32,
    loudest_db: f32,
) {
    let mut at = 0.0f32;
    loop {
        at += -(1.0 - rng.random::<f32>()).ln() / per_second;
        let first = samples(at);
        if first >= audio.len() {
            return;
        }
        let sound = incident(rng, talk);
        // A hand or a chair seldom moves once.
        for repetition in 0..if chance(rng, 0.3) {
            rng.random_range(2..6)
        } else {
            1
        } {
            let start = first + samples(repetition as f32 * uniform(rng, 0.05, 0.4));
            if let Some(rest) = audio.get_mut(start..) {
                let gain = amplitude(uniform(rng, quietest_db, loudest_db));
                mix(rest, &sound, gain);
            }
        }
    }
}

/// The bed of a place: air, traffic, fans, hum, hiss. Its rms is 1.
pub fn room_tone(rng: &mut impl Rng, length: usize) -> Vec<f32> {
    let mut bed = white(rng, length);
    match rng.random_range(0..4) {
        0 => {}
        1 => Biquad::low_pass(log_uniform(rng, 100.0, 1_000.0), 0.5).run(&mut bed),
        2 => {
            Biquad::low_pass(log_uniform(rng, 80.0, 400.0), 0.5).run(&mut bed);
            let hiss = white(rng, length);
            mix(&mut bed, &hiss, log_uniform(rng, 0.003, 0.1));
        }
        _ => {
            // About 3 dB less each octave.
            Biquad::high_shelf(400.0, -8.0).run(&mut bed);
            Biquad::high_shelf(3_000.0, -9.0).run(&mut bed);
        }
    }
    if chance(rng, 0.3) {
        let (hz, q) = (log_uniform(rng, 80.0, 1_500.0), uniform(rng, 2.0, 8.0));
        Biquad::bell(hz, q, uniform(rng, 6.0, 20.0)).run(&mut bed);
    }
    let level = rms(&bed).max(1e-9);
    scale(&mut bed, 1.0 / level);
    if chance(rng, 0.25) {
        let hz = if chance(rng, 0.5) { 50.0 } else { 60.0 };
        let gain = log_uniform(rng, 0.2, 2.0);
        let step = TAU * hz / RATE;
        for (i, x) in bed.iter_mut().enumerate() {
            let angle = step * i as f32;
            *x += gain * (angle.sin() + 0.5 * (3.0 * angle).sin() + 0.25 * (5.0 * angle).sin());
        }
    }
    if chance(rng, 0.3) {
        let (rate, depth) = (log_uniform(rng, 0.1, 3.0), uniform(rng, 0.1, 0.7));
        let phase = rng.random::<f32>() * TAU;
        for (i, x) in bed.iter_mut().enumerate() {
            *x *= 1.0 + depth * (phase + TAU * rate * i as f32 / RATE).sin();
        }
    }
    let level = rms(&bed).max(1e-9);
    scale(&mut bed, 1.0 / level);
    bed
}

/// Sparse clicks of a worn disc or tape, peaks around 1.
pub fn crackle(rng: &mut impl Rng, length: usize, per_second: f32) -> Vec<f32> {
    let mut audio = vec![0.0f32; length];
    for _ in 0..(length as f32 / RATE * per_second) as usize {
        let at = rng.random_range(0..length);
        audio[at] += normal(rng, 0.4);
    }
    Biquad::low_pass(log_uniform(rng, 2_000.0, 9_000.0), 0.7).run(&mut audio);
    audio
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn every_event_is_finite_and_its_peak_is_one() {
        for seed in 0..60 {
            let sound = incident(&mut ChaCha8Rng::seed_from_u64(seed), &[]);
            assert!(sound.iter().all(|x| x.is_finite()), "seed {seed}");
            assert!((peak(&sound) - 1.0).abs() < 1e-3, "seed {seed}");
        }
    }

    #[test]
    fn a_bed_has_level_one_and_events_stay_in_their_range() {
        for seed in 0..12 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            assert!((rms(&room_tone(&mut rng, 32_000)) - 1.0).abs() < 1e-3);
            let mut audio = vec![0.0f32; 64_000];
            incidents(&mut rng, &mut audio, &[], 1.0, -40.0, -40.0);
            assert!(peak(&audio) < 0.2, "seed {seed}");
        }
    }
}
