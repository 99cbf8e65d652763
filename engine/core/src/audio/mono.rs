//! A whole recording as one channel at a given rate.

use std::path::Path;

use crate::audio::file::AudioFile;
use crate::audio::resample::Resampler;
use crate::audio::{cleaned, cleaned_warning, downmix};
use crate::error::Result;

/// A recording in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The mean of the channels, at the rate that was asked for.
    pub samples: Vec<f32>,
    /// Sample rate of the file.
    pub file_rate_hz: u32,
    /// Its length.
    pub duration_seconds: f64,
    /// What was wrong with it although it could be read, one line each.
    pub warnings: Vec<String>,
}

/// Reads an audio file as mono at `rate_hz`. A file of one channel at that rate is not changed, but for
/// samples that are none (see [`cleaned`]).
///
/// # Errors
/// Those of [`AudioFile`] and [`Resampler`].
pub fn read_mono(path: &Path, rate_hz: u32) -> Result<Recording> {
    let mut file = AudioFile::open(path)?;
    let channel_count = file.channel_count();
    let mut mono = Mono::new(file.sample_rate_hz(), rate_hz)?;
    while let Some(block) = file.next_block()? {
        mono.push(block, channel_count);
    }
    Ok(mono.finish(file.warning()))
}

/// The same from interleaved samples at `from_hz`.
///
/// # Errors
/// Those of [`Resampler`].
pub fn to_mono(
    interleaved: &[f32],
    channel_count: usize,
    from_hz: u32,
    rate_hz: u32,
) -> Result<Recording> {
    let mut mono = Mono::new(from_hz, rate_hz)?;
    mono.push(interleaved, channel_count);
    Ok(mono.finish(None))
}

/// A recording that comes in by and by.
struct Mono {
    recording: Recording,
    resampler: Resampler,
    block: Vec<f32>,
    frames: u64,
    replaced_samples: u64,
}

impl Mono {
    fn new(from_hz: u32, rate_hz: u32) -> Result<Self> {
        Ok(Self {
            recording: Recording {
                file_rate_hz: from_hz,
                ..Recording::default()
            },
            resampler: Resampler::new(from_hz, rate_hz)?,
            block: Vec::new(),
            frames: 0,
            replaced_samples: 0,
        })
    }

    fn push(&mut self, interleaved: &[f32], channel_count: usize) {
        self.block.clear();
        downmix(interleaved, channel_count, &mut self.block);
        self.frames += self.block.len() as u64;
        let (clean, bad) = cleaned(&self.block);
        self.replaced_samples += bad as u64;
        self.resampler.push(&clean, &mut self.recording.samples);
    }

    fn finish(mut self, warning: Option<String>) -> Recording {
        self.resampler.finish(&mut self.recording.samples);
        let seconds = self.frames as f64 / f64::from(self.recording.file_rate_hz);
        let warnings = warning
            .into_iter()
            .chain(cleaned_warning(self.replaced_samples));
        Recording {
            duration_seconds: seconds,
            warnings: warnings.collect(),
            ..self.recording
        }
    }
}
