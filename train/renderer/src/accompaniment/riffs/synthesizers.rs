//! Computed synthesizers.

use std::f32::consts::TAU;
use std::sync::Arc;

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rustysynth::SoundFont;

use super::song::{RATE, SCALE, Song, note};
use crate::accompaniment::excerpt::{EXCERPT_SAMPLES, EXCERPT_SECONDS, PoolNote, synthesize};
use crate::accompaniment::touch::touch;
use crate::dsp::{chance, log_uniform, normal, saturate, uniform};

/// Short chords of a piano or an organ.
pub(super) fn stabs(
    rng: &mut ChaCha8Rng,
    song: &Song,
    font: &Arc<SoundFont>,
) -> Option<(Vec<f32>, Vec<PoolNote>)> {
    let program = *[0u8, 1, 2, 4, 16, 17, 55, 61].choose(rng).unwrap_or(&0);
    let mask = rng.random::<u16>() & rng.random::<u16>() | 0x8000;
    let mut notes = Vec::new();
    for i in (0..song.steps()).filter(|i| mask >> (15 - i % 16) & 1 == 1) {
        let length = song.step * uniform(rng, 0.5, 2.5);
        for interval in [24, 27, 31, 36] {
            let velocity = uniform(rng, 65.0, 120.0);
            notes.push(note(
                i as f32 * song.step,
                length,
                song.root(i) + interval,
                velocity,
                program,
            ));
        }
    }
    let mut stem = synthesize(font, &notes, chance(rng, 0.5))?;
    if chance(rng, 0.4) {
        touch(rng, &mut stem, &notes);
    }
    Some((stem, notes))
}

/// An analogue voice: detuned saws or pulses, a filter that closes, an envelope.
pub(super) struct Voice {
    detune_cents: Vec<f32>,
    square: bool,
    cutoff_hz: f32,
    /// How many times higher the filter is at the start, and for how long.
    sweep: (f32, f32),
    attack: f32,
    decay: Option<f32>,
    release: f32,
}

impl Voice {
    fn play(&self, rng: &mut impl Rng, notes: &[PoolNote]) -> Vec<f32> {
        let mut audio = vec![0.0f32; EXCERPT_SAMPLES];
        for note in notes {
            self.strike(rng, note, &mut audio);
        }
        audio
    }

    fn strike(&self, rng: &mut impl Rng, note: &PoolNote, audio: &mut [f32]) {
        let hz = 440.0 * 2f32.powf((f32::from(note.key) - 69.0) / 12.0);
        let first = ((note.onset * RATE) as usize).min(audio.len());
        let held = ((note.offset - note.onset) * RATE) as usize;
        let length = (held + (3.0 * self.release * RATE) as usize).min(audio.len() - first);
        let mut oscillators: Vec<(f32, f32)> = self
            .detune_cents
            .iter()
            .map(|cents| (rng.random::<f32>(), hz * 2f32.powf(cents / 1200.0) / RATE))
            .collect();
        let strength = f32::from(note.velocity) / 127.0 / oscillators.len() as f32;
        let release = (-1.0 / (self.release * RATE)).exp();
        let decay = self.decay.map_or(1.0, |t| (-1.0 / (t * RATE)).exp());
        let close = (-1.0 / (self.sweep.1 * RATE)).exp();
        let (mut gain, mut open) = (strength, self.sweep.0);
        let (mut low, mut lower, mut pole) = (0.0f32, 0.0f32, 0.0f32);
        let attack = (self.attack * RATE).max(1.0);
        for (i, out) in audio[first..first + length].iter_mut().enumerate() {
            let mut sum = 0.0;
            for (phase, step) in &mut oscillators {
                sum += if self.square {
                    if *phase < 0.5 { 0.7 } else { -0.7 }
                } else {
                    2.0 * *phase - 1.0
                };
                *phase += *step;
                *phase -= phase.floor();
            }
            if i % 16 == 0 {
                let cutoff = (self.cutoff_hz * (1.0 + open)).min(14_000.0);
                pole = 1.0 - (-TAU * cutoff / RATE).exp();
            }
            low += pole * (sum - low);
            lower += pole * (low - lower);
            open *= close;
            gain *= if i > held { release } else { decay };
            *out += gain * (i as f32 / attack).min(1.0) * lower;
        }
    }
}

pub(super) fn detuned(rng: &mut impl Rng, most: usize) -> Vec<f32> {
    let spread = uniform(rng, 2.0, 25.0);
    let count = rng.random_range(1..=most);
    (0..count).map(|_| normal(rng, spread)).collect()
}

pub(super) fn pad(rng: &mut ChaCha8Rng, song: &Song) -> (Vec<f32>, Vec<PoolNote>) {
    let mut notes = Vec::new();
    for (bar, root) in song.roots.iter().enumerate() {
        let t = bar as f32 * 16.0 * song.step;
        for interval in [24, 31, 36, 39] {
            if t < EXCERPT_SECONDS as f32 - 0.1 {
                notes.push(note(t, 15.5 * song.step, root + interval, 90.0, 89));
            }
        }
    }
    let voice = Voice {
        detune_cents: detuned(rng, 5),
        square: chance(rng, 0.2),
        cutoff_hz: log_uniform(rng, 400.0, 5_000.0),
        sweep: (uniform(rng, 0.0, 2.0), uniform(rng, 0.2, 2.0)),
        attack: log_uniform(rng, 0.005, 0.8),
        decay: None,
        release: log_uniform(rng, 0.05, 0.6),
    };
    (voice.play(rng, &notes), notes)
}

pub(super) fn plucks(rng: &mut ChaCha8Rng, song: &Song) -> (Vec<f32>, Vec<PoolNote>) {
    let mask = rng.random::<u16>() | rng.random::<u16>() & 0xAAAA;
    let figure: Vec<u8> = (0..16)
        .map(|_| 24 + SCALE.choose(rng).unwrap_or(&0) + 12 * rng.random_range(0..2u8))
        .collect();
    let notes: Vec<PoolNote> = (0..song.steps())
        .filter(|i| mask >> (15 - i % 16) & 1 == 1)
        .map(|i| {
            let velocity = uniform(rng, 70.0, 115.0);
            let length = song.step * 0.8;
            note(
                i as f32 * song.step,
                length,
                song.root(i) + figure[i % 16],
                velocity,
                81,
            )
        })
        .collect();
    let voice = Voice {
        detune_cents: detuned(rng, 3),
        square: chance(rng, 0.4),
        cutoff_hz: log_uniform(rng, 200.0, 2_500.0),
        sweep: (log_uniform(rng, 1.0, 20.0), log_uniform(rng, 0.01, 0.15)),
        attack: log_uniform(rng, 0.0005, 0.005),
        decay: Some(log_uniform(rng, 0.05, 0.4)),
        release: log_uniform(rng, 0.01, 0.15),
    };
    (voice.play(rng, &notes), notes)
}

pub(super) fn sequenced_bass(rng: &mut ChaCha8Rng, song: &Song) -> (Vec<f32>, Vec<PoolNote>) {
    let mask = match rng.random_range(0..3) {
        0 => 0x2222u16,
        1 => 0xAAAA,
        _ => rng.random::<u16>() | 0x8000,
    };
    let notes: Vec<PoolNote> = (0..song.steps())
        .filter(|i| mask >> (15 - i % 16) & 1 == 1)
        .map(|i| {
            let length = song.step * uniform(rng, 0.5, 1.5);
            note(i as f32 * song.step, length, song.root(i), 110.0, 38)
        })
        .collect();
    let voice = Voice {
        detune_cents: detuned(rng, 2),
        square: chance(rng, 0.5),
        cutoff_hz: log_uniform(rng, 80.0, 1_500.0),
        sweep: (log_uniform(rng, 0.3, 15.0), log_uniform(rng, 0.02, 0.3)),
        attack: log_uniform(rng, 0.0005, 0.01),
        decay: chance(rng, 0.5).then(|| log_uniform(rng, 0.1, 0.6)),
        release: log_uniform(rng, 0.01, 0.1),
    };
    let mut stem = voice.play(rng, &notes);
    if chance(rng, 0.5) {
        saturate(&mut stem, log_uniform(rng, 1.0, 10.0));
    }
    (stem, notes)
}

/// Noise that rises over bars and stops.
pub(super) fn riser(rng: &mut ChaCha8Rng, song: &Song) -> Vec<f32> {
    let mut audio = vec![0.0f32; EXCERPT_SAMPLES];
    let length = (16.0 * song.step * RATE * uniform(rng, 1.0, 4.0)) as usize;
    let (from, to) = (
        log_uniform(rng, 200.0, 2_000.0),
        log_uniform(rng, 2_000.0, 12_000.0),
    );
    let (mut low, mut slow) = (0.0f32, 0.0f32);
    for (i, x) in audio.iter_mut().enumerate() {
        let share = (i % length) as f32 / length as f32;
        let pole = 1.0 - (-TAU * from * (to / from).powf(share) / RATE).exp();
        low += pole * (rng.random::<f32>() - 0.5 - low);
        slow += 0.3 * pole * (low - slow);
        *x = share * share * (low - slow);
    }
    audio
}
