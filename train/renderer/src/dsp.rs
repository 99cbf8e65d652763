//! Small signal tools of the renderer: biquads, dynamics, reverberation, levels. Mono, in place.

mod biquad;

use std::f32::consts::PI;

use hitscribe_dsp::RealFftPlanner;
use rand::Rng;

use crate::SAMPLE_RATE;

pub use biquad::{Biquad, run_all};

const RATE: f32 = SAMPLE_RATE as f32;

/// Decibels to amplitude.
pub fn amplitude(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

/// Largest absolute sample.
pub fn peak(audio: &[f32]) -> f32 {
    audio.iter().fold(0.0, |peak, x| peak.max(x.abs()))
}

/// Root mean square.
pub fn rms(audio: &[f32]) -> f32 {
    (audio.iter().map(|x| x * x).sum::<f32>() / audio.len().max(1) as f32).sqrt()
}

/// Multiplies by `gain`.
pub fn scale(audio: &mut [f32], gain: f32) {
    audio.iter_mut().for_each(|x| *x *= gain);
}

/// Adds `other * gain`.
pub fn mix(audio: &mut [f32], other: &[f32], gain: f32) {
    audio
        .iter_mut()
        .zip(other)
        .for_each(|(x, y)| *x += y * gain);
}

/// Cubic (Catmull-Rom) interpolation between the four samples around `position`, as a fraction of
/// full scale; silence outside.
pub fn interpolated(samples: &[i16], position: f64) -> f32 {
    let before = position.floor();
    let t = (position - before) as f32;
    let at = |offset: i64| {
        let sample = usize::try_from(before as i64 + offset).ok();
        sample
            .and_then(|i| samples.get(i))
            .map_or(0.0, |x| f32::from(*x) / 32_768.0)
    };
    catmull_rom([-1, 0, 1, 2].map(at), t)
}

/// Between the second and the third of four samples.
pub fn catmull_rom([a, b, c, d]: [f32; 4], t: f32) -> f32 {
    let slope = 0.5 * (c - a);
    let bend = a - 2.5 * b + 2.0 * c - 0.5 * d;
    let twist = 0.5 * (d - a) + 1.5 * (b - c);
    ((twist * t + bend) * t + slope) * t + b
}

/// Uniform in `low..high`.
pub fn uniform(rng: &mut impl Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * rng.random::<f32>()
}

/// Uniform in the logarithm.
pub fn log_uniform(rng: &mut impl Rng, low: f32, high: f32) -> f32 {
    (uniform(rng, low.ln(), high.ln())).exp()
}

/// Approximately normal with the given spread: the sum of four uniform numbers, bounded at 3.5
/// sigma.
pub fn normal(rng: &mut impl Rng, sigma: f32) -> f32 {
    let sum: f32 = (0..4).map(|_| rng.random::<f32>() - 0.5).sum();
    sum * 3f32.sqrt() * sigma
}

/// True with the given probability.
pub fn chance(rng: &mut impl Rng, probability: f32) -> bool {
    rng.random::<f32>() < probability
}

/// Nothing is left above `hz`, as in what has gone through a lower sample rate or a codec: a
/// windowed sinc of linear phase, -6 dB at `hz`, below -70 dB from 250 Hz above it.
pub fn sharp_low_pass(planner: &mut RealFftPlanner, audio: &mut [f32], hz: f32) {
    const SIDE: usize = 200;
    let cutoff = hz / RATE;
    let taps: [f32; 2 * SIDE + 1] = std::array::from_fn(|i| {
        let x = i as f32 - SIDE as f32;
        let sinc = if x == 0.0 {
            2.0 * cutoff
        } else {
            (2.0 * PI * cutoff * x).sin() / (PI * x)
        };
        let angle = PI * (x / (SIDE as f32 + 1.0) + 1.0);
        sinc * (0.42 - 0.5 * angle.cos() + 0.08 * (2.0 * angle).cos())
    });
    let mut delayed = vec![0.0; audio.len() + SIDE];
    let mut input = audio.to_vec();
    input.resize(audio.len() + SIDE, 0.0);
    convolve(planner, &input, &taps, &mut delayed);
    audio.copy_from_slice(&delayed[SIDE..]);
}

/// `out += signal * kernel`, cut at the end of `out`: block by block, each of them some four times
/// as long as the kernel, so that a short kernel costs little.
fn convolve(planner: &mut RealFftPlanner, signal: &[f32], kernel: &[f32], out: &mut [f32]) {
    let size = (4 * kernel.len()).next_power_of_two().max(1_024);
    let hop = size - kernel.len() + 1;
    let (forward, inverse) = (
        planner.plan_fft_forward(size),
        planner.plan_fft_inverse(size),
    );
    let (mut block, mut product) = (forward.make_input_vec(), forward.make_output_vec());
    let mut response = forward.make_output_vec();
    block[..kernel.len()].copy_from_slice(kernel);
    forward
        .process(&mut block, &mut response)
        .expect("lengths come from the plan");
    let gain = 1.0 / size as f32;
    for (index, part) in signal.chunks(hop).enumerate() {
        if part.iter().all(|x| *x == 0.0) {
            continue;
        }
        block.fill(0.0);
        block[..part.len()].copy_from_slice(part);
        forward
            .process(&mut block, &mut product)
            .expect("lengths come from the plan");
        product.iter_mut().zip(&response).for_each(|(x, y)| *x *= y);
        // The real inverse wants purely real first and last bins; rounding may leave a trace.
        product[0].im = 0.0;
        if let Some(last) = product.last_mut() {
            last.im = 0.0;
        }
        inverse
            .process(&mut product, &mut block)
            .expect("lengths come from the plan");
        let rest = out.iter_mut().skip(index * hop);
        for (y, x) in rest.zip(&block[..part.len() + kernel.len() - 1]) {
            *y += x * gain;
        }
    }
}

/// A gentler low-pass: eighth-order Butterworth.
pub fn steep_low_pass(audio: &mut [f32], hz: f32) {
    let sections = [0.509_8, 0.601_3, 0.899_9, 2.562_9].map(|q| Biquad::low_pass(hz, q));
    run_all(&sections, audio);
}

/// Random tone: shelves and bells of up to `range_db`.
pub fn random_eq(rng: &mut impl Rng, audio: &mut [f32], range_db: f32) {
    let mut filters = Vec::with_capacity(6);
    for _ in 0..rng.random_range(1..=4) {
        let hz = log_uniform(rng, 50.0, 12_000.0);
        let (q, gain_db) = (
            log_uniform(rng, 0.4, 2.5),
            uniform(rng, -range_db, range_db),
        );
        filters.push(Biquad::bell(hz, q, gain_db));
    }
    if chance(rng, 0.5) {
        let (hz, gain_db) = (
            log_uniform(rng, 3_000.0, 11_000.0),
            uniform(rng, -range_db, range_db),
        );
        filters.push(Biquad::high_shelf(hz, gain_db));
    }
    if chance(rng, 0.4) {
        let (hz, gain_db) = (
            log_uniform(rng, 60.0, 300.0),
            uniform(rng, -range_db, range_db * 0.7),
        );
        filters.push(Biquad::low_shelf(hz, gain_db));
    }
    run_all(&filters, audio);
}

/// A feed-forward compressor with a peak detector; the threshold lies `depth_db` below the peak.
pub fn compress(audio: &mut [f32], depth_db: f32, ratio: f32, attack_ms: f32, release_ms: f32) {
    let threshold = peak(audio) * amplitude(-depth_db);
    if threshold <= 1e-7 {
        return;
    }
    let coefficient = |ms: f32| (-1.0 / (ms * 1e-3 * RATE)).exp();
    let (attack, release) = (coefficient(attack_ms), coefficient(release_ms));
    let slope = 1.0 - 1.0 / ratio;
    let mut envelope = 0.0f32;
    let mut gain = 1.0f32;
    for (index, x) in audio.iter_mut().enumerate() {
        let level = x.abs();
        let c = if level > envelope { attack } else { release };
        envelope = level + c * (envelope - level);
        // The gain moves slowly against the sample rate: eight samples share one power.
        if index % 8 == 0 {
            gain = if envelope > threshold {
                (threshold / envelope).powf(slope)
            } else {
                1.0
            };
        }
        *x *= gain;
    }
}

/// Soft clipping; `drive` 1 is gentle, 10 is harsh. The peak is kept.
pub fn saturate(audio: &mut [f32], drive: f32) {
    let top = peak(audio);
    if top <= 1e-7 {
        return;
    }
    let norm = top / drive.tanh();
    let gain = drive / top;
    for x in audio {
        *x = tanh(*x * gain) * norm;
    }
}

/// The hyperbolic tangent to 1e-4, several times faster than the library's.
pub fn tanh(x: f32) -> f32 {
    let x = x.clamp(-4.97, 4.97);
    let square = x * x;
    let above = x * (135_135.0 + square * (17_325.0 + square * (378.0 + square)));
    above / (135_135.0 + square * (62_370.0 + square * (3_150.0 + square * 28.0)))
}

/// Hard limit at `ceiling_db` below the peak.
pub fn clip(audio: &mut [f32], ceiling_db: f32) {
    let limit = peak(audio) * amplitude(-ceiling_db);
    audio.iter_mut().for_each(|x| *x = x.clamp(-limit, limit));
}

/// Adds exponentially decaying, coloured noise reverberation. `wet` is relative to the dry energy.
pub struct Room {
    impulse: Vec<f32>,
    pre_delay: usize,
}

impl Room {
    /// A random space whose reverberation time is `t60` seconds at middle frequencies.
    pub fn random(rng: &mut impl Rng, t60: f32, pre_delay_ms: f32) -> Self {
        let length = ((t60.min(1.2)) * RATE) as usize;
        let damp_hz = log_uniform(rng, 1_500.0, 12_000.0);
        let mut dull: Vec<f32> = (0..length).map(|_| rng.random::<f32>() - 0.5).collect();
        let mut bright = dull.clone();
        Biquad::low_pass(damp_hz, 0.6).run(&mut dull);
        // Early reflections: a few sparse echoes stand out of the tail.
        for _ in 0..rng.random_range(2..9) {
            let at = (log_uniform(rng, 0.001, 0.06) * RATE) as usize;
            if at < length {
                dull[at] += uniform(rng, -3.0, 3.0);
            }
        }
        let decay = |t60: f32, i: usize| (-6.907 * i as f32 / RATE / t60).exp();
        let bright_t60 = t60 * uniform(rng, 0.2, 0.7);
        let share = uniform(rng, 0.2, 1.0);
        for (i, (d, b)) in dull.iter_mut().zip(&mut bright).enumerate() {
            *d = *d * decay(t60, i) + share * *b * decay(bright_t60, i);
        }
        Biquad::high_pass(log_uniform(rng, 40.0, 350.0), 0.7).run(&mut dull);
        let energy = dull.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
        scale(&mut dull, 1.0 / energy);
        Self {
            impulse: dull,
            pre_delay: (pre_delay_ms * 1e-3 * RATE) as usize,
        }
    }

    /// `audio += wet * room(send)`.
    pub fn add(&self, planner: &mut RealFftPlanner, send: &[f32], wet: f32, audio: &mut [f32]) {
        let mut impulse = self.impulse.clone();
        scale(&mut impulse, wet);
        if let Some(late) = audio.get_mut(self.pre_delay..) {
            convolve(planner, send, &impulse, late);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f32) -> Vec<f32> {
        (0..32_000)
            .map(|i| (2.0 * PI * hz * i as f32 / RATE).sin())
            .collect()
    }

    fn gain_db(filter: Biquad, hz: f32) -> f32 {
        let mut audio = sine(hz);
        filter.run(&mut audio);
        20.0 * (rms(&audio[8_000..]) / rms(&sine(hz)[8_000..])).log10()
    }

    #[test]
    fn filters_have_the_gain_that_they_name() {
        assert!((gain_db(Biquad::bell(1_000.0, 1.0, 6.0), 1_000.0) - 6.0).abs() < 0.05);
        assert!((gain_db(Biquad::high_shelf(1_000.0, -9.0), 12_000.0) + 9.0).abs() < 0.2);
        assert!((gain_db(Biquad::low_shelf(1_000.0, 5.0), 60.0) - 5.0).abs() < 0.2);
        assert!((gain_db(Biquad::low_pass(1_000.0, 0.707), 1_000.0) + 3.0).abs() < 0.1);
        assert!(gain_db(Biquad::high_pass(1_000.0, 0.707), 100.0) < -35.0);
        let mut audio = sine(12_000.0);
        steep_low_pass(&mut audio, 6_000.0);
        assert!(rms(&audio[8_000..]) < 1e-2);
    }

    #[test]
    fn a_sharp_low_pass_keeps_what_is_below_its_edge_in_place_and_nothing_above() {
        let (mut below, mut above) = (sine(7_500.0), sine(8_250.0));
        let before = below.clone();
        sharp_low_pass(&mut RealFftPlanner::new(), &mut below, 8_000.0);
        sharp_low_pass(&mut RealFftPlanner::new(), &mut above, 8_000.0);
        let inside = 1_000..20_000;
        assert!(rms(&above[inside.clone()]) < 5e-4);
        let moved = inside.map(|i| (below[i] - before[i]).abs());
        assert!(moved.fold(0.0, f32::max) < 2e-3);
    }

    #[test]
    fn a_cascade_is_its_filters_one_after_the_other_and_falls_silent() {
        let filters = [
            Biquad::bell(500.0, 1.0, 6.0),
            Biquad::low_pass(3_000.0, 0.7),
            Biquad::high_pass(100.0, 0.7),
            Biquad::high_shelf(2_000.0, -4.0),
            Biquad::bell(90.0, 2.0, 9.0),
        ];
        let mut click = vec![0.0f32; 64_000];
        click[10] = 1.0;
        let (mut together, mut apart) = (click.clone(), click);
        run_all(&filters, &mut together);
        filters.iter().for_each(|f| f.run(&mut apart));
        for (a, b) in together.iter().zip(&apart) {
            assert!((a - b).abs() < 1e-6);
        }
        assert_eq!(together[63_000..], [0.0; 1_000]);
    }

    #[test]
    fn convolution_in_blocks_is_convolution() {
        let signal: Vec<f32> = (0..5_000).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
        let kernel: Vec<f32> = (0..300)
            .map(|i| (i as f32 * 0.7).cos() / (i + 1) as f32)
            .collect();
        let mut out = vec![0.0f32; 5_100];
        convolve(&mut RealFftPlanner::new(), &signal, &kernel, &mut out);
        for at in [0, 299, 1_000, 3_777, 5_050] {
            let direct: f32 = kernel
                .iter()
                .enumerate()
                .filter_map(|(k, h)| Some(h * signal.get(usize::checked_sub(at, k)?)?))
                .sum();
            assert!(
                (out[at] - direct).abs() < 1e-3,
                "{at}: {} {direct}",
                out[at]
            );
        }
        let mut x = -6.0f32;
        while x < 6.0 {
            assert!((tanh(x) - x.tanh()).abs() < 2e-4, "{x}");
            x += 0.01;
        }
    }

    #[test]
    fn compression_narrows_and_saturation_keeps_the_peak() {
        let mut audio = sine(200.0);
        scale(&mut audio[..16_000], 0.1);
        let before = rms(&audio[20_000..]) / rms(&audio[4_000..14_000]);
        compress(&mut audio, 15.0, 8.0, 2.0, 50.0);
        let after = rms(&audio[20_000..]) / rms(&audio[4_000..14_000]);
        assert!(after < before * 0.6, "{before} {after}");
        let top = peak(&audio);
        saturate(&mut audio, 4.0);
        assert!((peak(&audio) - top).abs() < 1e-3 * top);
    }

    #[test]
    fn a_room_adds_its_energy_after_the_sound_and_never_before() {
        use rand::SeedableRng;
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut send = vec![0.0; 32_000];
        send[8_000] = 1.0;
        let mut audio = send.clone();
        Room::random(&mut rng, 0.5, 10.0).add(&mut RealFftPlanner::new(), &send, 0.5, &mut audio);
        assert!(peak(&audio[..8_000]) < 1e-5);
        let tail = audio[8_001..].iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!((tail - 0.5).abs() < 0.02, "{tail}");
    }
}
