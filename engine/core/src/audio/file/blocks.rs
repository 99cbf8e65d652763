//! Samples that lie in a file as they are, or in blocks of one size: WAV, AIFF, AU.

use std::io::Result;
use std::ops::Range;

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_PCM_F32BE, CODEC_ID_PCM_F32LE, CODEC_ID_PCM_F64BE, CODEC_ID_PCM_F64LE,
    CODEC_ID_PCM_S8, CODEC_ID_PCM_S16BE, CODEC_ID_PCM_S16LE, CODEC_ID_PCM_S24BE,
    CODEC_ID_PCM_S24LE, CODEC_ID_PCM_S32BE, CODEC_ID_PCM_S32LE, CODEC_ID_PCM_U8,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, Timestamp};

use super::section::FileBytes;

/// Limits of a packet.
const MAX_PACKET_FRAMES: u64 = 4_096;
const MAX_PACKET_BYTES: u64 = 1 << 20;

/// How samples are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SampleFormat {
    pub codec: AudioCodecId,
    pub sample_rate_hz: u32,
    pub channel_count: u16,
    /// Bytes of a block: of a frame, if the samples are not compressed.
    pub block_bytes: u64,
    pub frames_per_block: u64,
}

/// Where the samples of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Samples {
    pub format: SampleFormat,
    pub range: Range<u64>,
    /// Length that the file states, in frames, if it has less.
    pub missing_of: Option<u64>,
    /// What is wrong with the file although it can be read.
    pub fault: Option<String>,
    /// Frames before the padding of the last block.
    pub frame_limit: Option<u64>,
}

/// Byte order of samples and headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }

    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }

    pub(super) fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let bytes: [u8; 8] = bytes.get(at..at + 8)?.try_into().ok()?;
        Some(match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        })
    }

    /// Integers of this width, signed from 16 bits on.
    pub(super) fn integers(self, bytes: u64) -> Option<AudioCodecId> {
        Some(match (self, bytes) {
            (_, 1) => CODEC_ID_PCM_U8,
            (Self::Little, 2) => CODEC_ID_PCM_S16LE,
            (Self::Big, 2) => CODEC_ID_PCM_S16BE,
            (Self::Little, 3) => CODEC_ID_PCM_S24LE,
            (Self::Big, 3) => CODEC_ID_PCM_S24BE,
            (Self::Little, 4) => CODEC_ID_PCM_S32LE,
            (Self::Big, 4) => CODEC_ID_PCM_S32BE,
            _ => return None,
        })
    }

    /// Signed integers of this width.
    pub(super) fn signed_integers(self, bytes: u64) -> Option<AudioCodecId> {
        match bytes {
            1 => Some(CODEC_ID_PCM_S8),
            _ => self.integers(bytes),
        }
    }

    /// Floating-point numbers of this width.
    pub(super) fn floats(self, bytes: u64) -> Option<AudioCodecId> {
        Some(match (self, bytes) {
            (Self::Little, 4) => CODEC_ID_PCM_F32LE,
            (Self::Big, 4) => CODEC_ID_PCM_F32BE,
            (Self::Little, 8) => CODEC_ID_PCM_F64LE,
            (Self::Big, 8) => CODEC_ID_PCM_F64BE,
            _ => return None,
        })
    }
}

impl SampleFormat {
    /// Samples that are not compressed.
    pub(super) fn plain(
        codec: AudioCodecId,
        sample_rate_hz: u32,
        channel_count: u16,
        sample_bytes: u64,
    ) -> Self {
        Self {
            codec,
            sample_rate_hz,
            channel_count,
            block_bytes: sample_bytes * u64::from(channel_count),
            frames_per_block: 1,
        }
    }

    /// Whole frames in so many bytes.
    pub(super) fn frames(&self, bytes: u64) -> u64 {
        bytes / self.block_bytes * self.frames_per_block
    }
}

/// Reads samples in packets.
pub(super) struct BlockReader {
    file: FileBytes,
    samples: Samples,
    position: u64,
    frames: u64,
}

impl BlockReader {
    pub(super) fn new(file: FileBytes, samples: Samples) -> Self {
        Self {
            file,
            position: samples.range.start,
            samples,
            frames: 0,
        }
    }

    pub(super) fn samples(&self) -> &Samples {
        &self.samples
    }

    pub(super) fn frame_count(&self) -> u64 {
        let range = &self.samples.range;
        let frames = self.samples.format.frames(range.end - range.start);
        frames.min(self.samples.frame_limit.unwrap_or(u64::MAX))
    }

    pub(super) fn codec(&self) -> AudioCodecParameters {
        let format = &self.samples.format;
        let mut codec = AudioCodecParameters::new();
        codec
            .for_codec(format.codec)
            .with_sample_rate(format.sample_rate_hz)
            .with_channels(Channels::Discrete(format.channel_count))
            .with_frames_per_block(format.frames_per_block)
            .with_max_frames_per_packet(self.packet_blocks() * format.frames_per_block);
        codec
    }

    fn packet_blocks(&self) -> u64 {
        let format = &self.samples.format;
        let blocks = MAX_PACKET_FRAMES / format.frames_per_block;
        blocks.min(MAX_PACKET_BYTES / format.block_bytes).max(1)
    }

    /// The next packet; none at the end. An incomplete block at the end is left out.
    pub(super) fn next_packet(&mut self) -> Result<Option<Packet>> {
        let format = &self.samples.format;
        let left = (self.samples.range.end - self.position) / format.block_bytes;
        let wanted = left.min(self.packet_blocks()) * format.block_bytes;
        let bytes = self.file.at(self.position, wanted as usize)?;
        let blocks = bytes.len() as u64 / format.block_bytes;
        if blocks == 0 {
            return Ok(None);
        }
        let data = bytes[..(blocks * format.block_bytes) as usize].to_vec();
        let frames = blocks * format.frames_per_block;
        let pts = Timestamp::new(self.frames as i64);
        self.position += data.len() as u64;
        self.frames += frames;
        Ok(Some(Packet::new(0, pts, Duration::new(frames), data)))
    }
}
