//! What the first frame of an MP3 file states about the file: the tags Xing, Info and VBRI.

use super::frame_header::FrameHeader;

/// Delay of a decoder, which the LAME tag does not count.
const DECODER_DELAY_SAMPLES: u64 = 528 + 1;

/// The content of a tag; empty for a stream without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct InfoTag {
    /// Frames after that of the tag.
    pub frames: Option<u64>,
    /// Samples of encoder delay at the start.
    pub delay_samples: u64,
    /// Samples of padding at the end.
    pub padding_samples: u64,
}

impl InfoTag {
    /// The tag of a frame; none if the frame is audio.
    pub(super) fn parse(frame: &[u8], header: &FrameHeader) -> Option<Self> {
        if header.layer != 3 {
            return None;
        }
        let side_info = match (header.is_version_1, header.channel_count) {
            (true, 1) => 17,
            (true, _) => 32,
            (false, 1) => 9,
            (false, _) => 17,
        };
        let before = if header.has_checksum { 6 } else { 4 };
        let is_tag = |at: usize, names: &[&[u8; 4]]| {
            let name = frame.get(at..at + 4);
            let is_named = names.iter().any(|n| name == Some(n.as_slice()));
            is_named && frame[before..at].iter().all(|&byte| byte == 0)
        };
        if is_tag(4 + side_info, &[b"Xing", b"Info"]) {
            Self::xing(frame, 4 + side_info, header.has_checksum)
        } else if is_tag(4 + 32, &[b"VBRI"]) {
            let frames = u32_be(frame, 4 + 32 + 14)?;
            Some(Self {
                frames: Some(u64::from(frames)),
                ..Self::default()
            })
        } else {
            None
        }
    }

    fn xing(frame: &[u8], at: usize, has_checksum: bool) -> Option<Self> {
        let flags = u32_be(frame, at + 4)?;
        let mut next = at + 8;
        let mut field = |bit: u32, bytes: usize| {
            let position = next;
            let is_set = flags & bit != 0;
            next += if is_set { bytes } else { 0 };
            is_set.then_some(position)
        };
        let frames = field(1, 4);
        field(2, 4);
        field(4, 100);
        field(8, 4);
        let mut tag = Self {
            frames: frames.and_then(|at| u32_be(frame, at)).map(u64::from),
            ..Self::default()
        };
        let Some(lame) = frame.get(next..next + 24) else {
            return Some(tag);
        };
        let is_known = [b"LAME", b"Lavf", b"Lavc"]
            .iter()
            .any(|name| lame.starts_with(*name));
        // The checksum of LAME is optional elsewhere; 0 means that there is none.
        let stated = frame
            .get(next + 34..next + 36)
            .map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        let has_checksum = has_checksum || lame.starts_with(b"LAME");
        let is_intact = !has_checksum || stated == 0 || stated == checksum(&frame[..next + 34]);
        if is_known && is_intact {
            let trim = u64::from(lame[21]) << 16 | u64::from(lame[22]) << 8 | u64::from(lame[23]);
            tag.delay_samples = DECODER_DELAY_SAMPLES + (trim >> 12);
            tag.padding_samples = (trim & 0xfff).saturating_sub(DECODER_DELAY_SAMPLES);
        }
        Some(tag)
    }

    /// Samples of a part with this tag.
    pub(super) fn samples(&self, header: &FrameHeader) -> Option<u64> {
        let all = self.frames? * header.samples;
        Some(all.saturating_sub(self.delay_samples + self.padding_samples))
    }
}

/// CRC-16 with the polynomial 0x8005, bits reflected, as LAME computes it.
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, &byte| {
        (0..8).fold(sum ^ u16::from(byte), |sum, _| {
            if sum & 1 == 0 {
                sum >> 1
            } else {
                sum >> 1 ^ 0xa001
            }
        })
    })
}

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}
