//! The front end as a stream.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::features::log_bands::config::LogBandsConfig;
use crate::features::log_bands::spectrum::{LogBands, Scratch};

/// Computes the features of one stream of samples.
pub struct FeatureStream {
    front_end: Arc<LogBands>,
    /// Samples that are still needed. The first is sample `audio_start` of the stream, which may be
    /// negative.
    audio: Vec<f32>,
    audio_start: i64,
    /// Entry `i`: sum of the mean squares of the frames before frame `level_start + i`.
    level_sums: VecDeque<f64>,
    level_start: usize,
    /// Band powers of the frames from `next_frame` on, `[bands, fft_sizes]` each.
    powers: VecDeque<f32>,
    next_frame: usize,
    samples: u64,
    finished: bool,
    scratch: Scratch,
}

impl FeatureStream {
    /// A stream before its first sample.
    pub fn new(front_end: Arc<LogBands>) -> Self {
        let longest = front_end.longest_fft();
        Self {
            audio: vec![0.0; longest / 2],
            audio_start: -((longest / 2) as i64),
            level_sums: VecDeque::from([0.0]),
            level_start: 0,
            powers: VecDeque::new(),
            next_frame: 0,
            samples: 0,
            finished: false,
            scratch: Scratch::new(&front_end),
            front_end,
        }
    }

    /// Adds samples and appends the frames that are complete to `features`, `[bands, fft_sizes]`
    /// each. Does nothing after [`finish`](Self::finish).
    pub fn push(&mut self, samples: &[f32], features: &mut Vec<f32>) {
        if self.finished {
            return;
        }
        self.audio.extend_from_slice(samples);
        self.samples += samples.len() as u64;
        self.advance(features);
    }

    /// Ends the stream: appends the remaining frames, which extend into the silence after the end.
    /// Returns the number of frames of the whole stream.
    pub fn finish(&mut self, features: &mut Vec<f32>) -> u64 {
        let hop = self.front_end.config.hop_samples as u64;
        let frames = self.samples.div_ceil(hop);
        if !self.finished {
            self.finished = true;
            let longest = self.front_end.longest_fft() as u64;
            let end = frames * hop + longest / 2;
            self.audio
                .resize((end as i64 - self.audio_start) as usize, 0.0);
            self.advance(features);
        }
        frames
    }

    /// Appends the frames whose samples are complete.
    fn advance(&mut self, features: &mut Vec<f32>) {
        let front_end = Arc::clone(&self.front_end);
        let config = &front_end.config;
        let hop = config.hop_samples as i64;
        let end = self.audio_start + self.audio.len() as i64;
        let last_frame = self.samples.div_ceil(hop as u64) as usize;

        // Levels: one mean square per hop. At the end the last hop is filled with silence.
        let mut level_end = self.level_start + self.level_sums.len() - 1;
        while (level_end as i64 + 1) * hop <= end && !(self.finished && level_end >= last_frame) {
            let start = (level_end as i64 * hop - self.audio_start) as usize;
            let frame = &self.audio[start..start + hop as usize];
            let mean = frame.iter().map(|x| x * x).sum::<f32>() / hop as f32;
            let sum = self.level_sums.back().copied().unwrap_or(0.0) + f64::from(mean);
            self.level_sums.push_back(sum);
            level_end += 1;
        }

        let half = (front_end.longest_fft() / 2) as i64;
        let frame_len = config.frame_len();
        let mut power_end = self.next_frame + self.powers.len() / frame_len;
        while power_end as i64 * hop + half <= end && !(self.finished && power_end >= last_frame) {
            self.analyse(&front_end, power_end);
            power_end += 1;
        }

        while self.next_frame < power_end
            && (self.finished || self.next_frame + config.level_future_frames < level_end)
        {
            let level = self.level(config, level_end);
            for power in self.powers.drain(..frame_len) {
                let value = (power / level + config.floor).log10() + config.log_offset;
                features.push(value * config.log_scale);
            }
            self.next_frame += 1;
        }

        // Drop the samples and levels that no later frame needs.
        let needed = (power_end as i64 * hop - half).min(level_end as i64 * hop);
        let unused = (needed - self.audio_start).clamp(0, self.audio.len() as i64);
        self.audio.drain(..unused as usize);
        self.audio_start += unused;
        let first_level = self.next_frame.saturating_sub(config.level_past_frames);
        while self.level_start < first_level {
            self.level_sums.pop_front();
            self.level_start += 1;
        }
    }

    /// Level reference of `next_frame`: the mean square around it, with silence outside of the
    /// stream.
    fn level(&self, config: &LogBandsConfig, level_end: usize) -> f32 {
        let first = self.next_frame.saturating_sub(config.level_past_frames);
        let last = (self.next_frame + config.level_future_frames + 1).min(level_end);
        let sum =
            self.level_sums[last - self.level_start] - self.level_sums[first - self.level_start];
        let count = config.level_past_frames + config.level_future_frames + 1;
        (sum / count as f64).max(0.0) as f32 + config.level_floor
    }

    /// Appends the band powers of a frame to `powers`.
    fn analyse(&mut self, front_end: &LogBands, frame: usize) {
        let config = &front_end.config;
        let centre = ((frame * config.hop_samples) as i64 - self.audio_start) as usize;
        let first_value = self.powers.len();
        self.powers.resize(first_value + config.frame_len(), 0.0);
        let (powers, channels) = (&mut self.powers, config.fft_sizes.len());
        for (channel, analysis) in front_end.analyses.iter().enumerate() {
            let audio = &self.audio[centre - analysis.size() / 2..];
            analysis.band_powers(audio, &mut self.scratch, |band, power| {
                powers[first_value + band * channels + channel] = power;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::log_bands::config::BandScale;

    fn config() -> LogBandsConfig {
        LogBandsConfig {
            sample_rate_hz: 16_000,
            hop_samples: 128,
            bands: 40,
            scale: BandScale::Mel,
            fft_sizes: vec![1024, 256],
            lowest_hz: 30.0,
            highest_hz: 7_900.0,
            level_past_frames: 20,
            level_future_frames: 5,
            level_floor: 1e-9,
            floor: 1e-6,
            log_offset: 3.0,
            log_scale: 0.5,
        }
    }

    fn features(samples: &[f32], block: usize) -> (Vec<f32>, u64) {
        let mut stream = FeatureStream::new(Arc::new(LogBands::new(config())));
        let mut out = Vec::new();
        for part in samples.chunks(block) {
            stream.push(part, &mut out);
        }
        let frames = stream.finish(&mut out);
        (out, frames)
    }

    fn noise(n: usize) -> Vec<f32> {
        let mut state = 1u32;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    #[test]
    fn features_are_independent_of_block_sizes() {
        let samples = noise(10_000);
        let (whole, frames) = features(&samples, samples.len());
        assert_eq!(frames, 79);
        assert_eq!(whole.len(), 79 * config().frame_len());
        for block in [1, 17, 128, 1000] {
            assert_eq!(features(&samples, block).0, whole, "blocks of {block}");
        }
    }

    #[test]
    fn a_frame_is_output_after_its_lookahead() {
        let mut stream = FeatureStream::new(Arc::new(LogBands::new(config())));
        let mut out = Vec::new();
        let lookahead = config().lookahead_samples();
        stream.push(&noise(lookahead - 1), &mut out);
        assert!(out.is_empty());
        stream.push(&[0.5], &mut out);
        assert_eq!(out.len(), config().frame_len());
    }

    #[test]
    fn a_tone_raises_its_band() {
        let samples: Vec<f32> = (0..16_000)
            .map(|n| (2.0 * std::f64::consts::PI * 1000.0 * f64::from(n) / 16_000.0).sin() as f32)
            .collect();
        let (values, _) = features(&samples, 4096);
        let frame = &values[60 * config().frame_len()..][..config().frame_len()];
        let loudest = |channel: usize| {
            (0..40).max_by(|&a, &b| frame[a * 2 + channel].total_cmp(&frame[b * 2 + channel]))
        };
        // 1000 Hz is 1000 mel; bands are 68.4 mel apart and the first is centred at 115 mel.
        assert_eq!(loudest(0), Some(13));
        assert_eq!(loudest(1), Some(13));
    }

    #[test]
    fn features_are_independent_of_level_and_finite_in_silence() {
        let samples = noise(20_000);
        let quiet: Vec<f32> = samples.iter().map(|x| x * 0.01).collect();
        for (a, b) in features(&samples, 999)
            .0
            .iter()
            .zip(features(&quiet, 999).0)
        {
            assert!((a - b).abs() < 1e-3, "{a} {b}");
        }
        assert!(
            features(&vec![0.0; 5_000], 100)
                .0
                .iter()
                .all(|v| v.is_finite())
        );
    }

    #[test]
    fn no_samples_give_no_frames() {
        assert_eq!(features(&[], 1), (Vec::new(), 0));
    }
}
