//! Electric guitars and basses through modelled amplifiers.

use std::sync::Arc;

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rustysynth::SoundFont;

use super::song::{RATE, SCALE, Song, note};
use crate::accompaniment::excerpt::{EXCERPT_SAMPLES, PoolNote, synthesize};
use crate::accompaniment::touch::touch;
use crate::dsp::{
    Biquad, amplitude, chance, compress, log_uniform, mix, normal, peak, run_all, saturate, scale,
    tanh, uniform,
};

/// Chugs and power chords, played twice as records have them, through a high-gain amplifier.
pub(super) fn guitars(
    rng: &mut ChaCha8Rng,
    song: &Song,
    font: &Arc<SoundFont>,
) -> Option<(Vec<f32>, Vec<PoolNote>)> {
    let figure: Vec<(bool, bool)> = {
        let density = uniform(rng, 0.35, 0.95);
        let open = uniform(rng, 0.05, 0.6);
        (0..32)
            .map(|i| (i % 8 == 0 || chance(rng, density), chance(rng, open)))
            .collect()
    };
    let jumps: Vec<u8> = (0..32)
        .map(|_| {
            if chance(rng, 0.2) {
                *SCALE.choose(rng).unwrap_or(&0)
            } else {
                0
            }
        })
        .collect();
    let program = *[27u8, 27, 26, 28, 25].choose(rng).unwrap_or(&27);
    let mut notes = Vec::new();
    for index in 0..song.steps() {
        let (played, open) = figure[index % 32];
        if !played {
            continue;
        }
        let t = index as f32 * song.step;
        let root = song.root(index) + 12 + jumps[index % 32];
        if open {
            let until = (1..17).find(|n| figure[(index + n) % 32].0).unwrap_or(16);
            let length = until as f32 * song.step * uniform(rng, 0.8, 1.0);
            for interval in [0, 7, 12] {
                notes.push(note(
                    t,
                    length,
                    root + interval,
                    uniform(rng, 85.0, 120.0),
                    program,
                ));
            }
        } else {
            let length = uniform(rng, 0.04, 0.09).min(song.step);
            notes.push(note(t, length, root, uniform(rng, 70.0, 115.0), 28));
            if chance(rng, 0.5) {
                notes.push(note(t, length, root + 7, uniform(rng, 60.0, 105.0), 28));
            }
        }
    }
    let amplifier = Amplifier::random(rng);
    let mut sum = vec![0.0f32; EXCERPT_SAMPLES];
    for take in 0..rng.random_range(1..=2) {
        let spread = if take == 0 { 0.003 } else { 0.01 };
        let played: Vec<PoolNote> = notes
            .iter()
            .map(|n| {
                let late = normal(rng, spread);
                note(
                    n.onset + late,
                    n.offset - n.onset,
                    n.key,
                    f32::from(n.velocity),
                    n.program,
                )
            })
            .collect();
        let mut stem = synthesize(font, &played, false)?;
        touch(rng, &mut stem, &played);
        amplifier.drive(rng, &mut stem);
        mix(&mut sum, &stem, 1.0);
    }
    Some((sum, notes))
}

/// A valve amplifier and its loudspeaker.
struct Amplifier {
    tight_hz: f32,
    gain: f32,
    bias: f32,
    cabinet: [Biquad; 6],
    /// Below this everything is silent.
    gate: Option<f32>,
}

impl Amplifier {
    fn random(rng: &mut impl Rng) -> Self {
        let top = log_uniform(rng, 3_300.0, 6_500.0);
        Self {
            tight_hz: log_uniform(rng, 80.0, 700.0),
            gain: amplitude(uniform(rng, 12.0, 56.0)),
            bias: uniform(rng, 0.0, 0.4),
            cabinet: [
                Biquad::high_pass(uniform(rng, 65.0, 120.0), 1.0),
                Biquad::bell(uniform(rng, 90.0, 160.0), 1.2, uniform(rng, 0.0, 6.0)),
                Biquad::bell(uniform(rng, 300.0, 800.0), 0.8, uniform(rng, -9.0, 2.0)),
                Biquad::bell(uniform(rng, 1_800.0, 3_800.0), 1.0, uniform(rng, 0.0, 9.0)),
                Biquad::low_pass(top, 0.9),
                Biquad::low_pass(top * uniform(rng, 1.0, 1.5), 0.8),
            ],
            gate: chance(rng, 0.4).then(|| amplitude(uniform(rng, -50.0, -30.0))),
        }
    }

    fn drive(&self, rng: &mut impl Rng, stem: &mut [f32]) {
        let top = peak(stem).max(1e-6);
        scale(stem, 1.0 / top);
        let hiss = amplitude(uniform(rng, -85.0, -65.0));
        let fall = (-1.0 / (0.02 * RATE)).exp();
        let (mut level, mut open) = (0.0f32, 1.0f32);
        for x in stem.iter_mut() {
            if let Some(gate) = self.gate {
                level = x.abs().max(level * fall);
                let target = if level > gate { 1.0 } else { 0.0 };
                open += 0.005 * (target - open);
            }
            *x = open * (*x + hiss * (rng.random::<f32>() - 0.5));
        }
        Biquad::high_pass(self.tight_hz, 0.7).run(stem);
        for x in stem.iter_mut() {
            *x = tanh(*x * self.gain + self.bias) - tanh(self.bias);
        }
        Biquad::high_pass(40.0, 0.7).run(stem);
        for x in stem.iter_mut() {
            *x = tanh(1.5 * *x);
        }
        run_all(&self.cabinet, stem);
    }
}

pub(super) fn bass_guitar(
    rng: &mut ChaCha8Rng,
    song: &Song,
    font: &Arc<SoundFont>,
) -> Option<(Vec<f32>, Vec<PoolNote>)> {
    let slapped = chance(rng, 0.35);
    let program = if slapped {
        *[36u8, 37].choose(rng).unwrap_or(&36)
    } else {
        *[33u8, 34, 34].choose(rng).unwrap_or(&34)
    };
    let mask = rng.random::<u16>() | 0x8080;
    let notes: Vec<PoolNote> = (0..song.steps())
        .filter(|i| mask >> (15 - i % 16) & 1 == 1)
        .map(|i| {
            let octave = if slapped && i % 4 == 2 { 12 } else { 0 };
            let length = song.step * uniform(rng, 0.4, 1.8);
            let velocity = uniform(rng, 70.0, 120.0);
            note(
                i as f32 * song.step,
                length,
                song.root(i) + octave,
                velocity,
                program,
            )
        })
        .collect();
    let mut stem = synthesize(font, &notes, false)?;
    if slapped || chance(rng, 0.4) {
        touch(rng, &mut stem, &notes);
    }
    if chance(rng, 0.6) {
        saturate(&mut stem, log_uniform(rng, 1.0, 20.0));
    }
    if chance(rng, 0.5) {
        compress(&mut stem, uniform(rng, 6.0, 20.0), 5.0, 4.0, 120.0);
    }
    Some((stem, notes))
}

pub(super) fn lead(
    rng: &mut ChaCha8Rng,
    song: &Song,
    font: &Arc<SoundFont>,
) -> Option<(Vec<f32>, Vec<PoolNote>)> {
    let mut notes = Vec::new();
    let mut index = 0;
    while index < song.steps() {
        let long = rng.random_range(1..9usize);
        if chance(rng, 0.7) {
            let key = song.root(index)
                + 24
                + SCALE.choose(rng).unwrap_or(&0)
                + 12 * u8::from(chance(rng, 0.5));
            let length = long as f32 * song.step;
            notes.push(note(
                index as f32 * song.step,
                length,
                key,
                uniform(rng, 70.0, 115.0),
                27,
            ));
        }
        index += long;
    }
    let mut stem = synthesize(font, &notes, true)?;
    Amplifier::random(rng).drive(rng, &mut stem);
    Some((stem, notes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::rms;
    use rand::SeedableRng;

    #[test]
    fn an_amplifier_evens_out_what_is_played() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let amplifier = Amplifier {
            gain: amplitude(40.0),
            gate: None,
            ..Amplifier::random(&mut rng)
        };
        let mut stem: Vec<f32> = (0..64_000)
            .map(|i| (i as f32 * 0.02).sin() * if i < 32_000 { 1.0 } else { 0.1 })
            .collect();
        amplifier.drive(&mut rng, &mut stem);
        let (loud, soft) = (rms(&stem[8_000..30_000]), rms(&stem[40_000..62_000]));
        assert!(soft > 0.5 * loud, "{loud} {soft}");
    }
}
