//! The start of a FLAC file without what is not needed to decode it: pictures, cue sheets and
//! comments, which are often damaged.

use std::io::Result;
use std::ops::Range;

use super::section::FileBytes;

const STREAM_INFO_BYTES: usize = 34;

/// A new start of the file, and where its frames are; none if it has no stream information.
pub(super) fn head(
    file: &mut FileBytes,
    range: Range<u64>,
) -> Result<Option<(Vec<u8>, Range<u64>)>> {
    let first = file.at(range.start, 8 + STREAM_INFO_BYTES)?;
    let is_stream_info = first.len() == 8 + STREAM_INFO_BYTES && first[4] & 0x7f == 0;
    if !is_stream_info {
        return Ok(None);
    }
    let mut head = first.to_vec();
    let mut is_last = head[4] & 0x80 != 0;
    // The only block is the last.
    head[4] = 0x80;
    head[5..8].copy_from_slice(&[0, 0, STREAM_INFO_BYTES as u8]);
    let mut position = range.start + head.len() as u64;
    let frames = position;
    while !is_last {
        let block = file.at(position, 4)?;
        let &[kind, high, middle, low] = block else {
            break;
        };
        // Here a frame begins: no block was marked as the last.
        if kind == 0xff {
            break;
        }
        is_last = kind & 0x80 != 0;
        let size = u32::from_be_bytes([0, high, middle, low]);
        position += 4 + u64::from(size);
    }
    // A size that leads beyond the end is wrong: the decoder finds the first frame.
    let start = if position < range.end {
        position
    } else {
        frames
    };
    Ok(Some((head, start..range.end)))
}
