//! The front end as a stream.

use std::sync::Arc;

use crate::features::log_bands::config::Reference;
use crate::features::log_bands::loudest::LoudestLevel;
use crate::features::log_bands::mean::MeanLevel;
use crate::features::log_bands::spectrum::{LogBands, Scratch};

/// Computes the features of one stream of samples.
pub struct FeatureStream {
    front_end: Arc<LogBands>,
    /// Samples that are still needed. The first is sample `audio_start` of the stream, which may be
    /// negative.
    audio: Vec<f32>,
    audio_start: i64,
    /// The next frame to analyse.
    next_frame: usize,
    level: Level,
    samples: u64,
    finished: bool,
    scratch: Scratch,
}

enum Level {
    Mean(MeanLevel),
    Loudest(LoudestLevel),
}

impl FeatureStream {
    /// A stream before its first sample.
    pub fn new(front_end: Arc<LogBands>) -> Self {
        let config = &front_end.config;
        let longest = front_end.longest_fft();
        let level = match &config.reference {
            Reference::Mean(mean) => Level::Mean(MeanLevel::new(
                mean.clone(),
                config.hop_samples,
                config.frame_len(),
            )),
            Reference::Loudest(loudest) => {
                Level::Loudest(LoudestLevel::new(loudest.clone(), config.bands))
            }
        };
        Self {
            audio: vec![0.0; longest / 2],
            audio_start: -((longest / 2) as i64),
            next_frame: 0,
            level,
            samples: 0,
            finished: false,
            scratch: Scratch::new(&front_end),
            front_end,
        }
    }

    /// Adds samples and appends the frames that are complete to `features`, each of
    /// [`frame_len`](super::LogBandsConfig::frame_len) values. Does nothing after
    /// [`finish`](Self::finish).
    pub fn push(&mut self, samples: &[f32], features: &mut Vec<f32>) {
        if self.finished {
            return;
        }
        self.audio.extend_from_slice(samples);
        self.samples += samples.len() as u64;
        self.advance(usize::MAX, features);
    }

    /// Ends the stream: appends the remaining frames, which extend into the silence after the end,
    /// and [`tail_frames`](super::LogBandsConfig::tail_frames) frames of that. Returns the number
    /// of frames of the whole stream without these.
    pub fn finish(&mut self, features: &mut Vec<f32>) -> u64 {
        let config = &self.front_end.config;
        let hop = config.hop_samples as u64;
        let frames = self.samples.div_ceil(hop);
        if !self.finished {
            self.finished = true;
            let longest = self.front_end.longest_fft() as u64;
            let last_frame = frames + config.tail_frames as u64;
            let end = last_frame * hop + longest / 2;
            self.audio
                .resize((end as i64 - self.audio_start) as usize, 0.0);
            self.advance(last_frame as usize, features);
        }
        frames
    }

    /// Appends the frames before `last_frame` whose samples are complete.
    fn advance(&mut self, last_frame: usize, features: &mut Vec<f32>) {
        let front_end = Arc::clone(&self.front_end);
        let config = &front_end.config;
        let hop = config.hop_samples as i64;
        let half = (front_end.longest_fft() / 2) as i64;
        let end = self.audio_start + self.audio.len() as i64;
        if let Level::Mean(level) = &mut self.level {
            level.measure(&self.audio, self.audio_start, last_frame);
        }
        let mut powers = vec![0.0; config.bands * config.fft_sizes.len()];
        while self.next_frame as i64 * hop + half <= end && self.next_frame < last_frame {
            self.analyse(&front_end, &mut powers);
            match &mut self.level {
                Level::Mean(level) => level.push(&powers),
                Level::Loudest(level) => level.push(&powers, features),
            }
            self.next_frame += 1;
        }
        // Drop the samples that no later frame needs.
        let mut needed = self.next_frame as i64 * hop - half;
        if let Level::Mean(level) = &mut self.level {
            level.drain(self.finished, features);
            needed = needed.min(level.end() as i64 * hop);
        }
        let unused = (needed - self.audio_start).clamp(0, self.audio.len() as i64);
        self.audio.drain(..unused as usize);
        self.audio_start += unused;
    }

    /// Computes the band powers of the next frame, `[bands, fft_sizes]`.
    fn analyse(&mut self, front_end: &LogBands, powers: &mut [f32]) {
        let config = &front_end.config;
        let centre = ((self.next_frame * config.hop_samples) as i64 - self.audio_start) as usize;
        let channels = config.fft_sizes.len();
        for (channel, analysis) in front_end.analyses.iter().enumerate() {
            let audio = &self.audio[centre - analysis.size() / 2..];
            analysis.band_powers(audio, &mut self.scratch, |band, power| {
                powers[band * channels + channel] = power;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::log_bands::config::{
        BandScale, Follower, LogBandsConfig, LoudestReference, MeanReference,
    };

    fn config() -> LogBandsConfig {
        LogBandsConfig {
            sample_rate_hz: 16_000,
            hop_samples: 128,
            bands: 40,
            scale: BandScale::Mel,
            fft_sizes: vec![1024, 256],
            lowest_hz: 30.0,
            highest_hz: 7_900.0,
            reference: Reference::Mean(MeanReference {
                level_past_frames: 20,
                level_future_frames: 5,
                level_floor: 1e-9,
                floor: 1e-6,
                log_offset: 3.0,
                log_scale: 0.5,
            }),
            tail_frames: 0,
        }
    }

    fn past_only() -> LogBandsConfig {
        LogBandsConfig {
            reference: Reference::Loudest(LoudestReference {
                power_floor: 1e-10,
                relative_floor: 1e-7,
                follower: Follower {
                    start: -5.0,
                    rise: 0.5,
                    fall: 0.001,
                },
                usual_frames: 100,
                silence: -9.0,
            }),
            tail_frames: 9,
            ..config()
        }
    }

    fn features(samples: &[f32], block: usize) -> (Vec<f32>, u64) {
        features_of(config(), samples, block)
    }

    fn features_of(config: LogBandsConfig, samples: &[f32], block: usize) -> (Vec<f32>, u64) {
        let mut stream = FeatureStream::new(Arc::new(LogBands::new(config)));
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
        let (past_only_whole, frames) = features_of(past_only(), &samples, samples.len());
        assert_eq!(
            (frames, past_only_whole.len()),
            (79, (79 + 9) * (40 * 3 + 2))
        );
        for block in [1, 17, 128, 1000] {
            assert_eq!(features(&samples, block).0, whole, "blocks of {block}");
            let past_only = features_of(past_only(), &samples, block).0;
            assert_eq!(past_only, past_only_whole, "blocks of {block}");
        }
    }

    #[test]
    fn a_frame_is_output_after_its_lookahead() {
        for config in [config(), past_only()] {
            let mut stream = FeatureStream::new(Arc::new(LogBands::new(config.clone())));
            let mut out = Vec::new();
            let lookahead = config.lookahead_samples();
            stream.push(&noise(lookahead - 1), &mut out);
            assert!(out.is_empty());
            stream.push(&[0.5], &mut out);
            assert_eq!(out.len(), config.frame_len());
        }
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
