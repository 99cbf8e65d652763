//! Tags before and after the audio: ID3, APE and Lyrics3. Their content is of no interest here, and
//! a decoder that looks for audio in them may find some.

use std::io::Result;
use std::ops::Range;

use super::section::FileBytes;

const ID3V1_BYTES: u64 = 128;
const APE_BYTES: u64 = 32;
/// Padding after a tag that is searched for audio.
const MAX_PADDING_BYTES: usize = 1 << 20;

/// The part of a file between its tags.
pub(super) fn audio_range(file: &mut FileBytes) -> Result<Range<u64>> {
    let length = file.length();
    let mut start = 0;
    while let Some(tag) = leading_tag(file, start, length)? {
        start += tag;
    }
    if start > 0 {
        // Some writers pad with more than the tag states.
        let padding = file.at(start, MAX_PADDING_BYTES)?;
        let zeros = padding.iter().take_while(|&&byte| byte == 0).count();
        if zeros < padding.len() {
            start += zeros as u64;
        }
    }
    let mut end = length;
    while let Some(tag) = trailing_tag(file, start, end)? {
        end -= tag;
    }
    Ok(start..end)
}

/// Length of a tag at `at`.
pub(super) fn leading_tag(file: &mut FileBytes, at: u64, end: u64) -> Result<Option<u64>> {
    let head = file.at(at, APE_BYTES as usize)?;
    let length = if head.starts_with(b"ID3") {
        id3v2_bytes(head)
    } else if head.starts_with(b"APETAGEX") && head.len() == APE_BYTES as usize {
        Some(APE_BYTES + u64::from(u32_le(&head[12..])))
    } else {
        None
    };
    Ok(length.filter(|length| at.saturating_add(*length) < end))
}

/// Length of an ID3v2 tag with its header: four bytes of seven bits.
fn id3v2_bytes(head: &[u8]) -> Option<u64> {
    let head = head.get(..10)?;
    if head[3] == 0xff || head[4] == 0xff || head[6..].iter().any(|&byte| byte >= 0x80) {
        return None;
    }
    let body = head[6..]
        .iter()
        .fold(0, |size, &byte| size << 7 | u64::from(byte));
    let footer = if head[5] & 0x10 == 0 { 0 } else { 10 };
    Some(10 + body + footer)
}

/// Length of a tag that ends at `end`.
fn trailing_tag(file: &mut FileBytes, start: u64, end: u64) -> Result<Option<u64>> {
    let before = |bytes: u64| end.checked_sub(bytes).filter(|at| *at > start);
    if let Some(at) = before(ID3V1_BYTES)
        && file.at(at, 3)? == b"TAG"
    {
        return Ok(Some(ID3V1_BYTES));
    }
    if let Some(at) = before(APE_BYTES) {
        let foot = file.at(at, APE_BYTES as usize)?;
        if foot.starts_with(b"APETAGEX") {
            let has_header = u32_le(&foot[20..]) >> 31 == 1;
            let header = if has_header { APE_BYTES } else { 0 };
            let length = u64::from(u32_le(&foot[12..])) + header;
            return Ok(before(length).map(|_| length));
        }
    }
    // Lyrics3 version 2: its length in six digits, then its name.
    if let Some(at) = before(15) {
        let foot = file.at(at, 15)?;
        if foot.ends_with(b"LYRICS200") {
            let digits = std::str::from_utf8(&foot[..6]).ok();
            let length = digits.and_then(|d| d.parse().ok()).map(|n: u64| n + 15);
            return Ok(length.filter(|length| before(*length).is_some()));
        }
    }
    Ok(None)
}

/// Length of a tag in the middle, such as between joined files. ID3v1 has a fixed one.
pub(super) fn tag_between(file: &mut FileBytes, at: u64, end: u64) -> Result<Option<u64>> {
    if file.at(at, 3)? == b"TAG" && at + ID3V1_BYTES <= end {
        return Ok(Some(ID3V1_BYTES));
    }
    leading_tag(file, at, end)
}

fn u32_le(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn tags_on_both_sides_are_left_out() {
        let mut bytes = b"ID3\x04\0\0\0\0\0\x05abcde".to_vec();
        bytes.extend(b"ID3\x03\0\0\0\0\x01\x00");
        bytes.extend([7; 128]);
        bytes.extend([0; 50]);
        bytes.extend(b"the audio");
        let audio = bytes.len() as u64 - 9..bytes.len() as u64;
        let mut ape = b"APETAGEX\xd0\x07\0\0\x28\0\0\0\x01\0\0\0\0\0\0\0".to_vec();
        ape.extend([0; 8]);
        bytes.extend([9; 8]);
        bytes.extend(ape);
        let mut id3v1 = b"TAG".to_vec();
        id3v1.resize(128, 0);
        bytes.extend(id3v1);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        assert_eq!(
            audio_range(&mut FileBytes::new(file).unwrap()).unwrap(),
            audio
        );
    }

    #[test]
    fn a_tag_that_is_longer_than_the_file_is_none() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"ID3\x04\0\0\x7f\x7f\x7f\x7fabc").unwrap();
        assert_eq!(
            audio_range(&mut FileBytes::new(file).unwrap()).unwrap(),
            0..13
        );
    }
}
