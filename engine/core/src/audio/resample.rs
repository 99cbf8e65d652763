//! Sample-rate conversion of a stream, with the filter delay removed.

use hitscribe_dsp::{VecResampler, block_resampler};

use crate::error::{Error, Result};

/// Supported sample rates in Hz.
pub const SAMPLE_RATE_RANGE_HZ: std::ops::RangeInclusive<u32> = 4_000..=768_000;

/// Inverse of the shortest FFT block in seconds; it must be long enough for a steep filter.
const BLOCKS_PER_SECOND: u32 = 64;

/// Resamples one channel. Output sample `n` is the input at the time `n / to_hz` seconds.
///
/// The output does not depend on the sizes of the blocks pushed: the FFT blocks have a fixed size.
pub struct Resampler {
    /// `None` if the rates are equal.
    inner: Option<Inner>,
    from_hz: u32,
    to_hz: u32,
    samples_in: u64,
    samples_out: u64,
}

struct Inner {
    fft: Box<dyn VecResampler<f32>>,
    /// Input samples of the incomplete block.
    block: Vec<f32>,
    block_len: usize,
    out: Vec<Vec<f32>>,
    /// Output samples still to drop: the rest of the filter delay.
    skip: usize,
}

impl Resampler {
    /// A resampler before its first sample.
    ///
    /// # Errors
    /// [`Error::Setting`] for a rate outside of [`SAMPLE_RATE_RANGE_HZ`].
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self> {
        let bad_rate = |rate: u32, reason: String| Error::Setting {
            name: "sample rate",
            value: format!("{rate} Hz"),
            reason,
        };
        for rate in [from_hz, to_hz] {
            if !SAMPLE_RATE_RANGE_HZ.contains(&rate) {
                let (low, high) = (SAMPLE_RATE_RANGE_HZ.start(), SAMPLE_RATE_RANGE_HZ.end());
                return Err(bad_rate(
                    rate,
                    format!("must be between {low} and {high} Hz"),
                ));
            }
        }
        let inner = if from_hz == to_hz {
            None
        } else {
            // An even multiple of the shortest block that has a whole number of samples at both
            // rates: the filter delay, half a block, is whole too then.
            let shortest = from_hz / gcd(from_hz, to_hz);
            let pairs = from_hz.div_ceil(2 * shortest * BLOCKS_PER_SECOND);
            let block = (2 * shortest * pairs) as usize;
            let fft = block_resampler(from_hz as usize, to_hz as usize, block)
                .map_err(|reason| bad_rate(from_hz, reason))?;
            let block_len = fft.input_frames_next();
            Some(Inner {
                block: Vec::with_capacity(block_len),
                block_len,
                out: fft.output_buffer_allocate(true),
                skip: fft.output_delay(),
                fft,
            })
        };
        Ok(Self {
            inner,
            from_hz,
            to_hz,
            samples_in: 0,
            samples_out: 0,
        })
    }

    /// Upper bound on the input samples after the time of an output sample that it depends on.
    pub fn lookahead_samples(&self) -> usize {
        // The block of the sample must be complete, and the filter extends half a block further.
        self.inner
            .as_ref()
            .map_or(0, |inner| inner.block_len + inner.block_len / 2)
    }

    /// Adds input samples and appends the output samples that are ready to `out`.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.samples_in += samples.len() as u64;
        let start = out.len();
        match &mut self.inner {
            None => out.extend_from_slice(samples),
            Some(inner) => inner.push(samples, out),
        }
        self.samples_out += (out.len() - start) as u64;
    }

    /// Ends the stream: appends the rest, so that the output lasts as long as the input.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let Some(inner) = &mut self.inner else { return };
        let total = (self.samples_in * u64::from(self.to_hz)).div_ceil(u64::from(self.from_hz));
        let silence = vec![0.0; inner.block_len];
        let missing = total.saturating_sub(self.samples_out) as usize;
        let wanted = out.len() + missing;
        while out.len() < wanted {
            inner.push(&silence, out);
        }
        out.truncate(wanted);
        self.samples_out = total;
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Inner {
    fn push(&mut self, mut samples: &[f32], out: &mut Vec<f32>) {
        while !samples.is_empty() {
            let take = samples.len().min(self.block_len - self.block.len());
            self.block.extend_from_slice(&samples[..take]);
            samples = &samples[take..];
            if self.block.len() == self.block_len {
                let block = std::slice::from_ref(&self.block);
                let Ok((_, count)) = self.fft.process_into_buffer(block, &mut self.out, None)
                else {
                    // The only error is a wrong buffer length, and the lengths come from `fft`.
                    unreachable!("buffer lengths match the resampler");
                };
                self.block.clear();
                let skip = self.skip.min(count);
                self.skip -= skip;
                out.extend_from_slice(&self.out[0][skip..count]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES_HZ: [u32; 9] = [
        8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000,
    ];

    fn resample(samples: &[f32], from_hz: u32, block: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(from_hz, 32_000).unwrap();
        let mut out = Vec::new();
        for part in samples.chunks(block) {
            resampler.push(part, &mut out);
        }
        resampler.finish(&mut out);
        out
    }

    /// Centre of a smooth pulse in seconds, to a fraction of a sample.
    fn centre_seconds(samples: &[f32], rate_hz: u32) -> f64 {
        let weight = |x: f32| f64::from(x) * f64::from(x);
        let total: f64 = samples.iter().map(|&x| weight(x)).sum();
        let moment: f64 = samples
            .iter()
            .enumerate()
            .map(|(n, &x)| n as f64 * weight(x))
            .sum();
        moment / total / f64::from(rate_hz)
    }

    #[test]
    fn a_click_keeps_its_time() {
        for from_hz in RATES_HZ {
            for at_seconds in [0.1f64, 0.25, 0.7013] {
                let mut samples = vec![0.0; from_hz as usize];
                let at = (at_seconds * f64::from(from_hz)).round() as usize;
                samples[at] = 1.0;
                let out = resample(&samples, from_hz, 4096);
                let error = centre_seconds(&out, 32_000) - at as f64 / f64::from(from_hz);
                assert!(error.abs() < 2e-5, "{from_hz} Hz: {} ms late", error * 1e3);
            }
        }
    }

    #[test]
    fn tones_keep_their_level_and_aliases_vanish() {
        for from_hz in RATES_HZ {
            let tone = |hz: f64| -> Vec<f32> {
                let step = 2.0 * std::f64::consts::PI * hz / f64::from(from_hz);
                (0..from_hz)
                    .map(|n| (step * f64::from(n)).sin() as f32)
                    .collect()
            };
            let rms = |x: &[f32]| (x.iter().map(|v| v * v).sum::<f32>() / x.len() as f32).sqrt();
            let inner = |x: Vec<f32>| x[8_000..24_000].to_vec();
            let kept = rms(&inner(resample(&tone(1_000.0), from_hz, 777)));
            assert!((kept - 0.5f32.sqrt()).abs() < 1e-3, "{from_hz} Hz: {kept}");
            if from_hz > 40_000 {
                let gone = rms(&inner(resample(&tone(18_000.0), from_hz, 777)));
                assert!(gone < 1e-4, "{from_hz} Hz: {gone}");
            }
        }
    }

    #[test]
    fn output_is_independent_of_block_sizes_and_has_the_right_length() {
        let samples: Vec<f32> = (0..50_001_u32)
            .map(|n| (n.wrapping_mul(n) as f32 * 1e-4).sin())
            .collect();
        for from_hz in RATES_HZ {
            let whole = resample(&samples, from_hz, samples.len());
            let expected = (50_001u64 * 32_000).div_ceil(u64::from(from_hz));
            assert_eq!(whole.len() as u64, expected);
            for block in [1, 63, 1024] {
                assert!(
                    resample(&samples, from_hz, block) == whole,
                    "{from_hz} Hz, {block}"
                );
            }
        }
    }

    #[test]
    fn a_sample_is_output_after_its_lookahead() {
        for from_hz in RATES_HZ {
            let mut resampler = Resampler::new(from_hz, 32_000).unwrap();
            let (mut pushed, mut out) = (0usize, Vec::new());
            for block in [1, 100, 333, 1024, 77].into_iter().cycle().take(200) {
                resampler.push(&vec![0.1; block], &mut out);
                pushed += block;
                let due = pushed.saturating_sub(resampler.lookahead_samples());
                assert!(out.len() as u64 * u64::from(from_hz) >= due as u64 * 32_000);
            }
        }
    }

    #[test]
    fn unusual_rates_work_and_invalid_rates_are_errors() {
        for from_hz in [4_000, 44_056, 44_101, 767_999] {
            let out = resample(&vec![0.5; from_hz as usize], from_hz, 5_000);
            assert_eq!(out.len(), 32_000);
            assert!((out[16_000] - 0.5).abs() < 1e-3);
        }
        for from_hz in [0, 3_999, 768_001, u32::MAX] {
            assert!(Resampler::new(from_hz, 32_000).is_err());
        }
    }
}
