//! One invented drum: modal membranes and plates, noise bands with velocity-dependent brightness,
//! analogue-like sweeps.

mod invention;

use std::f32::consts::TAU;

use rand::Rng;

use crate::SAMPLE_RATE;
use crate::bank::ONSET_SAMPLE;
use crate::dsp::{Biquad, peak, saturate, uniform};
use crate::procedural::character::Character;

const RATE: f32 = SAMPLE_RATE as f32;

/// One decaying sine whose pitch falls from `hz * (1 + bend)` with time constant `bend_seconds`.
struct Mode {
    hz: f32,
    amplitude: f32,
    t60: f32,
    bend: f32,
    bend_seconds: f32,
}

fn add_mode(audio: &mut [f32], mode: &Mode, phase: f32) {
    let decay = (-6.907 / (mode.t60 * RATE)).exp();
    let bend_decay = (-1.0 / (mode.bend_seconds * RATE)).exp();
    let (mut level, mut bend, mut angle) = (mode.amplitude, mode.bend, phase);
    for x in audio {
        if level < 1e-5 {
            break;
        }
        *x += level * angle.sin();
        angle += TAU * mode.hz * (1.0 + bend) / RATE;
        if angle > TAU {
            angle -= TAU;
        }
        level *= decay;
        bend *= bend_decay;
    }
}

/// Noise around `hz` with its own decay.
fn add_noise(
    rng: &mut impl Rng,
    audio: &mut [f32],
    hz: f32,
    q: f32,
    amplitude: f32,
    t60: f32,
    attack_seconds: f32,
) {
    let length = ((t60 * 1.1 * RATE) as usize).clamp(16, audio.len());
    let mut noise: Vec<f32> = (0..length)
        .map(|_| rng.random::<f32>() * 2.0 - 1.0)
        .collect();
    Biquad::band_pass(hz, q).run(&mut noise);
    let decay = (-6.907 / (t60 * RATE)).exp();
    let rise = 1.0 / (attack_seconds * RATE).max(1.0);
    let (mut level, mut attack) = (
        amplitude * (hz / 1_000.0 / q).max(0.3).sqrt().recip(),
        0.0f32,
    );
    for (x, n) in audio.iter_mut().zip(noise) {
        attack = (attack + rise).min(1.0);
        *x += level * attack * n;
        level *= decay;
    }
}

struct NoiseBand {
    hz: f32,
    q: f32,
    amplitude: f32,
    t60: f32,
    attack_seconds: f32,
}

/// One drum: its modes and noise bands at full strength.
pub(super) struct Voice {
    seconds: f32,
    modes: Vec<Mode>,
    noise: Vec<NoiseBand>,
    /// How much darker the softest stroke is, in octaves of a low-pass.
    dulling_octaves: f32,
    /// Repeated bursts before the tail (claps, tambourines, shakers), seconds apart.
    bursts: Vec<f32>,
}

impl Voice {
    pub(super) fn strike(&self, rng: &mut impl Rng, strength: f32, c: &Character) -> Vec<i16> {
        let length = ((self.seconds * RATE) as usize).clamp(3_200, 3 * SAMPLE_RATE as usize);
        let mut audio = vec![0.0f32; length];
        for mode in &self.modes {
            let varied = Mode {
                amplitude: mode.amplitude * uniform(rng, 0.75, 1.25),
                bend: mode.bend * (0.4 + 0.6 * strength),
                ..*mode
            };
            let phase = if self.modes.len() > 10 {
                uniform(rng, 0.0, TAU)
            } else {
                uniform(rng, 0.0, 0.6)
            };
            add_mode(&mut audio, &varied, phase);
        }
        let brightness = 0.35 + 0.65 * strength;
        for band in &self.noise {
            let amplitude = band.amplitude * brightness * uniform(rng, 0.85, 1.15);
            for start in std::iter::once(&0.0).chain(&self.bursts) {
                let at = (start * RATE) as usize;
                // All bursts but the last are cut short.
                let t60 = if at > 0 || self.bursts.is_empty() {
                    band.t60
                } else {
                    band.t60.min(0.02)
                };
                add_noise(
                    rng,
                    &mut audio[at..],
                    band.hz,
                    band.q,
                    amplitude,
                    t60,
                    band.attack_seconds,
                );
            }
        }
        Biquad::low_pass(
            15_000.0 * 2f32.powf(-self.dulling_octaves * (1.0 - strength)),
            0.6,
        )
        .run(&mut audio);
        Biquad::high_pass(25.0, 0.7).run(&mut audio);
        if c.drive > 0.0 {
            saturate(&mut audio, c.drive);
        }
        let fade = 640.min(length);
        for (i, x) in audio[length - fade..].iter_mut().enumerate() {
            *x *= 1.0 - i as f32 / fade as f32;
        }
        let gain = 29_000.0 / peak(&audio).max(1e-6);
        std::iter::repeat_n(0i16, ONSET_SAMPLE)
            .chain(audio.iter().map(|x| (x * gain) as i16))
            .collect()
    }
}
