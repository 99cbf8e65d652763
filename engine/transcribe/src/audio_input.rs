//! What a transcription reads: an audio file or samples in memory, as mono blocks.

use std::path::Path;
use std::slice::Chunks;

use hitscribe_core::audio::Downmixer;
use hitscribe_core::audio::file::AudioFile;
use hitscribe_core::error::Result;

use crate::transcription::Warning;

/// Frames in one block of samples that are in memory.
const BLOCK_FRAMES: usize = 65_536;

/// A recording that can be read from its start more than once.
#[derive(Clone, Copy)]
pub(crate) enum Input<'a> {
    File(&'a Path),
    Samples {
        interleaved: &'a [f32],
        channel_count: usize,
        sample_rate_hz: u32,
        /// What was wrong with the file that they come from.
        warnings: &'a [Warning],
    },
}

/// Mono blocks of a recording.
pub(crate) struct MonoBlocks<'a> {
    source: BlockSource<'a>,
    sample_rate_hz: u32,
    downmixer: Downmixer,
    mono: Vec<f32>,
    /// Largest magnitude so far.
    peak: f32,
}

enum BlockSource<'a> {
    File(Box<AudioFile>),
    Samples {
        blocks: Chunks<'a, f32>,
        frame_count: u64,
        warnings: &'a [Warning],
    },
}

/// A whole recording in memory.
pub(crate) struct MonoRecording {
    pub samples: Vec<f32>,
    pub sample_rate_hz: u32,
    pub warnings: Vec<Warning>,
}

impl<'a> Input<'a> {
    pub(crate) fn open(self) -> Result<MonoBlocks<'a>> {
        Ok(match self {
            Self::File(path) => {
                let file = Box::new(AudioFile::open(path)?);
                MonoBlocks {
                    sample_rate_hz: file.sample_rate_hz(),
                    downmixer: Downmixer::new(file.channel_count()),
                    source: BlockSource::File(file),
                    mono: Vec::new(),
                    peak: 0.0,
                }
            }
            Self::Samples {
                interleaved,
                channel_count,
                sample_rate_hz,
                warnings,
            } => MonoBlocks {
                source: BlockSource::Samples {
                    blocks: interleaved.chunks(BLOCK_FRAMES * channel_count.max(1)),
                    frame_count: (interleaved.len() / channel_count.max(1)) as u64,
                    warnings,
                },
                sample_rate_hz,
                downmixer: Downmixer::new(channel_count),
                mono: Vec::new(),
                peak: 0.0,
            },
        })
    }

    /// Reads the whole recording into memory.
    pub(crate) fn read(self) -> Result<MonoRecording> {
        let mut blocks = self.open()?;
        let mut samples = Vec::new();
        while let Some(block) = blocks.next_block()? {
            samples.extend_from_slice(block);
        }
        Ok(MonoRecording {
            samples,
            sample_rate_hz: blocks.sample_rate_hz,
            warnings: blocks.warnings(),
        })
    }
}

impl MonoRecording {
    pub(crate) fn input(&self) -> Input<'_> {
        Input::Samples {
            interleaved: &self.samples,
            channel_count: 1,
            sample_rate_hz: self.sample_rate_hz,
            warnings: &self.warnings,
        }
    }
}

impl MonoBlocks<'_> {
    pub(crate) fn sample_rate_hz(&self) -> u32 {
        self.sample_rate_hz
    }

    /// Length in seconds, if it is known before the end.
    pub(crate) fn declared_seconds(&self) -> Option<f64> {
        let frames = match &self.source {
            BlockSource::File(file) => file.declared_frames()?,
            BlockSource::Samples { frame_count, .. } => *frame_count,
        };
        Some(frames as f64 / f64::from(self.sample_rate_hz))
    }

    /// The next block, the mean of its channels; none at the end.
    pub(crate) fn next_block(&mut self) -> Result<Option<&[f32]>> {
        let interleaved = match &mut self.source {
            BlockSource::File(file) => file.next_block()?,
            BlockSource::Samples { blocks, .. } => blocks.next(),
        };
        let Some(interleaved) = interleaved else {
            return Ok(None);
        };
        self.mono.clear();
        self.downmixer.push(interleaved, &mut self.mono);
        // Without the samples that are not numbers.
        self.peak = self
            .mono
            .iter()
            .fold(self.peak, |peak, x| peak.max(x.abs()));
        Ok(Some(&self.mono))
    }

    /// Largest magnitude of the samples so far.
    pub(crate) fn peak(&self) -> f32 {
        self.peak
    }

    /// What is wrong with the recording although it could be read; known at the end.
    pub(crate) fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        match &self.source {
            BlockSource::File(file) => {
                warnings.extend(file.warning().map(|text| match file.is_incomplete() {
                    true => Warning::IncompleteAudio(text),
                    false => Warning::Audio(text),
                }))
            }
            BlockSource::Samples { warnings: own, .. } => warnings.extend_from_slice(own),
        }
        let cancelled_frames = self.downmixer.cancelled_frames();
        if cancelled_frames > 0 {
            let seconds = cancelled_frames as f64 / f64::from(self.sample_rate_hz);
            warnings.push(Warning::Audio(format!(
                "its channels cancel each other (inverted polarity?): the loudest one was used for \
                 {seconds:.1} s"
            )));
        }
        warnings
    }
}
