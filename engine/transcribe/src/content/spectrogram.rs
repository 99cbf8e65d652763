//! A spectrogram, and the measurements on it.

use hitscribe_dsp::real_fft;

use crate::content::evidence::ContentEvidence;

const MAXIMUM_SECONDS: usize = 30;
const WINDOW_SECONDS: f64 = 0.046;
/// Windows overlap by three quarters.
const HOPS_PER_WINDOW: usize = 4;
const HIGHEST_HZ: f64 = 8000.0;
/// Lengths of the median filters.
const MEDIAN_SECONDS: f64 = 0.2;
const MEDIAN_HZ: f64 = 370.0;
/// Frames this far below the loudest are silence: -40 dB.
const ACTIVE_SHARE: f64 = 1e-4;
/// Peaks below this are silence: -80 dBFS.
const SILENT_PEAK: f32 = 1e-4;
/// Level of the first sound relative to the peak: -40 dB.
const FIRST_SOUND: f32 = 0.01;

/// Magnitudes up to 8 kHz, frame by frame.
pub(super) struct Spectrogram {
    frames: Vec<Vec<f32>>,
    energy: Vec<f64>,
    hz_per_bin: f64,
    frame_seconds: f64,
}

impl Spectrogram {
    /// `None` for silence and less than a second.
    pub(super) fn new(samples: &[f32], sample_rate_hz: u32) -> Option<Self> {
        let rate = f64::from(sample_rate_hz.max(1));
        let clean = |x: f32| if x.is_finite() { x } else { 0.0 };
        let peak = samples.iter().map(|&x| clean(x).abs()).fold(0.0, f32::max);
        if peak < SILENT_PEAK || samples.len() < sample_rate_hz as usize {
            return None;
        }
        let start = samples
            .iter()
            .position(|&x| clean(x).abs() >= peak * FIRST_SOUND)?;
        let end = samples
            .len()
            .min(start.saturating_add(MAXIMUM_SECONDS * sample_rate_hz as usize));
        let window = 1 << ((WINDOW_SECONDS * rate).log2().round().clamp(4.0, 16.0) as u32);
        let hop = window / HOPS_PER_WINDOW;
        let fft = real_fft(window);
        let hann: Vec<f32> = (0..window)
            .map(|i| {
                (0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / window as f64).cos()) as f32 / peak
            })
            .collect();
        let hz_per_bin = rate / window as f64;
        let bins = ((HIGHEST_HZ / hz_per_bin).ceil() as usize).min(window / 2 + 1);
        let (mut input, mut output) = (fft.make_input_vec(), fft.make_output_vec());
        let mut frames = Vec::new();
        for piece in samples[start..end].windows(window).step_by(hop) {
            input
                .iter_mut()
                .zip(piece.iter().zip(&hann))
                .for_each(|(i, (&x, w))| *i = clean(x) * w);
            fft.process(&mut input, &mut output).ok()?;
            frames.push(
                output[..bins]
                    .iter()
                    .map(|c| c.norm())
                    .collect::<Vec<f32>>(),
            );
        }
        let energy: Vec<f64> = frames
            .iter()
            .map(|f| f.iter().map(|&m| f64::from(m * m)).sum())
            .collect();
        let frame_seconds = hop as f64 / rate;
        (frames.len() >= 32).then_some(Self {
            frames,
            energy,
            hz_per_bin,
            frame_seconds,
        })
    }

    fn active(&self) -> impl Iterator<Item = usize> + '_ {
        let loudest = self.energy.iter().copied().fold(0.0, f64::max);
        (0..self.frames.len()).filter(move |&t| self.energy[t] > loudest * ACTIVE_SHARE)
    }

    pub(super) fn evidence(&self) -> ContentEvidence {
        let onsets = Onsets::new(self);
        let seconds = self.frames.len() as f64 * self.frame_seconds;
        ContentEvidence {
            percussive_share: self.percussive_share(),
            onset_breadth: median(onsets.at.iter().map(|&t| onsets.breadth(t)).collect()),
            decay_db: median(onsets.at.iter().map(|&t| self.decay_db(t)).collect()),
            onsets_per_second: (onsets.at.len() as f64 / seconds) as f32,
        }
    }

    /// Share of the energy in vertical lines (Wiener filter).
    fn percussive_share(&self) -> f32 {
        let bins = self.frames[0].len();
        let reach_t = ((MEDIAN_SECONDS / self.frame_seconds / 2.0) as usize).max(1);
        let reach_f = ((MEDIAN_HZ / self.hz_per_bin / 2.0) as usize).max(1);
        let (mut percussive, mut all) = (0.0, 0.0);
        let mut values = Vec::new();
        for t in self.active() {
            let (first_t, last_t) = (
                t.saturating_sub(reach_t),
                (t + reach_t).min(self.frames.len() - 1),
            );
            for bin in 0..bins {
                let magnitude = self.frames[t][bin];
                let horizontal = median_of(
                    &mut values,
                    self.frames[first_t..=last_t].iter().map(|f| f[bin]),
                );
                let (first_f, last_f) =
                    (bin.saturating_sub(reach_f), (bin + reach_f).min(bins - 1));
                let vertical = median_of(
                    &mut values,
                    self.frames[t][first_f..=last_f].iter().copied(),
                );
                let (h, v) = (f64::from(horizontal).powi(2), f64::from(vertical).powi(2));
                let energy = f64::from(magnitude).powi(2);
                percussive += energy * v / (v + h + f64::MIN_POSITIVE);
                all += energy;
            }
        }
        if all > 0.0 {
            (percussive / all) as f32
        } else {
            0.0
        }
    }

    fn level_db(&self, t: usize) -> f32 {
        let loudest = self.energy.iter().copied().fold(0.0, f64::max);
        (10.0 * (self.energy[t] + loudest * 1e-9).log10()) as f32
    }

    /// Fall of the level from just after an onset to 0.1 s later, in dB.
    fn decay_db(&self, onset: usize) -> f32 {
        let frames = |seconds: f64| onset + (seconds / self.frame_seconds).round() as usize;
        let last = self.frames.len() - 1;
        let level = |from: usize, to: usize| {
            (from.min(last)..to.min(last + 1).max(from.min(last) + 1)).map(|t| self.level_db(t))
        };
        let loud = level(onset + 1, frames(0.046)).fold(f32::MIN, f32::max);
        let soft = level(frames(0.093), frames(0.162)).fold(f32::MAX, f32::min);
        loud - soft
    }
}

/// Onsets of notes and hits: peaks of the rise of log magnitudes.
struct Onsets {
    log: Vec<Vec<f32>>,
    at: Vec<usize>,
}

/// Smallest rise of a bin in log units (about 4 dB well above the floor).
const RISE: f32 = 0.5;

impl Onsets {
    fn new(spectrogram: &Spectrogram) -> Self {
        let frames = &spectrogram.frames;
        let largest = frames
            .iter()
            .flatten()
            .copied()
            .fold(f32::MIN_POSITIVE, f32::max);
        let log: Vec<Vec<f32>> = frames
            .iter()
            .map(|f| f.iter().map(|m| (1000.0 * m / largest).ln_1p()).collect())
            .collect();
        let flux: Vec<f32> = log
            .windows(2)
            .map(|pair| {
                let rise: f32 = pair[0]
                    .iter()
                    .zip(&pair[1])
                    .map(|(a, b)| (b - a).max(0.0))
                    .sum();
                rise / pair[0].len() as f32
            })
            .collect();
        let mean = flux.iter().sum::<f32>() / flux.len() as f32;
        let deviation =
            (flux.iter().map(|d| (d - mean).powi(2)).sum::<f32>() / flux.len() as f32).sqrt();
        let limit = median(flux.clone()) + 1.5 * deviation;
        let is_peak = |t: &usize| {
            let near = &flux[t.saturating_sub(4)..(t + 5).min(flux.len())];
            flux[*t] > limit && near.iter().all(|&d| d <= flux[*t])
        };
        let at = (2..flux.len().saturating_sub(14)).filter(is_peak).collect();
        Self { log, at }
    }

    /// Share of bins that rise around an onset.
    fn breadth(&self, onset: usize) -> f32 {
        let (before, after) = (&self.log[onset - 1], &self.log[onset + 1]);
        let rising = before
            .iter()
            .zip(after)
            .filter(|(b, a)| *a - *b > RISE)
            .count();
        rising as f32 / before.len() as f32
    }
}

fn median(mut values: Vec<f32>) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// Median of an iterator; the buffer saves allocations.
fn median_of(buffer: &mut Vec<f32>, values: impl Iterator<Item = f32>) -> f32 {
    buffer.clear();
    buffer.extend(values);
    let middle = buffer.len() / 2;
    *buffer.select_nth_unstable_by(middle, f32::total_cmp).1
}
