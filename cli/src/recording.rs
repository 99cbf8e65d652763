//! Whole recordings in memory.

use std::path::Path;

use anyhow::Result;
use hitscribe_core::audio::Downmixer;
use hitscribe_core::audio::file::AudioFile;
use hitscribe_core::audio::resample::Resampler;

/// A mono recording.
pub struct Recording {
    /// Samples; full scale is 1.
    pub samples: Vec<f32>,
    /// Sample rate in Hz.
    pub sample_rate_hz: u32,
    /// Damage of a file that could be read nevertheless.
    pub warning: Option<String>,
}

impl Recording {
    /// Reads a file and mixes its channels.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = AudioFile::open(path)?;
        let (sample_rate_hz, channel_count) = (file.sample_rate_hz(), file.channel_count());
        let (mut samples, mut downmixer) = (Vec::new(), Downmixer::new(channel_count));
        while let Some(block) = file.next_block()? {
            downmixer.push(block, &mut samples);
        }
        Ok(Self {
            samples,
            sample_rate_hz,
            warning: file.warning(),
        })
    }

    /// Converts the sample rate.
    pub fn resampled(self, sample_rate_hz: u32) -> Result<Self> {
        let mut resampler = Resampler::new(self.sample_rate_hz, sample_rate_hz)?;
        let mut samples = Vec::new();
        resampler.push(&self.samples, &mut samples);
        resampler.finish(&mut samples);
        Ok(Self {
            samples,
            sample_rate_hz,
            ..self
        })
    }

    /// Changes the level.
    pub fn amplify(&mut self, gain_db: f32) {
        let gain = 10.0_f32.powf(gain_db / 20.0);
        self.samples.iter_mut().for_each(|x| *x *= gain);
    }

    /// Length in seconds.
    pub fn duration_seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.sample_rate_hz)
    }
}
