//! What a segment shows, and small things that happen to drums in it.

use std::f32::consts::TAU;

use rand::Rng;
use rand::seq::IndexedRandom;

use super::lengths::LEAD_SAMPLES;
use crate::SAMPLE_RATE;
use crate::bank::ONSET_SAMPLE;
use crate::class::DrumClass;
use crate::dsp::{Biquad, amplitude, chance, log_uniform, uniform};
use crate::groove::Stroke;
use crate::perform::{Drums, Hit};

const RATE: f64 = SAMPLE_RATE as f64;

/// Kinds of segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scene {
    /// A drummer on a kit.
    Kit,
    /// One drum alone, with pauses and the noises of a room.
    Alone,
    /// A loop of a machine.
    Machine,
    /// Hand percussion, with or without a kit.
    Hand,
    /// A band or a voice.
    NoDrums,
    /// Handling, talk, room tone.
    Noise,
}

impl Scene {
    pub(super) fn random(rng: &mut impl Rng) -> Self {
        match rng.random::<f32>() {
            p if p < 0.50 => Self::Kit,
            p if p < 0.63 => Self::Alone,
            p if p < 0.74 => Self::Machine,
            p if p < 0.82 => Self::Hand,
            p if p < 0.96 => Self::NoDrums,
            _ => Self::Noise,
        }
    }

    pub(super) fn has_drums(self) -> bool {
        !matches!(self, Self::NoDrums | Self::Noise)
    }

    /// How often a band plays in it.
    pub(super) fn band(self) -> f32 {
        match self {
            Self::Kit => 0.6,
            Self::Machine => 0.5,
            Self::Hand => 0.35,
            Self::NoDrums => 0.85,
            Self::Alone | Self::Noise => 0.0,
        }
    }

    pub(super) fn voice(self) -> f32 {
        match self {
            Self::Kit | Self::Machine => 0.15,
            Self::Hand => 0.1,
            Self::NoDrums => 0.45,
            Self::Alone | Self::Noise => 0.0,
        }
    }
}

/// Nobody plays for some time.
pub(super) fn pause(rng: &mut impl Rng, strokes: &mut Vec<Stroke>, length: f64) {
    let from = f64::from(uniform(rng, -1.0, length as f32));
    let to = from + f64::from(log_uniform(rng, 0.5, 4.0));
    strokes.retain(|s| s.seconds < from || s.seconds > to);
}

/// Level of accompaniment goes down with every kick, as in dance music.
pub(super) fn duck(rng: &mut impl Rng, others: &mut [f32], hits: &[Hit]) {
    let depth = 1.0 - amplitude(-uniform(rng, 4.0, 20.0));
    let back = (-1.0 / (uniform(rng, 0.05, 0.3) * RATE as f32)).exp();
    let mut kicks: Vec<usize> = hits
        .iter()
        .filter(|h| h.stroke.class == DrumClass::Kick)
        .map(|h| LEAD_SAMPLES + (h.stroke.seconds * RATE) as usize)
        .collect();
    kicks.sort_unstable();
    let (mut next, mut lost) = (kicks.into_iter().peekable(), 0.0f32);
    for (i, x) in others.iter_mut().enumerate() {
        while next.next_if(|at| *at <= i).is_some() {
            lost = depth;
        }
        *x *= 1.0 - lost;
        lost *= back;
    }
}

/// Wire brushes that stir the snare's head: noise that swells with the beat.
pub(super) fn stir(rng: &mut impl Rng, others: &mut [f32]) {
    let mut noise: Vec<f32> = others
        .iter()
        .map(|_| rng.random::<f32>() * 2.0 - 1.0)
        .collect();
    Biquad::band_pass(log_uniform(rng, 1_200.0, 6_000.0), uniform(rng, 0.3, 0.9)).run(&mut noise);
    let step = TAU * log_uniform(rng, 0.8, 5.0) / RATE as f32;
    let (gain, phase) = (
        amplitude(uniform(rng, -38.0, -16.0)),
        rng.random::<f32>() * TAU,
    );
    let depth = uniform(rng, 0.3, 1.0);
    for (i, (x, n)) in others.iter_mut().zip(&noise).enumerate() {
        let swell = 0.5 + 0.5 * (phase + step * i as f32).sin();
        *x += gain * n * (1.0 - depth + depth * swell * swell);
    }
}

/// A hit that is played backwards: it swells and is cut off where it would begin.
pub(super) fn reversed(rng: &mut impl Rng, samples: &[i16], others: &mut [f32]) {
    let end = rng.random_range(0..others.len());
    let gain = amplitude(uniform(rng, -24.0, -3.0)) / 32_768.0;
    let sound = samples.get(ONSET_SAMPLE..).unwrap_or(&[]);
    for (x, s) in others[..end].iter_mut().rev().zip(sound) {
        *x += gain * f32::from(*s);
    }
}

/// Cuts a loop at its strokes and puts the pieces together anew, as samplers do.
pub(super) fn rearrange(rng: &mut impl Rng, drums: &mut Drums, length: usize) {
    /// Cuts lie so far before a stroke.
    const BEFORE: usize = 48;
    const FADE: usize = 32;
    let at = |hit: &Hit| LEAD_SAMPLES + (hit.stroke.seconds * RATE) as usize;
    let end = LEAD_SAMPLES + length;
    let mut cuts: Vec<usize> = Vec::new();
    for hit in &drums.hits {
        let cut = at(hit).saturating_sub(BEFORE);
        if cut >= LEAD_SAMPLES && cuts.last().is_none_or(|last| cut > last + 2_400) {
            cuts.push(cut);
        }
    }
    let Some(first) = cuts.first().copied().filter(|_| cuts.len() >= 4) else {
        return;
    };
    cuts.push(end);
    let source = drums.audio.clone();
    let hits = std::mem::take(&mut drums.hits);
    drums.hits.extend(hits.iter().filter(|h| at(h) < first));
    let (mut to, mut piece) = (first, rng.random_range(0..cuts.len() - 1));
    while to < end {
        let (from, mut until) = (cuts[piece], cuts[piece + 1]);
        if chance(rng, 0.1) {
            until = from + (until - from) / 2;
        }
        let count = (until - from).min(end - to);
        for i in 0..count {
            let fade = (i.min(count - i) as f32 / FADE as f32).min(1.0);
            drums.audio[to + i] = source[from + i] * fade;
        }
        for hit in hits
            .iter()
            .filter(|h| (from..from + count).contains(&at(h)))
        {
            let moved = (to as f64 - from as f64) / RATE;
            drums.hits.push(Hit {
                stroke: Stroke {
                    seconds: hit.stroke.seconds + moved,
                    ..hit.stroke
                },
                ..*hit
            });
        }
        to += count.max(1);
        piece = if chance(rng, 0.6) {
            piece + 1
        } else {
            rng.random_range(0..cuts.len() - 1)
        };
        piece %= cuts.len() - 1;
    }
    drums
        .hits
        .sort_by(|a, b| a.stroke.seconds.total_cmp(&b.stroke.seconds));
}

/// A class whose sounds are worth playing backwards.
pub(super) fn swelling(rng: &mut impl Rng) -> DrumClass {
    let classes = [
        DrumClass::Crash,
        DrumClass::Crash,
        DrumClass::Snare,
        DrumClass::OpenHat,
    ];
    *classes.choose(rng).unwrap_or(&DrumClass::Crash)
}
