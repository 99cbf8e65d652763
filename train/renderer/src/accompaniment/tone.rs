//! An invented instrument.

use std::f32::consts::TAU;

use rand::Rng;

use crate::SAMPLE_RATE;
use crate::accompaniment::excerpt::{EXCERPT_SAMPLES, PoolNote};
use crate::dsp::{log_uniform, normal, uniform};

/// An invented instrument: partials that decay each at its own rate, and the noise of the attack.
pub(super) struct Tone {
    /// Amplitude of each partial.
    partials: Vec<f32>,
    /// How far partials are stretched: frequency `n f sqrt(1 + b n^2)`.
    inharmonicity: f32,
    attack_seconds: f32,
    release_seconds: f32,
    /// Decay time of the lowest partial at 220 Hz; none for what is bowed or blown.
    decay_seconds: Option<f32>,
    /// How much faster high partials and high notes decay.
    damping: f32,
    noise: f32,
    vibrato_cents: f32,
}

impl Tone {
    pub(super) fn invent(rng: &mut impl Rng, is_plucked: bool) -> Self {
        let tilt = uniform(rng, 0.4, 2.0);
        let even = uniform(rng, 0.1, 1.0);
        let partials = (1..=24)
            .map(|n: u8| {
                let odd_or_even = if n.is_multiple_of(2) { even } else { 1.0 };
                f32::from(n).powf(-tilt) * odd_or_even * normal(rng, 0.6).exp()
            })
            .collect();
        Self {
            partials,
            inharmonicity: if is_plucked {
                log_uniform(rng, 1e-5, 8e-4)
            } else {
                0.0
            },
            attack_seconds: if is_plucked {
                log_uniform(rng, 0.001, 0.008)
            } else {
                log_uniform(rng, 0.005, 0.08)
            },
            release_seconds: log_uniform(rng, 0.02, 0.25),
            decay_seconds: is_plucked.then(|| log_uniform(rng, 0.3, 3.0)),
            damping: uniform(rng, 0.2, 0.9),
            noise: log_uniform(rng, 0.003, 0.3),
            vibrato_cents: if is_plucked {
                0.0
            } else {
                uniform(rng, 0.0, 30.0)
            },
        }
    }

    pub(super) fn play(&self, rng: &mut impl Rng, notes: &[PoolNote]) -> Vec<f32> {
        let mut audio = vec![0.0; EXCERPT_SAMPLES];
        for note in notes {
            self.strike(rng, *note, &mut audio);
        }
        audio
    }

    fn strike(&self, rng: &mut impl Rng, note: PoolNote, audio: &mut [f32]) {
        const RATE: f32 = SAMPLE_RATE as f32;
        /// Samples between two steps of the vibrato.
        const BLOCK: usize = 64;
        let hz = 440.0 * 2f32.powf((f32::from(note.key) - 69.0) / 12.0);
        let first = (note.onset * RATE) as usize;
        let held = ((note.offset - note.onset) * RATE) as usize;
        let length = held + (self.release_seconds * 4.0 * RATE) as usize;
        let Some(out) = audio.get_mut(first..) else {
            return;
        };
        let length = length.min(out.len());
        let strength = f32::from(note.velocity) / 127.0;
        let mut sound = vec![0.0f32; length];
        let (rate, depth) = (
            uniform(rng, 4.5, 6.5) * TAU / RATE,
            self.vibrato_cents / 1200.0 * std::f32::consts::LN_2,
        );
        for (index, amplitude) in self.partials.iter().enumerate() {
            let n = (index + 1) as f32;
            let partial_hz = n * hz * (1.0 + self.inharmonicity * n * n).sqrt();
            if partial_hz > 0.45 * RATE {
                break;
            }
            // A soft stroke is a dull one.
            let mut level = amplitude * strength.powf(1.0 + 0.12 * n);
            let fade = self.decay_seconds.map_or(1.0, |seconds| {
                let seconds = seconds * (220.0 / partial_hz).powf(self.damping);
                (-1.0 / (seconds.max(0.02) * RATE)).exp()
            });
            let step = TAU * partial_hz / RATE;
            let (mut im, mut re) = (rng.random::<f32>() * TAU).sin_cos();
            for (block, samples) in sound.chunks_mut(BLOCK).enumerate() {
                if level < 1e-5 {
                    break;
                }
                let swing = 1.0 + depth * (rate * (block * BLOCK) as f32).sin();
                let (sin, cos) = (step * swing).sin_cos();
                for x in samples {
                    *x += level * im;
                    (re, im) = (re * cos - im * sin, re * sin + im * cos);
                    level *= fade;
                }
            }
        }
        let attack = (self.attack_seconds * RATE).max(1.0);
        let release = (-1.0 / (self.release_seconds * RATE)).exp();
        let noise_fade = (-1.0 / (0.01 * RATE)).exp();
        let (mut gain, mut noise) = (1.0, self.noise * strength);
        for (i, (x, y)) in sound.iter().zip(out).enumerate() {
            if i > held {
                gain *= release;
            }
            noise *= noise_fade;
            let hiss = noise * (rng.random::<f32>() * 2.0 - 1.0);
            *y += gain * (x * (i as f32 / attack).min(1.0) + hiss);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn an_invented_tone_sounds_where_the_note_is() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let note = PoolNote {
            onset: 1.0,
            offset: 1.5,
            key: 60,
            velocity: 90,
            program: 24,
        };
        let audio = Tone::invent(&mut rng, true).play(&mut rng, &[note]);
        let energy = |from: usize, to: usize| audio[from..to].iter().map(|x| x * x).sum::<f32>();
        assert_eq!(energy(0, 31_999), 0.0);
        assert!(energy(32_000, 35_200) > 1e-3);
        assert!(audio.iter().all(|x| x.is_finite()));
    }
}
