//! Chunks: a name, a size, and a body. WAV and AIFF files consist of them.

use std::io::Result;
use std::ops::Range;

use super::blocks::ByteOrder;
use super::section::FileBytes;

/// Limit on the chunks of a file.
const MAX_CHUNKS: usize = 10_000;
/// Bytes that are searched for chunks, if their sizes do not lead to them.
const MAX_SEARCH_BYTES: usize = 4 << 20;

/// How chunks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChunkStyle {
    Riff,
    BigEndian,
    /// With GUIDs for names, 64-bit sizes, and padding to 8 bytes.
    W64,
}

impl ChunkStyle {
    pub(super) fn byte_order(self) -> ByteOrder {
        match self {
            Self::BigEndian => ByteOrder::Big,
            Self::Riff | Self::W64 => ByteOrder::Little,
        }
    }

    fn header_bytes(self) -> u64 {
        match self {
            Self::W64 => 24,
            Self::Riff | Self::BigEndian => 8,
        }
    }

    /// Bytes between a body of this size and the next chunk.
    pub(super) fn padding(self, size: u64) -> u64 {
        match self {
            Self::W64 => size.wrapping_neg() % 8,
            Self::Riff | Self::BigEndian => size % 2,
        }
    }

    fn size(self, header: &[u8]) -> Option<u64> {
        match self {
            Self::W64 => self.byte_order().u64(header, 16)?.checked_sub(24),
            _ => self.byte_order().u32(header, 4).map(u64::from),
        }
    }
}

/// A chunk. Its size may reach beyond the end of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub name: [u8; 4],
    /// Position of the body.
    pub body: u64,
    pub size: u64,
}

/// Whether these bytes can be the name of a chunk.
pub(super) fn is_name(bytes: &[u8]) -> bool {
    bytes.len() == 4 && bytes.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// The chunks in `range`, up to one that reaches its end or is none.
pub(super) fn chunks(
    file: &mut FileBytes,
    range: Range<u64>,
    style: ChunkStyle,
) -> Result<Vec<Chunk>> {
    let mut found = Vec::new();
    let mut position = range.start;
    while position + style.header_bytes() <= range.end && found.len() < MAX_CHUNKS {
        let header = file.at(position, style.header_bytes() as usize)?;
        let name = [header[0], header[1], header[2], header[3]];
        let Some(size) = style.size(header).filter(|_| is_name(&name)) else {
            break;
        };
        let body = position + style.header_bytes();
        found.push(Chunk { name, body, size });
        let Some(next) = body.checked_add(size).filter(|next| *next < range.end) else {
            break;
        };
        // Some writers leave out the padding.
        let padded = next + style.padding(size);
        position = match is_name(file.at(padded, 4)?) {
            false if is_name(file.at(next, 4)?) => next,
            _ => padded,
        };
    }
    Ok(found)
}

/// The first chunk of each name at the start of `range`, wherever it is, in the order of `names`.
pub(super) fn search(
    file: &mut FileBytes,
    range: Range<u64>,
    style: ChunkStyle,
    names: &[[u8; 4]],
) -> Result<Vec<Chunk>> {
    let length = (range.end - range.start).min(MAX_SEARCH_BYTES as u64);
    let bytes = file.at(range.start, length as usize)?;
    let mut found = Vec::new();
    let mut from = 0;
    for name in names {
        let at = bytes[from..].windows(4).position(|window| window == name);
        let Some(at) = at.map(|at| from + at) else {
            break;
        };
        let Some(size) = style.size(&bytes[at..]) else {
            break;
        };
        let body_in_bytes = at + style.header_bytes() as usize;
        found.push(Chunk {
            name: *name,
            body: range.start + body_in_bytes as u64,
            size,
        });
        from = body_in_bytes.min(bytes.len());
    }
    Ok(found)
}
