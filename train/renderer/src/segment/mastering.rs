//! What happens to a mix before it is a record.

use hitscribe_dsp::RealFftPlanner;
use rand::Rng;
use rand::seq::IndexedRandom;

use crate::SAMPLE_RATE;
use crate::class::DrumClass;
use crate::dsp::{
    Biquad, amplitude, chance, clip, compress, log_uniform, mix, peak, random_eq, saturate, scale,
    sharp_low_pass, steep_low_pass, uniform,
};
use crate::perform::Hit;

/// Most that a cut takes of the first stroke.
const LOST_ATTACK_SECONDS: f32 = 0.0015;

/// Silence, then the recording begins: often a few milliseconds before a hit or within its attack,
/// as clips are cut.
pub(super) fn start_late(rng: &mut impl Rng, audio: &mut [f32], hits: &mut Vec<Hit>) {
    // So late at most that most of a segment is left.
    let early = hits.partition_point(|hit| hit.stroke.seconds < 3.0);
    // Songs and loops begin with a cymbal more often than a stroke at random is one.
    let weight = |hit: &Hit| match hit.stroke.class {
        DrumClass::Crash | DrumClass::China | DrumClass::Splash | DrumClass::Ride => 5.0,
        _ => 1.0,
    };
    let seconds = match hits[..early].choose_weighted(rng, weight) {
        Err(_) => uniform(rng, 0.3, 2.5),
        Ok(hit) => {
            let before = match rng.random::<f32>() {
                p if p < 0.35 => uniform(rng, -LOST_ATTACK_SECONDS, 0.001),
                p if p < 0.75 => log_uniform(rng, 0.001, 0.03),
                _ => uniform(rng, 0.03, 0.4),
            };
            hit.stroke.seconds as f32 - before
        }
    };
    let start = ((seconds.max(0.0) * SAMPLE_RATE as f32) as usize).min(audio.len());
    audio[..start].fill(0.0);
    hits.retain(|hit| hit.stroke.seconds >= f64::from(seconds - LOST_ATTACK_SECONDS));
}

/// The finished record: tone, loudness, dirt, bandwidth, noise, level.
pub(crate) fn master(rng: &mut impl Rng, planner: &mut RealFftPlanner, audio: &mut [f32]) {
    if chance(rng, 0.3) {
        random_eq(rng, audio, 5.0);
    }
    if chance(rng, 0.3) {
        compress(
            audio,
            uniform(rng, 3.0, 15.0),
            uniform(rng, 1.5, 5.0),
            log_uniform(rng, 1.0, 40.0),
            log_uniform(rng, 40.0, 400.0),
        );
    }
    if chance(rng, 0.12) {
        saturate(audio, log_uniform(rng, 0.7, 6.0));
    }
    if chance(rng, 0.25) {
        clip(audio, uniform(rng, 1.0, 8.0));
    }
    if chance(rng, 0.28) {
        // A third of it at the usual place: 16 kHz material.
        let edge_hz = if chance(rng, 0.35) {
            uniform(rng, 7_000.0, 8_000.0)
        } else {
            log_uniform(rng, 4_000.0, 15_500.0)
        };
        if chance(rng, 0.7) {
            sharp_low_pass(planner, audio, edge_hz);
        } else {
            steep_low_pass(audio, edge_hz);
        }
    }
    if chance(rng, 0.08) {
        Biquad::high_pass(log_uniform(rng, 40.0, 250.0), 0.7).run(audio);
    }
    let top = peak(audio);
    if top > 1e-5 {
        scale(audio, 1.0 / top);
    } else {
        audio.fill(0.0);
    }
    if chance(rng, 0.4) {
        let (gain, tone) = (
            amplitude(uniform(rng, -90.0, -38.0)),
            log_uniform(rng, 500.0, 15_000.0),
        );
        let mut noise: Vec<f32> = audio
            .iter()
            .map(|_| rng.random::<f32>() * 3.4 - 1.7)
            .collect();
        if chance(rng, 0.6) {
            Biquad::low_pass(tone, 0.5).run(&mut noise);
        }
        mix(audio, &noise, gain);
    }
    if chance(rng, 0.04) {
        let step = std::f32::consts::TAU * (if chance(rng, 0.5) { 50.0 } else { 60.0 })
            / SAMPLE_RATE as f32;
        let gain = amplitude(uniform(rng, -70.0, -35.0));
        audio.iter_mut().enumerate().for_each(|(i, x)| {
            let angle = step * i as f32;
            *x += gain * (angle.sin() + 0.5 * (3.0 * angle).sin() + 0.3 * (5.0 * angle).sin());
        });
    }
    level(rng, audio);
}

/// Any polarity and level: peaks from -40 to 0 dB below full scale, now and then over it.
pub(super) fn level(rng: &mut impl Rng, audio: &mut [f32]) {
    let sign = if chance(rng, 0.5) { -1.0 } else { 1.0 };
    if chance(rng, 0.04) {
        scale(audio, sign * amplitude(uniform(rng, 0.0, 9.0)));
        audio.iter_mut().for_each(|x| *x = x.clamp(-1.0, 1.0));
    } else {
        scale(audio, sign * amplitude(uniform(rng, -40.0, 0.0)));
    }
}

/// A recording that nobody mastered.
pub(super) fn unmastered(rng: &mut impl Rng, audio: &mut [f32]) {
    let top = peak(audio);
    if top > 1e-5 {
        scale(audio, 1.0 / top);
    } else {
        audio.fill(0.0);
    }
    level(rng, audio);
}
