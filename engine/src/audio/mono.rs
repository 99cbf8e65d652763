//! A whole file as one channel at a given rate.

use std::path::Path;

use super::decode::AudioFile;
use super::downmix;
use super::resample::Resampler;
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
    /// What was wrong with it although it could be read.
    pub warning: Option<String>,
}

/// Reads an audio file as mono at `rate_hz`. A file of one channel at that rate is not changed.
///
/// # Errors
/// Those of [`AudioFile`] and [`Resampler`].
pub fn read_mono(path: &Path, rate_hz: u32) -> Result<Recording> {
    let mut file = AudioFile::open(path)?;
    let channel_count = file.channel_count();
    let mut out = Recording {
        file_rate_hz: file.sample_rate_hz(),
        ..Recording::default()
    };
    let mut resampler = Resampler::new(out.file_rate_hz, rate_hz)?;
    let mut mono = Vec::new();
    let mut frames = 0_u64;
    while let Some(block) = file.next_block()? {
        mono.clear();
        downmix(block, channel_count, &mut mono);
        frames += mono.len() as u64;
        resampler.push(&mono, &mut out.samples);
    }
    resampler.finish(&mut out.samples);
    out.duration_seconds = frames as f64 / f64::from(out.file_rate_hz);
    out.warning = file.warning();
    Ok(out)
}
