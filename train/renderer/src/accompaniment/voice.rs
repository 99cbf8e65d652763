//! Voice-like interference: sung vowels, breath and consonants. Consonants are what drum detectors
//! take for hats and snares; every one of them is a negative example.

use rand::Rng;

use crate::SAMPLE_RATE;
use crate::accompaniment::excerpt::{EXCERPT_SAMPLES, PoolNote};
use crate::dsp::{Biquad, chance, log_uniform, mix, normal, peak, scale, uniform};

const RATE: f32 = SAMPLE_RATE as f32;

/// First three formants of some vowels in Hz (Peterson and Barney's averages, rounded).
const VOWELS: [[f32; 3]; 7] = [
    [730.0, 1090.0, 2440.0],
    [530.0, 1840.0, 2480.0],
    [270.0, 2290.0, 3010.0],
    [570.0, 840.0, 2410.0],
    [300.0, 870.0, 2240.0],
    [640.0, 1190.0, 2390.0],
    [490.0, 1350.0, 1690.0],
];

/// Sings or speaks for `length` samples, peak 1.
pub fn sing(rng: &mut impl Rng, length: usize) -> Vec<f32> {
    let mut audio = vec![0.0f32; length];
    let base_key = uniform(rng, 40.0, 72.0);
    let vibrato = uniform(rng, 0.0, 0.5);
    let size = log_uniform(rng, 0.85, 1.25);
    let sharpness = uniform(rng, 0.0, 1.0);
    let mut at = (uniform(rng, 0.0, 0.5) * RATE) as usize;
    while at < length {
        if chance(rng, 0.75) {
            let consonant = consonant(rng, size, sharpness);
            mix(&mut audio[at..], &consonant, 1.0);
            at += (consonant.len() as f32 * uniform(rng, 0.4, 1.0)) as usize;
        }
        if at >= length {
            break;
        }
        let seconds = log_uniform(rng, 0.06, 0.9);
        let key = base_key + f32::from(rng.random_range(-7i8..=7));
        let vowel = vowel(rng, key, seconds, vibrato, size);
        mix(&mut audio[at..], &vowel, uniform(rng, 0.5, 1.0));
        at += (seconds * RATE) as usize;
        if chance(rng, 0.3) {
            at += (log_uniform(rng, 0.03, 0.8) * RATE) as usize;
        }
    }
    let top = peak(&audio).max(1e-6);
    scale(&mut audio, 1.0 / top);
    audio
}

/// Sings the notes of a part for the length of an excerpt.
pub(super) fn sing_notes(rng: &mut impl Rng, notes: &[PoolNote]) -> Vec<f32> {
    let mut audio = vec![0.0f32; EXCERPT_SAMPLES];
    let (vibrato, size) = (uniform(rng, 0.0, 0.5), log_uniform(rng, 0.85, 1.25));
    let (sharpness, often) = (uniform(rng, 0.0, 0.7), uniform(rng, 0.0, 0.8));
    let detuned = normal(rng, 0.12);
    for note in notes {
        let at = ((note.onset.max(0.0) * RATE) as usize).min(audio.len());
        let gain = (f32::from(note.velocity) / 127.0).powf(1.5);
        if chance(rng, often) {
            let consonant = consonant(rng, size, sharpness);
            let from = at.saturating_sub(consonant.len());
            mix(&mut audio[from..], &consonant, gain);
        }
        let key = f32::from(note.key) + detuned + normal(rng, 0.1);
        let seconds = (note.offset - note.onset).max(0.06);
        let vowel = vowel(rng, key, seconds, vibrato, size);
        mix(&mut audio[at..], &vowel, gain);
    }
    audio
}

fn vowel(rng: &mut impl Rng, key: f32, seconds: f32, vibrato: f32, size: f32) -> Vec<f32> {
    let length = (seconds * RATE) as usize;
    let (glide, rate) = (uniform(rng, -3.0, 1.0), uniform(rng, 4.5, 6.5));
    let breath = uniform(rng, 0.005, 0.08);
    let mut phase = 0.0f32;
    let mut source: Vec<f32> = Vec::with_capacity(length);
    for i in 0..length {
        let t = i as f32 / RATE;
        let bend = glide * (-t / 0.06).exp() + vibrato * (std::f32::consts::TAU * rate * t).sin();
        let hz = 440.0 * 2f32.powf((key + bend - 69.0) / 12.0);
        phase += hz / RATE;
        phase -= phase.floor();
        // Glottal flow derivative, crudely: a slow rise and a fast closure.
        let pulse = if phase < 0.6 {
            (phase / 0.6 * std::f32::consts::PI).sin()
        } else {
            -2.5 * (-(phase - 0.6) * 18.0).exp()
        };
        source.push(pulse + breath * (rng.random::<f32>() * 2.0 - 1.0));
    }
    let formants = VOWELS[rng.random_range(0..VOWELS.len())];
    let mut out = vec![0.0f32; length];
    for (index, hz) in formants.into_iter().chain([3_500.0, 4_500.0]).enumerate() {
        let mut band = source.clone();
        Biquad::band_pass(hz * size, uniform(rng, 5.0, 11.0)).run(&mut band);
        mix(&mut out, &band, 0.6f32.powi(index as i32));
    }
    let (attack, release) = (
        uniform(rng, 0.01, 0.05) * RATE,
        uniform(rng, 0.02, 0.12) * RATE,
    );
    for (i, x) in out.iter_mut().enumerate() {
        *x *= (i as f32 / attack).min(1.0) * ((length - i) as f32 / release).min(1.0);
    }
    let top = peak(&out).max(1e-6);
    scale(&mut out, 1.0 / top);
    out
}

fn consonant(rng: &mut impl Rng, size: f32, sharpness: f32) -> Vec<f32> {
    let plosive = chance(rng, 0.45);
    let (seconds, hz, q) = if plosive {
        (
            log_uniform(rng, 0.01, 0.05),
            log_uniform(rng, 400.0, 6_000.0),
            0.8,
        )
    } else {
        (
            log_uniform(rng, 0.05, 0.22),
            log_uniform(rng, 2_500.0, 9_500.0),
            uniform(rng, 0.8, 3.0),
        )
    };
    let length = (seconds * RATE) as usize;
    let mut noise: Vec<f32> = (0..length)
        .map(|_| rng.random::<f32>() * 2.0 - 1.0)
        .collect();
    Biquad::band_pass(hz * size, q).run(&mut noise);
    for (i, x) in noise.iter_mut().enumerate() {
        let t = i as f32 / length as f32;
        *x *= if plosive {
            (-5.0 * t).exp()
        } else {
            (t * 4.0).min(1.0) * ((1.0 - t) * 4.0).min(1.0)
        };
    }
    let top = peak(&noise).max(1e-6);
    let loud = 0.1 + 0.7 * sharpness + normal(rng, 0.1).abs();
    scale(&mut noise, loud / top);
    noise
}
