//! What a lossy codec at a low bit rate does to a recording: coarse spectra, holes, pre-echo, no
//! highs.

use hitscribe_dsp::Complex;
use hitscribe_dsp::RealFftPlanner;
use rand::Rng;

use crate::SAMPLE_RATE;
use crate::dsp::{amplitude, uniform};

/// Samples of a block, 32 ms, and from one to the next: about those of MP3 and Vorbis.
const BLOCK: usize = 1024;
const HOP: usize = BLOCK / 2;
/// Upper edges of the bands that share a step of quantization, in Hz.
const BAND_EDGES_HZ: [f32; 18] = [
    100., 200., 300., 400., 510., 630., 770., 1_000., 1_300., 1_700., 2_300., 3_150., 4_400.,
    6_400., 8_500., 11_000., 13_500., 16_000.,
];

/// Coarseness of a codec.
struct Bands {
    /// Signal to step of the lowest and the highest band, in dB.
    fineness_db: (f32, f32),
    /// Nothing is left above.
    edge_hz: f32,
}

impl Bands {
    fn random(rng: &mut impl Rng) -> Self {
        let low = uniform(rng, 8.0, 26.0);
        let high = (low - uniform(rng, 4.0, 16.0)).max(2.0);
        Self {
            fineness_db: (low, high),
            edge_hz: uniform(rng, 9_000.0, 16_000.0),
        }
    }

    /// Rounds a spectrum, `BLOCK / 2 + 1` bins, to the steps of its bands.
    fn quantize(&self, spectrum: &mut [Complex<f32>]) {
        let bin = |hz: f32| ((hz * BLOCK as f32 / SAMPLE_RATE as f32) as usize).min(HOP + 1);
        let mut start = 0;
        for (index, edge_hz) in BAND_EDGES_HZ.into_iter().enumerate() {
            let band = &mut spectrum[start..bin(edge_hz).max(start)];
            start += band.len();
            let top = band
                .iter()
                .map(|x| x.re.abs().max(x.im.abs()))
                .fold(0.0, f32::max);
            if top <= 0.0 {
                continue;
            }
            let share = index as f32 / (BAND_EDGES_HZ.len() - 1) as f32;
            let (low, high) = self.fineness_db;
            let step = top * amplitude(-(low + share * (high - low)));
            for x in band {
                *x = Complex::new((x.re / step).round() * step, (x.im / step).round() * step);
            }
        }
        spectrum[bin(self.edge_hz)..].fill(Complex::default());
    }
}

/// Puts `audio` through a codec of random coarseness. Keeps its length and its timing.
pub(crate) fn lossy(rng: &mut impl Rng, planner: &mut RealFftPlanner, audio: &mut [f32]) {
    let bands = Bands::random(rng);
    transform(planner, audio, |spectrum| bands.quantize(spectrum));
}

/// Changes the spectra of overlapping blocks; sine windows on both sides add up to one.
fn transform(
    planner: &mut RealFftPlanner,
    audio: &mut [f32],
    mut change: impl FnMut(&mut [Complex<f32>]),
) {
    let (forward, inverse) = (
        planner.plan_fft_forward(BLOCK),
        planner.plan_fft_inverse(BLOCK),
    );
    let window: Vec<f32> = (0..BLOCK)
        .map(|i| ((i as f32 + 0.5) * std::f32::consts::PI / BLOCK as f32).sin())
        .collect();
    let mut padded = vec![0.0; HOP];
    padded.extend_from_slice(audio);
    padded.resize(audio.len().next_multiple_of(HOP) + BLOCK, 0.0);
    audio.fill(0.0);
    let (mut block, mut spectrum) = (forward.make_input_vec(), forward.make_output_vec());
    for start in (0..=padded.len() - BLOCK).step_by(HOP) {
        for ((b, x), w) in block.iter_mut().zip(&padded[start..]).zip(&window) {
            *b = x * w;
        }
        // The lengths are those of the plans.
        let done = forward.process(&mut block, &mut spectrum);
        change(&mut spectrum);
        spectrum[0].im = 0.0;
        spectrum[HOP].im = 0.0;
        if done
            .and_then(|()| inverse.process(&mut spectrum, &mut block))
            .is_err()
        {
            return;
        }
        for (i, w) in window.iter().enumerate() {
            if let Some(x) = (start + i)
                .checked_sub(HOP)
                .and_then(|at| audio.get_mut(at))
            {
                *x += block[i] * w / BLOCK as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::rms;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn noise() -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        (0..20_000).map(|_| uniform(&mut rng, -0.5, 0.5)).collect()
    }

    fn difference(a: &[f32], b: &[f32]) -> f32 {
        rms(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
    }

    #[test]
    fn blocks_that_are_not_changed_add_up_to_the_recording() {
        let (noise, mut audio) = (noise(), noise());
        transform(&mut RealFftPlanner::new(), &mut audio, |_| {});
        assert!(difference(&noise, &audio) < 1e-5);
    }

    #[test]
    fn a_codec_changes_a_recording_but_not_beyond_recognition() {
        let noise = noise();
        for seed in 0..20 {
            let (mut rng, mut audio) = (ChaCha8Rng::seed_from_u64(seed), noise.clone());
            lossy(&mut rng, &mut RealFftPlanner::new(), &mut audio);
            let error = difference(&noise, &audio) / rms(&noise);
            assert!((0.02..0.95).contains(&error), "seed {seed}: {error}");
        }
    }
}
