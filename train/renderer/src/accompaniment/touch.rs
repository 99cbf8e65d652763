//! The noises of playing: picks, fingers, hammers, the body of a guitar, strings struck while
//! damped. SoundFonts hardly have them, recordings do, and detectors take them for drums.

use std::f32::consts::TAU;

use rand::Rng;

use crate::SAMPLE_RATE;
use crate::accompaniment::excerpt::PoolNote;
use crate::dsp::{Biquad, amplitude, chance, log_uniform, mix, normal, peak, uniform};

const RATE: f32 = SAMPLE_RATE as f32;

/// Adds the noises of one player, another one at every call, to `stem`, which plays `notes`.
pub(crate) fn touch(rng: &mut impl Rng, stem: &mut [f32], notes: &[PoolNote]) {
    let top = peak(stem);
    let attack = Burst::random(rng, (0.006, 0.07), (600.0, 7_000.0));
    let attack_gain = top * amplitude(uniform(rng, -36.0, -10.0));
    let body = chance(rng, 0.4).then(|| body(rng));
    let body_gain = top * amplitude(uniform(rng, -32.0, -12.0));
    let mut last_onset = f32::NEG_INFINITY;
    for note in notes {
        let strength = f32::from(note.velocity) / 127.0;
        let at = note.onset.max(0.0);
        attack.strike(rng, stem, at, attack_gain * strength);
        // A chord meets the body once.
        if let Some(body) = &body
            && note.onset - last_onset > 0.03
        {
            add(stem, body, at, body_gain * strength * strength);
        }
        last_onset = note.onset;
    }
    if chance(rng, 0.2) {
        damped_strums(rng, stem, notes, top);
    }
}

/// A short noise of which no two are alike.
struct Burst {
    decay_seconds: f32,
    band: Biquad,
}

impl Burst {
    fn random(rng: &mut impl Rng, decay_seconds: (f32, f32), hz: (f32, f32)) -> Self {
        Self {
            decay_seconds: log_uniform(rng, decay_seconds.0, decay_seconds.1),
            band: Biquad::band_pass(log_uniform(rng, hz.0, hz.1), uniform(rng, 0.4, 1.5)),
        }
    }

    /// Adds one that has fallen by 60 dB after its decay.
    fn strike(&self, rng: &mut impl Rng, stem: &mut [f32], seconds: f32, gain: f32) {
        let decay = self.decay_seconds * (1.0 + normal(rng, 0.15)).clamp(0.5, 1.5);
        let mut noise: Vec<f32> = (0..(decay * RATE) as usize)
            .map(|i| {
                let fall = (-6.9 * i as f32 / (decay * RATE)).exp();
                fall * (rng.random::<f32>() * 2.0 - 1.0)
            })
            .collect();
        self.band.run(&mut noise);
        let loudest = peak(&noise).max(1e-6);
        let gain = gain * amplitude(normal(rng, 3.0));
        add(stem, &noise, seconds, gain / loudest);
    }
}

/// A wooden body or a frame that is knocked: two low modes.
fn body(rng: &mut impl Rng) -> Vec<f32> {
    let hz = log_uniform(rng, 65.0, 240.0);
    let (second, share) = (uniform(rng, 1.6, 2.6), uniform(rng, 0.0, 0.7));
    let decay = log_uniform(rng, 0.05, 0.25);
    (0..(decay * RATE) as usize)
        .map(|i| {
            let t = i as f32 / RATE;
            let rise = (t / 0.002).min(1.0);
            let modes = (TAU * hz * t).sin() + share * (TAU * hz * second * t).sin();
            rise * (-6.9 * t / decay).exp() * modes
        })
        .collect()
}

/// Strokes over damped strings, in the rhythm of the notes.
fn damped_strums(rng: &mut impl Rng, stem: &mut [f32], notes: &[PoolNote], top: f32) {
    let string = Burst::random(rng, (0.02, 0.09), (800.0, 5_000.0));
    let gain = top * amplitude(uniform(rng, -26.0, -8.0));
    let (often, step) = (uniform(rng, 0.05, 0.4), log_uniform(rng, 0.002, 0.012));
    for pair in notes.windows(2) {
        let gap = pair[1].onset - pair[0].onset;
        if !(0.1..1.0).contains(&gap) || !chance(rng, often) {
            continue;
        }
        let stroke = pair[0].onset + 0.5 * gap;
        let gain = gain * uniform(rng, 0.4, 1.0);
        for index in 0..rng.random_range(2..=6u8) {
            string.strike(rng, stem, stroke + f32::from(index) * step, gain);
        }
    }
}

fn add(stem: &mut [f32], sound: &[f32], seconds: f32, gain: f32) {
    let at = (seconds.max(0.0) * RATE) as usize;
    if let Some(rest) = stem.get_mut(at..) {
        mix(rest, sound, gain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::rms;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn noises_come_with_the_notes_and_are_softer_than_they() {
        let notes: Vec<PoolNote> = (1..4)
            .map(|i| PoolNote {
                onset: i as f32,
                offset: i as f32 + 0.5,
                key: 50,
                velocity: 100,
                program: 25,
            })
            .collect();
        let second = SAMPLE_RATE as usize;
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut stem = vec![0.0f32; 5 * second];
            // A tone far from the notes sets the level.
            stem[..second / 2].fill(0.5);
            touch(&mut rng, &mut stem, &notes);
            let heard = &stem[second / 2..];
            assert!(peak(heard) > 0.001 && peak(heard) < 0.5, "seed {seed}");
            let before = &stem[second * 9 / 10..second];
            let at_note = &stem[second..second * 11 / 10];
            assert!(rms(at_note) > rms(before), "seed {seed}");
        }
    }
}
