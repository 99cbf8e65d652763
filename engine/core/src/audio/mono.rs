//! Reads a whole file into memory, mixed down to mono and resampled.

use std::path::Path;

use crate::audio::downmixer::Downmixer;
use crate::audio::file::AudioFile;
use crate::audio::resample::Resampler;
use crate::audio::samples::{sanitize, sanitize_warning};
use crate::error::Result;

/// A whole file as mono audio in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MonoAudio {
    /// The mean of the channels at the requested sample rate.
    pub samples: Vec<f32>,
    /// Sample rate of the file in Hz.
    pub file_rate_hz: u32,
    /// Length of the file in seconds.
    pub duration_seconds: f64,
    /// Faults of the file that did not prevent reading, one line each.
    pub warnings: Vec<String>,
}

/// Reads an audio file as mono at `rate_hz`. The samples of a mono file at that rate stay as they
/// are, except for invalid ones (see [`sanitize`]).
///
/// # Errors
/// Those of [`AudioFile`] and [`Resampler`].
pub fn read_mono(path: &Path, rate_hz: u32) -> Result<MonoAudio> {
    let mut file = AudioFile::open(path)?;
    let (channel_count, file_rate_hz) = (file.channel_count(), file.sample_rate_hz());
    let mut resampler = Resampler::new(file_rate_hz, rate_hz)?;
    let mut downmixer = Downmixer::new(channel_count);
    let (mut samples, mut mono) = (Vec::new(), Vec::new());
    let (mut frames, mut changed_samples) = (0, 0);
    while let Some(block) = file.next_block()? {
        mono.clear();
        downmixer.push(block, &mut mono);
        frames += mono.len() as u64;
        let (valid, changed) = sanitize(&mono);
        changed_samples += changed as u64;
        resampler.push(&valid, &mut samples);
    }
    resampler.finish(&mut samples);
    let warnings = file
        .warning()
        .into_iter()
        .chain(sanitize_warning(changed_samples));
    Ok(MonoAudio {
        samples,
        file_rate_hz,
        duration_seconds: frames as f64 / f64::from(file_rate_hz),
        warnings: warnings.collect(),
    })
}
