//! AIFF and AIFF-C, and the files of Sun and NeXT (AU).

use std::io::Result as IoResult;
use std::ops::Range;

use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_ADPCM_IMA_QT, CODEC_ID_PCM_ALAW, CODEC_ID_PCM_MULAW, CODEC_ID_PCM_S8, CODEC_ID_PCM_U8,
};

use super::blocks::{ByteOrder, SampleFormat, Samples};
use super::chunks::{Chunk, ChunkStyle, chunks, search};
use super::section::FileBytes;

const BE: ByteOrder = ByteOrder::Big;

/// Finds the samples of an AIFF file. The inner error says what prevents it.
pub(super) fn open_aiff(
    file: &mut FileBytes,
    range: Range<u64>,
) -> IoResult<Result<Samples, String>> {
    let style = ChunkStyle::BigEndian;
    let mut fault = None;
    let mut found = chunks(file, range.start + 12..range.end, style)?;
    let has = |found: &[Chunk], name| found.iter().any(|chunk| &chunk.name == name);
    if !has(&found, b"COMM") || !has(&found, b"SSND") {
        found = search(file, range.clone(), style, &[*b"COMM", *b"SSND"])?;
        fault = Some("a chunk of it has a wrong size".to_owned());
    }
    let find = |name| found.iter().find(|chunk: &&Chunk| &chunk.name == name);
    let Some(common) = find(b"COMM") else {
        return Ok(Err("is an AIFF file without a format: damaged".to_owned()));
    };
    let Some(sound) = find(b"SSND") else {
        return Ok(Err("is an AIFF file and contains no samples".to_owned()));
    };
    let common = file
        .at(common.body, common.size.clamp(18, 64) as usize)?
        .to_vec();
    let (format, frames) = match aiff_format(&common) {
        Ok(format) => format,
        Err(reason) => return Ok(Err(reason)),
    };
    let offset = BE.u32(file.at(sound.body, 8)?, 0).map_or(0, u64::from);
    let start = (sound.body + 8).saturating_add(offset).min(range.end);
    let available = range.end - start;
    let stated = sound.size.saturating_sub(8 + offset);
    let of_frames = frames / format.frames_per_block * format.block_bytes;
    // The count of frames and the size of the chunk are written at different times.
    let size = match (stated, of_frames) {
        (0, 0) => available,
        (size, 0) => size,
        (0, of_frames) => of_frames,
        (size, of_frames) if size > available => of_frames,
        (size, _) => size,
    };
    if size.min(available) != stated && size <= available {
        fault = fault.or_else(|| Some("its header states a wrong length".to_owned()));
    }
    Ok(Ok(Samples {
        range: start..start + size.min(available),
        missing_of: (size > available).then(|| format.frames(size)),
        format,
        fault,
        frame_limit: None,
    }))
}

/// The format and the count of frames.
fn aiff_format(common: &[u8]) -> Result<(SampleFormat, u64), String> {
    let damaged = || "is an AIFF file with a damaged format chunk".to_owned();
    let channel_count = BE.u16(common, 0).filter(|&n| n > 0).ok_or_else(damaged)?;
    let frames = BE.u32(common, 2).map(u64::from).ok_or_else(damaged)?;
    let bits = BE.u16(common, 6).ok_or_else(damaged)?;
    let rate_hz = extended(common.get(8..18).ok_or_else(damaged)?);
    let sample_rate_hz = rate_hz.round().clamp(0.0, f64::from(u32::MAX)) as u32;
    let plain = |codec, bytes| SampleFormat::plain(codec, sample_rate_hz, channel_count, bytes);
    let bytes = u64::from(bits.div_ceil(8));
    let compression: [u8; 4] = match common.get(18..22) {
        Some(name) => [name[0], name[1], name[2], name[3]].map(|b: u8| b.to_ascii_lowercase()),
        None => *b"none",
    };
    let integers = |order: ByteOrder, bytes| {
        let codec = order.signed_integers(bytes);
        let reason = || format!("is an AIFF file with samples of {bits} bits, not supported");
        Ok((plain(codec.ok_or_else(reason)?, bytes), frames))
    };
    match &compression {
        b"none" | b"twos" => integers(BE, bytes),
        b"sowt" => integers(ByteOrder::Little, bytes),
        b"raw " => Ok((plain(CODEC_ID_PCM_U8, 1), frames)),
        b"in24" => integers(BE, 3),
        b"in32" => integers(BE, 4),
        b"42ni" | b"23ni" => {
            let bytes = if &compression == b"42ni" { 3 } else { 4 };
            integers(ByteOrder::Little, bytes)
        }
        b"fl32" | b"fl64" => {
            let bytes = if &compression == b"fl32" { 4 } else { 8 };
            let codec = BE.floats(bytes).ok_or_else(damaged)?;
            Ok((plain(codec, bytes), frames))
        }
        b"alaw" => Ok((plain(CODEC_ID_PCM_ALAW, 1), frames)),
        b"ulaw" => Ok((plain(CODEC_ID_PCM_MULAW, 1), frames)),
        // The count of frames is one of packets.
        b"ima4" if channel_count <= 2 => {
            let format = SampleFormat {
                codec: CODEC_ID_ADPCM_IMA_QT,
                sample_rate_hz,
                channel_count,
                block_bytes: 34 * u64::from(channel_count),
                frames_per_block: 64,
            };
            Ok((format, frames * 64))
        }
        other => Err(format!(
            "is an AIFF file with the compression {:?}, which is not supported; convert it to PCM",
            String::from_utf8_lossy(other)
        )),
    }
}

/// An 80-bit floating-point number.
fn extended(bytes: &[u8]) -> f64 {
    let exponent = i32::from(BE.u16(bytes, 0).unwrap_or(0) & 0x7fff) - 16_383 - 63;
    BE.u64(bytes, 2).unwrap_or(0) as f64 * 2.0_f64.powi(exponent)
}

/// Finds the samples of an AU file. The inner error says what prevents it.
pub(super) fn open_au(
    file: &mut FileBytes,
    range: Range<u64>,
) -> IoResult<Result<Samples, String>> {
    let head = file.at(range.start, 24)?;
    let order = match head.starts_with(b".snd") {
        true => BE,
        false => ByteOrder::Little,
    };
    let word = |at| order.u32(head, at).map_or(0, u64::from);
    let (offset, stated, encoding) = (word(4), word(8), word(12));
    let (sample_rate_hz, channels) = (word(16) as u32, word(20));
    let Some(channel_count) = u16::try_from(channels).ok().filter(|&n| n > 0) else {
        let reason = format!("is an AU file that states {channels} channels: damaged");
        return Ok(Err(reason));
    };
    let plain = |codec, bytes| SampleFormat::plain(codec, sample_rate_hz, channel_count, bytes);
    let coded = match encoding {
        1 => Some(plain(CODEC_ID_PCM_MULAW, 1)),
        2 => Some(plain(CODEC_ID_PCM_S8, 1)),
        3..=5 => order
            .integers(encoding - 1)
            .map(|codec| plain(codec, encoding - 1)),
        6 => order.floats(4).map(|codec| plain(codec, 4)),
        7 => order.floats(8).map(|codec| plain(codec, 8)),
        27 => Some(plain(CODEC_ID_PCM_ALAW, 1)),
        _ => None,
    };
    let Some(format) = coded else {
        return Ok(Err(format!(
            "is an AU file with the encoding {encoding}, which is not supported; convert it to PCM"
        )));
    };
    let start = (range.start + offset.max(24)).min(range.end);
    let available = range.end - start;
    let is_known = stated != 0 && stated < u64::from(u32::MAX);
    let size = if is_known { stated } else { available };
    Ok(Ok(Samples {
        range: start..start + size.min(available),
        missing_of: (size > available).then(|| format.frames(size)),
        format,
        fault: None,
        frame_limit: None,
    }))
}
