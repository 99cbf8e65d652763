//! MPEG audio streams, layers 1 to 3: frame by frame to the end of the file.
//!
//! The length that a header states or that is computed from the bit rate is never taken for the
//! end: joined files have several headers, streams with a variable bit rate often none.

use std::io::Result;
use std::ops::Range;

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::packet::{Packet, PacketBuilder};
use symphonia::core::units::{Duration, Timestamp};

use super::frame_header::FrameHeader;
use super::info_tag::InfoTag;
use super::section::FileBytes;
use super::tags::tag_between;

/// Bytes that are searched for the first frame, and for the next after damage.
const MAX_SEARCH_BYTES: u64 = 16 << 20;
/// Frames in a row that show that bytes are MPEG audio.
const MIN_FRAMES: usize = 4;
/// Padding that an encoder adds at the end is in the last frames.
const PADDED_FRAMES: u64 = 5;

/// Reads the frames of a stream.
pub(super) struct MpegReader {
    file: FileBytes,
    position: u64,
    end: u64,
    first: FrameHeader,
    /// What the current part states about itself.
    info: InfoTag,
    /// Frames of the current part so far.
    part_frames: u64,
    /// Whether the current part ends with the frame that it states as its last.
    ends_as_stated: bool,
    /// Samples of encoder delay that remain to be trimmed.
    delay_left: u64,
    /// Samples so far, without those that are trimmed.
    samples: u64,
    is_new_part: bool,
    /// Frames that parts state but do not have.
    missing_frames: u64,
    stated_samples: Option<u64>,
}

impl MpegReader {
    /// Finds the first frame of a stream, or none. Unless it is `certain` that the file is one,
    /// more frames are asked for.
    pub(super) fn open(
        mut file: FileBytes,
        range: Range<u64>,
        certain: bool,
    ) -> Result<Option<Self>> {
        let Some((position, first)) = find_frame(&mut file, range.start, range.end, None)? else {
            return Ok(None);
        };
        let mut next = position;
        for _ in 0..if certain { 0 } else { MIN_FRAMES } {
            match FrameHeader::parse(file.at(next, 4)?).filter(|frame| frame.is_like(&first)) {
                Some(frame) => next += frame.bytes as u64,
                None => return Ok(None),
            }
        }
        let mut reader = Self {
            file,
            position,
            end: range.end,
            first,
            info: InfoTag::default(),
            part_frames: 0,
            ends_as_stated: false,
            delay_left: 0,
            samples: 0,
            is_new_part: false,
            missing_frames: 0,
            stated_samples: None,
        };
        let frame = reader.file.at(position, first.bytes)?;
        reader.stated_samples = match InfoTag::parse(frame, &first) {
            Some(info) => info.samples(&first),
            // An estimate, for progress.
            None => Some((range.end - position) / first.bytes as u64 * first.samples),
        };
        Ok(Some(reader))
    }

    pub(super) fn codec(&self) -> AudioCodecParameters {
        let mut codec = AudioCodecParameters::new();
        codec
            .for_codec(self.first.codec())
            .with_sample_rate(self.first.sample_rate_hz);
        codec
    }

    /// Length in samples as stated or estimated.
    pub(super) fn stated_samples(&self) -> Option<u64> {
        self.stated_samples
    }

    /// Whether the next packet begins another of several joined files.
    pub(super) fn take_new_part(&mut self) -> bool {
        std::mem::take(&mut self.is_new_part)
    }

    /// Samples that the stream states but does not have. Complete at the end.
    pub(super) fn missing_samples(&self) -> u64 {
        self.missing_frames * self.first.samples
    }

    /// The next frame; none at the end.
    pub(super) fn next_packet(&mut self) -> Result<Option<Packet>> {
        loop {
            let next = find_frame(&mut self.file, self.position, self.end, Some(&self.first))?;
            let Some((position, header)) = next else {
                self.end_part();
                return Ok(None);
            };
            let data = self.file.at(position, header.bytes)?.to_vec();
            self.position = position + header.bytes as u64;
            if let Some(info) = InfoTag::parse(&data, &header) {
                self.end_part();
                self.is_new_part = self.samples > 0;
                self.delay_left = info.delay_samples;
                self.info = info;
                (self.part_frames, self.ends_as_stated) = (0, false);
                continue;
            }
            self.part_frames += 1;
            return Ok(Some(self.packet(&header, data)?));
        }
    }

    fn packet(&mut self, header: &FrameHeader, data: Vec<u8>) -> Result<Packet> {
        let trim_start = self.delay_left.min(header.samples);
        self.delay_left -= trim_start;
        let mut trim_end = 0;
        if let Some(stated) = self.info.frames {
            let left = stated.saturating_sub(self.part_frames);
            if left + 1 == PADDED_FRAMES.min(stated) {
                self.ends_as_stated = self.frames_to_end(PADDED_FRAMES)? == left;
            }
            if self.ends_as_stated && left < PADDED_FRAMES {
                let after = left * header.samples;
                let padding = self.info.padding_samples.saturating_sub(after);
                trim_end = padding.min(header.samples - trim_start);
            }
        }
        let valid = header.samples - trim_start - trim_end;
        let pts = self.samples as i64 - trim_start as i64;
        self.samples += valid;
        Ok(PacketBuilder::new()
            .track_id(0)
            .pts(Timestamp::new(pts))
            .dur(Duration::new(valid))
            .trim_start(Duration::new(trim_start))
            .trim_end(Duration::new(trim_end))
            .data(data)
            .build())
    }

    fn end_part(&mut self) {
        let missing = self
            .info
            .frames
            .unwrap_or(0)
            .saturating_sub(self.part_frames);
        self.missing_frames += missing;
        self.info = InfoTag::default();
    }

    /// Frames that follow in the current part, up to a limit.
    fn frames_to_end(&mut self, limit: u64) -> Result<u64> {
        let mut position = self.position;
        for count in 0..limit {
            let next = find_frame(&mut self.file, position, self.end, Some(&self.first))?;
            let Some((at, header)) = next else {
                return Ok(count);
            };
            let frame = self.file.at(at, header.bytes)?;
            if InfoTag::parse(frame, &header).is_some() {
                return Ok(count);
            }
            position = at + header.bytes as u64;
        }
        Ok(limit)
    }
}

/// The first frame at or after `from`, over tags and damage. Unless it is there and like the
/// others, it must be followed by another frame, a tag or the end: other bytes can look like a
/// header.
fn find_frame(
    file: &mut FileBytes,
    from: u64,
    end: u64,
    like: Option<&FrameHeader>,
) -> Result<Option<(u64, FrameHeader)>> {
    let is_like = |header: &FrameHeader| like.is_none_or(|first| header.is_like(first));
    let last = end.min(from.saturating_add(MAX_SEARCH_BYTES));
    let mut position = from;
    while position < last {
        let head = file.at(position, 4)?;
        let may_be_tag = matches!(head.first(), Some(b'I' | b'T' | b'A'));
        let header = FrameHeader::parse(head)
            .filter(|header| is_like(header) && position + header.bytes as u64 <= end);
        if let Some(header) = header {
            let next = position + header.bytes as u64;
            let is_expected = position == from && like.is_some();
            if is_expected || is_followed(file, next, end, &header)? {
                return Ok(Some((position, header)));
            }
        }
        position += match may_be_tag {
            true => tag_between(file, position, end)?.unwrap_or(1),
            false => 1,
        };
    }
    Ok(None)
}

fn is_followed(file: &mut FileBytes, next: u64, end: u64, header: &FrameHeader) -> Result<bool> {
    let after = FrameHeader::parse(file.at(next, 4)?);
    let is_frame = after.is_some_and(|after| after.is_like(header));
    Ok(is_frame || next == end || tag_between(file, next, end)?.is_some())
}
