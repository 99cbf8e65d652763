//! The header of an MPEG audio frame, layers 1 to 3.

use symphonia::core::codecs::audio::AudioCodecId;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_MP1, CODEC_ID_MP2, CODEC_ID_MP3};

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub layer: u8,
    pub is_version_1: bool,
    pub sample_rate_hz: u32,
    pub channel_count: u16,
    pub has_checksum: bool,
    /// Length of the frame in bytes with its header.
    pub bytes: usize,
    pub samples: u64,
}

impl FrameHeader {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[sync, first, second, third, ..] = bytes else {
            return None;
        };
        let (version, layer) = (first >> 3 & 3, 4 - (first >> 1 & 3));
        let (rate, bit_rate) = (second >> 2 & 3, usize::from(second >> 4));
        let is_valid = sync == 0xff && first >= 0xe0 && version != 1 && layer != 4;
        if !is_valid || rate == 3 || bit_rate == 0 || bit_rate == 15 {
            return None;
        }
        let is_version_1 = version == 3;
        let kbps: [u32; 14] = match (is_version_1, layer) {
            (true, 1) => [
                32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
            ],
            (true, 2) => [
                32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
            ],
            (true, _) => [
                32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
            ],
            (false, 1) => [
                32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
            ],
            (false, _) => [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
        };
        let full_rate_hz = [44_100, 48_000, 32_000][usize::from(rate)];
        let sample_rate_hz = match version {
            3 => full_rate_hz,
            2 => full_rate_hz / 2,
            _ => full_rate_hz / 4,
        };
        let bits_per_second = kbps[bit_rate - 1] * 1_000;
        let padding = u32::from(second >> 1 & 1);
        let (samples, bytes) = match (layer, is_version_1) {
            (1, _) => (384, (12 * bits_per_second / sample_rate_hz + padding) * 4),
            (3, false) => (576, 72 * bits_per_second / sample_rate_hz + padding),
            _ => (1_152, 144 * bits_per_second / sample_rate_hz + padding),
        };
        Some(Self {
            layer,
            is_version_1,
            sample_rate_hz,
            channel_count: if third >> 6 == 3 { 1 } else { 2 },
            has_checksum: first & 1 == 0,
            bytes: bytes as usize,
            samples,
        })
    }

    pub(super) fn codec(&self) -> AudioCodecId {
        match self.layer {
            1 => CODEC_ID_MP1,
            2 => CODEC_ID_MP2,
            _ => CODEC_ID_MP3,
        }
    }

    /// Whether both can belong to one stream. The number of channels may change in joined files.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.layer, self.is_version_1, self.sample_rate_hz)
            == (other.layer, other.is_version_1, other.sample_rate_hz)
    }
}
