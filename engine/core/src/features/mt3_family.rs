//! Front ends of the MT3 family: one implementation with five sets of parameters.
//!
//! As in the reference systems, each segment is transformed without samples of its neighbours. The
//! FFT is in f64: an f32 FFT has rounding errors that are visible in the logarithm of near-silent
//! bins, and in the smallest bin, by which YourMT3 scales the whole segment.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hitscribe_dsp::{Complex, Fft, complex_fft_f64};

use crate::features::dsp::{hann, mel, mel_to_hz};

/// Sample rate in Hz of the input of all front ends of the family.
pub const SAMPLE_RATE_HZ: u32 = 16_000;
/// Length of the window and the FFT.
const WINDOW_SAMPLES: usize = 2048;
/// MT3: samples between frames.
const MT3_HOP_SAMPLES: usize = 128;
/// MT3: frames per segment.
const MT3_FRAMES: usize = 256;
/// YourMT3: samples between frames.
const YOURMT3_HOP_SAMPLES: usize = 300;
/// YourMT3: samples per segment.
const YOURMT3_SEGMENT_SAMPLES: usize = 32_767;

/// The system whose features are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrontEndKind {
    /// MT3, as in its training: left-aligned frames, magnitudes, 20 to 7600 Hz.
    Mt3,
    /// The MT3-PyTorch adapter: centred frames, power, up to 8 kHz. Only for comparison with the
    /// published results: the weights were trained with [`FrontEndKind::Mt3`].
    Mt3Pytorch,
    /// The MR-MT3 adapter with MT3's weights: triangles that are linear in Hz, and without an
    /// incomplete last frame.
    MrMt3,
    /// MR-MT3 with its own checkpoints: as [`FrontEndKind::MrMt3`], clipped to -12..=5 and scaled
    /// to 0..=1.
    MrMt3Normalised,
    /// YourMT3: log magnitudes of 1024 bins, scaled by the minimum and maximum of the segment.
    YourMt3,
}

impl FrontEndKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Mt3,
        Self::Mt3Pytorch,
        Self::MrMt3,
        Self::MrMt3Normalised,
        Self::YourMt3,
    ];

    /// Name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mt3 => "mt3",
            Self::Mt3Pytorch => "mt3-pytorch",
            Self::MrMt3 => "mr-mt3",
            Self::MrMt3Normalised => "mr-mt3-normalised",
            Self::YourMt3 => "yourmt3",
        }
    }
}

impl fmt::Display for FrontEndKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FrontEndKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or_else(|| {
            format!(
                "unknown front end {text}: use one of {}",
                Self::ALL.map(Self::name).join(", ")
            )
        })
    }
}

/// The features of a recording by segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// `[segments, frames, bands]`, row-major.
    pub values: Vec<f32>,
    /// Frames per segment.
    pub frames: usize,
    /// Values per frame.
    pub bands: usize,
    /// Start of each segment in seconds from the start of the audio.
    pub starts_seconds: Vec<f64>,
}

impl Features {
    /// Number of segments.
    pub fn segments(&self) -> usize {
        self.starts_seconds.len()
    }

    /// The features `[frames, bands]` of segment `index`, which must be below
    /// [`segments`](Self::segments).
    pub fn segment(&self, index: usize) -> &[f32] {
        let size = self.frames * self.bands;
        &self.values[index * size..(index + 1) * size]
    }
}

/// The frequency scale on which the triangles are linear.
#[derive(Clone, Copy)]
enum Slope {
    Mel,
    Hertz,
}

/// How the logarithm treats zero.
#[derive(Clone, Copy)]
enum Log {
    /// Replaces values that are not positive; positive values stay, however small.
    Replace(f32),
    /// Adds an offset to all values.
    Add(f32),
}

/// Scaling of the logarithms.
#[derive(Clone, Copy)]
enum Scale {
    None,
    /// Clips to -12..=5 and maps that to 0..=1.
    Clip,
    /// Maps the minimum and maximum of the segment to about 0 and 1.
    Extremes,
}

/// First bin of a band, and the weights from there on.
type Band = (usize, Vec<f32>);

/// A planned front end. Immutable: threads can share it by reference.
pub struct FrontEnd {
    kind: FrontEndKind,
    // One algorithm, not a planner: a planner in f64 compiles every algorithm for every processor.
    fft: Arc<dyn Fft<f64>>,
    window: Vec<f64>,
    hop_samples: usize,
    segment_samples: usize,
    frames: usize,
    centred: bool,
    power: bool,
    /// `None`: the FFT bins without the first.
    bands: Option<Vec<Band>>,
    log: Log,
    scale: Scale,
}

impl FrontEnd {
    /// The front end `kind` with `bands` mel bands (512 in the published models). `bands` is
    /// ignored for YourMT3, which always has 1024.
    pub fn new(kind: FrontEndKind, bands: usize) -> Self {
        let filters = |slope, highest_hz| Some(mel_filters(bands, 20.0, highest_hz, slope));
        let (centred, power, bands, log, scale) = match kind {
            FrontEndKind::Mt3 => (
                false,
                false,
                filters(Slope::Mel, 7600.0),
                Log::Replace(1e-5),
                Scale::None,
            ),
            FrontEndKind::Mt3Pytorch => (
                true,
                true,
                filters(Slope::Hertz, 8000.0),
                Log::Add(1e-6),
                Scale::None,
            ),
            FrontEndKind::MrMt3 => (
                false,
                false,
                filters(Slope::Hertz, 7600.0),
                Log::Replace(1e-5),
                Scale::None,
            ),
            FrontEndKind::MrMt3Normalised => (
                false,
                false,
                filters(Slope::Hertz, 7600.0),
                Log::Replace(1e-5),
                Scale::Clip,
            ),
            FrontEndKind::YourMt3 => (true, false, None, Log::Add(1e-5), Scale::Extremes),
        };
        let (hop_samples, segment_samples) = match kind {
            FrontEndKind::YourMt3 => (YOURMT3_HOP_SAMPLES, YOURMT3_SEGMENT_SAMPLES),
            _ => (MT3_HOP_SAMPLES, MT3_FRAMES * MT3_HOP_SAMPLES),
        };
        Self {
            kind,
            fft: complex_fft_f64(WINDOW_SAMPLES),
            window: hann(WINDOW_SAMPLES).collect(),
            hop_samples,
            segment_samples,
            frames: if centred {
                1 + segment_samples / hop_samples
            } else {
                MT3_FRAMES
            },
            centred,
            power,
            bands,
            log,
            scale,
        }
    }

    /// The kind of this front end.
    pub fn kind(&self) -> FrontEndKind {
        self.kind
    }

    /// Frames per segment: 256, 257 or 110.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Values per frame.
    pub fn bands(&self) -> usize {
        self.bands.as_ref().map_or(WINDOW_SAMPLES / 2, Vec::len)
    }

    /// Samples per segment at [`SAMPLE_RATE_HZ`].
    pub fn segment_samples(&self) -> usize {
        self.segment_samples
    }

    /// Length of a segment in seconds.
    pub fn segment_seconds(&self) -> f64 {
        self.segment_samples as f64 / f64::from(SAMPLE_RATE_HZ)
    }

    /// Computes the features of a whole recording, mono at [`SAMPLE_RATE_HZ`].
    pub fn features(&self, samples: &[f32]) -> Features {
        let length = match self.kind {
            FrontEndKind::YourMt3 => samples.len(),
            // MR-MT3 drops an incomplete frame. The others always add a frame, even after a
            // complete one.
            FrontEndKind::MrMt3 => samples.len() / MT3_HOP_SAMPLES * MT3_HOP_SAMPLES,
            _ => (samples.len() / MT3_HOP_SAMPLES + 1) * MT3_HOP_SAMPLES,
        };
        let segments = length.div_ceil(self.segment_samples);
        let mut out = Features {
            frames: self.frames,
            bands: self.bands(),
            ..Features::default()
        };
        for segment in 0..segments {
            let start = segment * self.segment_samples;
            let end = (start + self.segment_samples).min(length);
            let own = &samples[start.min(samples.len())..end.min(samples.len())];
            let valid_frames = match self.kind {
                FrontEndKind::YourMt3 => self.frames,
                _ => (end - start) / MT3_HOP_SAMPLES,
            };
            self.segment(own, valid_frames, &mut out.values);
            out.starts_seconds
                .push(start as f64 / f64::from(SAMPLE_RATE_HZ));
        }
        out
    }

    /// Appends the features `[frames, bands]` of one segment to `out`. A segment with too few
    /// `samples` ends in silence; frames from `valid_frames` on are 0.
    pub fn segment(&self, samples: &[f32], valid_frames: usize, out: &mut Vec<f32>) {
        let samples = &samples[..samples.len().min(self.segment_samples)];
        let mut padded = vec![0.0_f64; self.segment_samples + WINDOW_SAMPLES];
        let first = if self.centred { WINDOW_SAMPLES / 2 } else { 0 };
        for (padded, &sample) in padded[first..].iter_mut().zip(samples) {
            *padded = sample.into();
        }
        if self.centred {
            // Reflect about the first and the last sample, without repeating them.
            let last = first + self.segment_samples - 1;
            for distance in 1..=first {
                padded[first - distance] = padded[first + distance];
                padded[last + distance] = padded[last - distance];
            }
        }
        let begin = out.len();
        let mut spectrum = vec![Complex::default(); WINDOW_SAMPLES];
        let mut scratch = vec![Complex::default(); self.fft.get_inplace_scratch_len()];
        let mut levels = vec![0.0; WINDOW_SAMPLES / 2 + 1];
        for frame in 0..self.frames {
            let at = frame * self.hop_samples;
            for ((bin, sample), weight) in spectrum.iter_mut().zip(&padded[at..]).zip(&self.window)
            {
                *bin = Complex::from(sample * weight);
            }
            self.fft.process_with_scratch(&mut spectrum, &mut scratch);
            for (level, bin) in levels.iter_mut().zip(&spectrum) {
                *level = if self.power {
                    bin.norm_sqr()
                } else {
                    bin.norm_sqr().sqrt()
                } as f32;
            }
            match &self.bands {
                Some(bands) => out.extend(bands.iter().map(|(first, weights)| {
                    let sum: f32 = levels[*first..]
                        .iter()
                        .zip(weights)
                        .map(|(level, weight)| level * weight)
                        .sum();
                    self.log(sum)
                })),
                None => out.extend(levels[1..].iter().map(|&level| self.log(level))),
            }
        }
        let values = &mut out[begin..];
        self.rescale(values);
        let valid = valid_frames.min(self.frames) * self.bands();
        values[valid..].fill(0.0);
    }

    fn log(&self, level: f32) -> f32 {
        match self.log {
            Log::Replace(least) if level <= 0.0 => least.ln(),
            Log::Replace(_) => level.ln(),
            Log::Add(offset) => (level + offset).ln(),
        }
    }

    fn rescale(&self, values: &mut [f32]) {
        match self.scale {
            Scale::None => {}
            Scale::Clip => values
                .iter_mut()
                .for_each(|value| *value = (value.clamp(-12.0, 5.0) + 12.0) / 17.0),
            Scale::Extremes => {
                let least = values.iter().copied().fold(f32::INFINITY, f32::min);
                let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let range = most - least + 0.008;
                for value in values {
                    let scaled = (*value - least) / range;
                    *value = if scaled.is_nan() { 0.0 } else { scaled };
                }
            }
        }
    }
}

/// Triangular filters, evenly spaced on the HTK mel scale and not normalised.
fn mel_filters(bands: usize, lowest_hz: f64, highest_hz: f64, slope: Slope) -> Vec<Band> {
    let (low, high) = (mel(lowest_hz), mel(highest_hz));
    let edge_mel = |i: usize| low + (high - low) * i as f64 / (bands + 1) as f64;
    let bin_hz = f64::from(SAMPLE_RATE_HZ) / WINDOW_SAMPLES as f64;
    let on_scale = |bin: usize| match slope {
        Slope::Mel => mel(bin as f64 * bin_hz),
        Slope::Hertz => bin as f64 * bin_hz,
    };
    let edge = |i: usize| match slope {
        Slope::Mel => edge_mel(i),
        Slope::Hertz => mel_to_hz(edge_mel(i)),
    };
    let band = |band: usize| {
        let (left, centre, right) = (edge(band), edge(band + 1), edge(band + 2));
        let first = ((mel_to_hz(edge_mel(band)) / bin_hz).floor().max(0.0) as usize).max(1);
        let last =
            ((mel_to_hz(edge_mel(band + 2)) / bin_hz).ceil() as usize).min(WINDOW_SAMPLES / 2);
        let weight = |bin: usize| {
            let at = on_scale(bin);
            ((at - left) / (centre - left))
                .min((right - at) / (right - centre))
                .max(0.0) as f32
        };
        (first, (first..=last.max(first)).map(weight).collect())
    };
    (0..bands).map(band).collect()
}
