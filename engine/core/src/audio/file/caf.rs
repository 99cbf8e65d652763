//! CAF files with samples that are not compressed; symphonia reads the others.

use std::io::Result as IoResult;
use std::ops::Range;

use symphonia::core::codecs::audio::well_known::{CODEC_ID_PCM_ALAW, CODEC_ID_PCM_MULAW};

use super::blocks::{ByteOrder, SampleFormat, Samples};
use super::section::FileBytes;

const BE: ByteOrder = ByteOrder::Big;
/// Bytes of the file header and of a chunk header.
const HEADER_BYTES: u64 = 8;
const CHUNK_HEADER_BYTES: u64 = 12;

/// Finds the samples of a file; none if they are compressed. The inner error says what prevents it.
pub(super) fn open(
    file: &mut FileBytes,
    range: Range<u64>,
) -> IoResult<Result<Option<Samples>, String>> {
    let mut position = range.start + HEADER_BYTES;
    let mut format = None;
    while position + CHUNK_HEADER_BYTES <= range.end {
        let header = file.at(position, CHUNK_HEADER_BYTES as usize)?;
        let size = BE.u64(header, 4).unwrap_or(0);
        let name = [header[0], header[1], header[2], header[3]];
        let body = position + CHUNK_HEADER_BYTES;
        match (&name, &format) {
            (b"desc", _) => match description(file.at(body, 32)?) {
                Ok(None) => return Ok(Ok(None)),
                Ok(described) => format = described,
                Err(reason) => return Ok(Err(reason)),
            },
            (b"data", Some(format)) => {
                let start = (body + 4).min(range.end);
                let available = range.end - start;
                // -1: not known, to the end.
                let stated = if size == u64::MAX {
                    available
                } else {
                    size.saturating_sub(4)
                };
                return Ok(Ok(Some(Samples {
                    range: start..start + stated.min(available),
                    missing_of: (stated > available).then(|| format.frames(stated)),
                    format: format.clone(),
                    fault: None,
                    frame_limit: None,
                })));
            }
            _ => {}
        }
        position = match body.checked_add(size) {
            Some(next) => next,
            None => break,
        };
    }
    Ok(Err(
        "is a CAF file without samples: damaged or incomplete".to_owned()
    ))
}

/// The format; none if it is compressed.
fn description(chunk: &[u8]) -> Result<Option<SampleFormat>, String> {
    let damaged = || "is a CAF file with a damaged description".to_owned();
    let rate_hz = BE.u64(chunk, 0).map(f64::from_bits).ok_or_else(damaged)?;
    let name = chunk.get(8..12).ok_or_else(damaged)?;
    let word = |at| BE.u32(chunk, at).ok_or_else(damaged);
    let (flags, packet_bytes, channels, bits) = (word(12)?, word(16)?, word(24)?, word(28)?);
    let sample_rate_hz = rate_hz.round().clamp(0.0, f64::from(u32::MAX)) as u32;
    let channel_count = u16::try_from(channels)
        .ok()
        .filter(|&n| n > 0)
        .ok_or_else(damaged)?;
    let codec = match name {
        b"lpcm" => {
            let order = if flags & 2 == 0 {
                BE
            } else {
                ByteOrder::Little
            };
            let bytes = match packet_bytes / channels {
                0 => u64::from(bits.div_ceil(8)),
                bytes => u64::from(bytes),
            };
            let codec = match flags & 1 {
                0 => order.signed_integers(bytes),
                _ => order.floats(bytes),
            };
            let reason = || format!("is a CAF file with samples of {bits} bits, not supported");
            (codec.ok_or_else(reason)?, bytes)
        }
        b"alaw" => (CODEC_ID_PCM_ALAW, 1),
        b"ulaw" => (CODEC_ID_PCM_MULAW, 1),
        _ => return Ok(None),
    };
    Ok(Some(SampleFormat::plain(
        codec.0,
        sample_rate_hz,
        channel_count,
        codec.1,
    )))
}
