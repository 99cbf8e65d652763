//! Front end of the built-in networks, as a stream: logarithms of band powers, mel or musical.
//!
//! Follows `FrontEnd` in `train/hitscribe_train/front_end.py`. Frame `t` is centred on sample
//! `t * hop_samples`; before the start and after the end lies silence. Every frame is computed once,
//! from its own samples, so the features do not depend on how the samples arrive.

use std::collections::VecDeque;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use serde::Deserialize;

/// How bands are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BandScale {
    /// Evenly on the HTK mel scale.
    #[default]
    Mel,
    /// Evenly in pitch.
    Pitch,
}

impl BandScale {
    fn place_of(self, hz: f64) -> f64 {
        match self {
            Self::Mel => 2595.0 * (1.0 + hz / 700.0).log10(),
            Self::Pitch => hz.log2(),
        }
    }

    fn hz_at(self, place: f64) -> f64 {
        match self {
            Self::Mel => 700.0 * (10f64.powf(place / 2595.0) - 1.0),
            Self::Pitch => place.exp2(),
        }
    }
}

/// The front end's parameters, from the model's weights file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct FrontEndConfig {
    /// Rate of the samples that go in.
    pub sample_rate_hz: u32,
    /// Samples between frames.
    pub hop_samples: usize,
    /// Number of bands.
    pub bands: usize,
    /// How they are spaced.
    #[serde(default)]
    pub scale: BandScale,
    /// Length of each transform in samples; one feature per band for each. Even.
    pub fft_sizes: Vec<usize>,
    /// Lower edge of the lowest band.
    pub lowest_hz: f64,
    /// Upper edge of the highest band.
    pub highest_hz: f64,
    /// Frames before a frame that its level reference is the mean of.
    pub level_past_frames: usize,
    /// Frames after a frame that its level reference is the mean of.
    pub level_future_frames: usize,
    /// Added to the level reference, in mean square.
    pub level_floor: f32,
    /// Added to the power of a band relative to the level reference.
    pub floor: f32,
    /// Added to the logarithm.
    pub log_offset: f32,
    /// Factor of the result.
    pub log_scale: f32,
}

impl FrontEndConfig {
    /// Values of one frame: `[bands, fft_sizes]`.
    pub fn frame_len(&self) -> usize {
        self.bands * self.fft_sizes.len()
    }

    /// Every value of a frame of silence, whatever came before it.
    pub fn silent_value(&self) -> f32 {
        (self.floor.log10() + self.log_offset) * self.log_scale
    }

    /// Samples from a frame's centre to the last sample that its features depend on, plus one.
    pub fn lookahead_samples(&self) -> usize {
        let window = self.fft_sizes.iter().max().map_or(0, |n| n / 2);
        window.max((self.level_future_frames + 1) * self.hop_samples)
    }

    /// What is wrong with the parameters, if anything.
    pub fn check(&self) -> Result<(), String> {
        let nyquist = f64::from(self.sample_rate_hz) / 2.0;
        let sizes_valid = (1..=8).contains(&self.fft_sizes.len())
            && self
                .fft_sizes
                .iter()
                .all(|n| n % 2 == 0 && (4..=65_536).contains(n));
        let counts_valid = (1..=65_536).contains(&self.hop_samples)
            && (1..=4096).contains(&self.bands)
            && (1_000..=768_000).contains(&self.sample_rate_hz)
            && self.level_past_frames.max(self.level_future_frames) <= 1_000_000;
        let lowest_valid = match self.scale {
            BandScale::Mel => self.lowest_hz >= 0.0,
            BandScale::Pitch => self.lowest_hz >= 1.0,
        };
        let edges_valid =
            lowest_valid && self.lowest_hz < self.highest_hz && self.highest_hz <= nyquist;
        let levels_valid = self.level_floor > 0.0
            && self.floor > 0.0
            && self.log_offset.is_finite()
            && self.log_scale.is_finite();
        if sizes_valid && counts_valid && edges_valid && levels_valid {
            Ok(())
        } else {
            Err("its front end makes no sense".to_owned())
        }
    }
}

/// Triangular filters, each normalised to unit sum. A triangle narrower than a bin is widened to one bin
/// on each side, so that it interpolates between bins.
struct Filters {
    /// For each band its first bin and the weights from there on.
    bands: Vec<(usize, Vec<f32>)>,
}

impl Filters {
    fn new(config: &FrontEndConfig, fft_size: usize) -> Self {
        let scale = config.scale;
        let (low, high) = (
            scale.place_of(config.lowest_hz),
            scale.place_of(config.highest_hz),
        );
        let edge =
            |i: usize| scale.hz_at(low + (high - low) * i as f64 / (config.bands + 1) as f64);
        let width = f64::from(config.sample_rate_hz) / fft_size as f64;
        let bands = (0..config.bands).map(|band| {
            let centre = edge(band + 1);
            let low = edge(band).min(centre - width);
            let high = edge(band + 2).max(centre + width);
            let weight = |bin: usize| {
                let f = bin as f64 * width;
                ((f - low) / (centre - low))
                    .min((high - f) / (high - centre))
                    .max(0.0)
            };
            let first = (low / width).floor().max(0.0) as usize;
            let last = ((high / width).ceil() as usize).min(fft_size / 2);
            let weights: Vec<f64> = (first..=last).map(weight).collect();
            let sum: f64 = weights.iter().sum();
            (first, weights.iter().map(|w| (w / sum) as f32).collect())
        });
        Self {
            bands: bands.collect(),
        }
    }
}

/// One transform: window, FFT and filters.
struct Analysis {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// One over the sum of the squared window.
    power_scale: f32,
    filters: Filters,
}

impl Analysis {
    fn new(config: &FrontEndConfig, size: usize, planner: &mut RealFftPlanner<f32>) -> Self {
        let window: Vec<f32> = (0..size)
            .map(|n| {
                let phase = 2.0 * std::f64::consts::PI * n as f64 / size as f64;
                (0.5 - 0.5 * phase.cos()) as f32
            })
            .collect();
        Self {
            fft: planner.plan_fft_forward(size),
            power_scale: 1.0 / window.iter().map(|w| w * w).sum::<f32>(),
            window,
            filters: Filters::new(config, size),
        }
    }
}

/// The front end, shared by every stream of a model.
pub struct FrontEnd {
    config: FrontEndConfig,
    analyses: Vec<Analysis>,
}

impl FrontEnd {
    /// Plans transforms and filters.
    pub fn new(config: FrontEndConfig) -> Self {
        let mut planner = RealFftPlanner::new();
        let analyses = config
            .fft_sizes
            .iter()
            .map(|&size| Analysis::new(&config, size, &mut planner))
            .collect();
        Self { config, analyses }
    }

    /// The parameters.
    pub fn config(&self) -> &FrontEndConfig {
        &self.config
    }
}

/// Features of one source, as its samples come in.
pub struct FeatureStream {
    front_end: Arc<FrontEnd>,
    /// Samples that are still needed; the first is sample `audio_start` of the passage, which may lie
    /// before its start.
    audio: Vec<f32>,
    audio_start: i64,
    /// Sum of the frames' mean squares up to frame `level_start + i`, exclusive.
    level_sums: VecDeque<f64>,
    level_start: usize,
    /// Band powers of the frames from `next_frame` on, `[bands, fft_sizes]` each.
    powers: VecDeque<f32>,
    next_frame: usize,
    samples: u64,
    finished: bool,
    scratch: Scratch,
}

struct Scratch {
    windowed: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    fft: Vec<Complex<f32>>,
    power: Vec<f32>,
}

impl FeatureStream {
    /// A stream before its first sample.
    pub fn new(front_end: Arc<FrontEnd>) -> Self {
        let longest = front_end
            .config
            .fft_sizes
            .iter()
            .copied()
            .max()
            .unwrap_or(0);
        let scratch_len = front_end
            .analyses
            .iter()
            .map(|a| a.fft.get_scratch_len())
            .max();
        Self {
            audio: vec![0.0; longest / 2],
            audio_start: -((longest / 2) as i64),
            level_sums: VecDeque::from([0.0]),
            level_start: 0,
            powers: VecDeque::new(),
            next_frame: 0,
            samples: 0,
            finished: false,
            scratch: Scratch {
                windowed: vec![0.0; longest],
                spectrum: vec![Complex::default(); longest / 2 + 1],
                fft: vec![Complex::default(); scratch_len.unwrap_or(0)],
                power: vec![0.0; longest / 2 + 1],
            },
            front_end,
        }
    }

    /// Takes the next samples and appends the frames that are complete to `features`,
    /// `[bands, fft_sizes]` each.
    pub fn push(&mut self, samples: &[f32], features: &mut Vec<f32>) {
        if self.finished {
            return;
        }
        self.audio.extend_from_slice(samples);
        self.samples += samples.len() as u64;
        self.advance(features);
    }

    /// Ends the passage: appends the frames that were waiting for samples after the end. Returns the
    /// number of frames of the whole passage; the last one may be partly silence.
    pub fn finish(&mut self, features: &mut Vec<f32>) -> u64 {
        let hop = self.front_end.config.hop_samples as u64;
        let frames = self.samples.div_ceil(hop);
        if !self.finished {
            self.finished = true;
            let longest = self.scratch.windowed.len() as u64;
            let end = frames * hop + longest / 2;
            self.audio
                .resize((end as i64 - self.audio_start) as usize, 0.0);
            self.advance(features);
        }
        frames
    }

    /// Frames whose samples are all there.
    fn advance(&mut self, features: &mut Vec<f32>) {
        let front_end = Arc::clone(&self.front_end);
        let config = &front_end.config;
        let hop = config.hop_samples as i64;
        let end = self.audio_start + self.audio.len() as i64;
        let last_frame = self.samples.div_ceil(hop as u64) as usize;

        // Levels: one value per whole frame, the last frame filled with silence at the end.
        let mut level_end = self.level_start + self.level_sums.len() - 1;
        while (level_end as i64 + 1) * hop <= end && !(self.finished && level_end >= last_frame) {
            let start = (level_end as i64 * hop - self.audio_start) as usize;
            let frame = &self.audio[start..start + hop as usize];
            let mean = frame.iter().map(|x| x * x).sum::<f32>() / hop as f32;
            let sum = self.level_sums.back().copied().unwrap_or(0.0) + f64::from(mean);
            self.level_sums.push_back(sum);
            level_end += 1;
        }

        let half = (self.scratch.windowed.len() / 2) as i64;
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

        // Forget what no later frame needs.
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

    /// Level reference of `next_frame`: mean square around it, silence outside of the passage.
    fn level(&self, config: &FrontEndConfig, level_end: usize) -> f32 {
        let first = self.next_frame.saturating_sub(config.level_past_frames);
        let last = (self.next_frame + config.level_future_frames + 1).min(level_end);
        let sum =
            self.level_sums[last - self.level_start] - self.level_sums[first - self.level_start];
        let count = config.level_past_frames + config.level_future_frames + 1;
        (sum / count as f64).max(0.0) as f32 + config.level_floor
    }

    fn analyse(&mut self, front_end: &FrontEnd, frame: usize) {
        let config = &front_end.config;
        let centre = (frame * config.hop_samples) as i64 - self.audio_start;
        let first_value = self.powers.len();
        self.powers.resize(first_value + config.frame_len(), 0.0);
        for (channel, analysis) in front_end.analyses.iter().enumerate() {
            let size = analysis.window.len();
            let start = centre as usize - size / 2;
            let windowed = &mut self.scratch.windowed[..size];
            for ((out, x), w) in windowed
                .iter_mut()
                .zip(&self.audio[start..])
                .zip(&analysis.window)
            {
                *out = x * w;
            }
            let spectrum = &mut self.scratch.spectrum[..size / 2 + 1];
            let scratch = &mut self.scratch.fft[..analysis.fft.get_scratch_len()];
            if analysis
                .fft
                .process_with_scratch(windowed, spectrum, scratch)
                .is_err()
            {
                // Only wrong buffer lengths are an error, and these come from the plan itself.
                unreachable!("buffer lengths follow from the transform");
            }
            let power = &mut self.scratch.power[..size / 2 + 1];
            for (out, x) in power.iter_mut().zip(spectrum.iter()) {
                *out = x.norm_sqr() * analysis.power_scale;
            }
            for (band, (first, weights)) in analysis.filters.bands.iter().enumerate() {
                let sum: f32 = weights
                    .iter()
                    .zip(&power[*first..])
                    .map(|(w, p)| w * p)
                    .sum();
                self.powers[first_value + band * config.fft_sizes.len() + channel] = sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> FrontEndConfig {
        FrontEndConfig {
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
        let mut stream = FeatureStream::new(Arc::new(FrontEnd::new(config())));
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
    fn features_do_not_depend_on_block_sizes() {
        let samples = noise(10_000);
        let (whole, frames) = features(&samples, samples.len());
        assert_eq!(frames, 79);
        assert_eq!(whole.len(), 79 * config().frame_len());
        for block in [1, 17, 128, 1000] {
            assert_eq!(features(&samples, block).0, whole, "blocks of {block}");
        }
    }

    #[test]
    fn a_frame_is_out_once_its_lookahead_is_in() {
        let mut stream = FeatureStream::new(Arc::new(FrontEnd::new(config())));
        let mut out = Vec::new();
        let lookahead = config().lookahead_samples();
        stream.push(&noise(lookahead - 1), &mut out);
        assert!(out.is_empty());
        stream.push(&[0.5], &mut out);
        assert_eq!(out.len(), config().frame_len());
    }

    #[test]
    fn a_tone_lights_the_band_it_lies_in() {
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
    fn level_does_not_matter_and_silence_is_finite() {
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
