//! What a transcription reads: an audio file or samples in memory, as mono blocks.

use std::path::Path;
use std::slice::Chunks;

use hitscribe_core::audio::downmix;
use hitscribe_core::audio::file::AudioFile;
use hitscribe_core::error::Result;

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
        fault: Option<&'a AudioFault>,
    },
}

/// What is wrong with a recording although it could be read.
#[derive(Clone, Debug)]
pub(crate) struct AudioFault {
    pub text: String,
    /// Whether part of the audio is missing.
    pub is_loss: bool,
}

/// Mono blocks of a recording.
pub(crate) struct MonoBlocks<'a> {
    source: BlockSource<'a>,
    sample_rate_hz: u32,
    channel_count: usize,
    mono: Vec<f32>,
}

enum BlockSource<'a> {
    File(Box<AudioFile>),
    Samples {
        blocks: Chunks<'a, f32>,
        frame_count: u64,
        fault: Option<&'a AudioFault>,
    },
}

/// A whole recording in memory.
pub(crate) struct MonoRecording {
    pub samples: Vec<f32>,
    pub sample_rate_hz: u32,
    pub fault: Option<AudioFault>,
}

impl<'a> Input<'a> {
    pub(crate) fn open(self) -> Result<MonoBlocks<'a>> {
        Ok(match self {
            Self::File(path) => {
                let file = Box::new(AudioFile::open(path)?);
                MonoBlocks {
                    sample_rate_hz: file.sample_rate_hz(),
                    channel_count: file.channel_count(),
                    source: BlockSource::File(file),
                    mono: Vec::new(),
                }
            }
            Self::Samples {
                interleaved,
                channel_count,
                sample_rate_hz,
                fault,
            } => MonoBlocks {
                source: BlockSource::Samples {
                    blocks: interleaved.chunks(BLOCK_FRAMES * channel_count.max(1)),
                    frame_count: (interleaved.len() / channel_count.max(1)) as u64,
                    fault,
                },
                sample_rate_hz,
                channel_count,
                mono: Vec::new(),
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
            fault: blocks.fault(),
        })
    }
}

impl MonoRecording {
    pub(crate) fn input(&self) -> Input<'_> {
        Input::Samples {
            interleaved: &self.samples,
            channel_count: 1,
            sample_rate_hz: self.sample_rate_hz,
            fault: self.fault.as_ref(),
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
        downmix(interleaved, self.channel_count, &mut self.mono);
        Ok(Some(&self.mono))
    }

    /// What is wrong with the recording although it could be read; known at the end.
    pub(crate) fn fault(&self) -> Option<AudioFault> {
        match &self.source {
            BlockSource::File(file) => file.warning().map(|text| AudioFault {
                text,
                is_loss: file.is_incomplete(),
            }),
            BlockSource::Samples { fault, .. } => fault.cloned(),
        }
    }
}
