//! Files of the WAV family: RIFF, RIFX, RF64, BW64 and W64.
//!
//! Sizes are often wrong: recorders that lost power leave 0 or an old one, pipes the largest one.
//! What the rest of the file shows is believed rather than a size.

use std::io::Result as IoResult;
use std::ops::Range;

use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS, CODEC_ID_PCM_ALAW, CODEC_ID_PCM_MULAW,
};

use super::blocks::{ByteOrder, SampleFormat, Samples};
use super::chunks::{Chunk, ChunkStyle, chunks, is_name, search};
use super::section::FileBytes;

/// Sizes from here on mean that the writer did not know the size.
const UNKNOWN_SIZE: u64 = 0xffff_0000;
/// As above, of writers that count with signed numbers.
const UNKNOWN_SIGNED_SIZES: Range<u64> = 0x7fff_0000..0x8001_0000;
/// The rest of a format's GUID, after its number.
const FORMAT_GUID_TAIL: [u8; 14] = *b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";
/// The same, for Ambisonic B-format.
const AMBISONIC_GUID_TAIL: [u8; 14] = *b"\0\0\x21\x07\xd3\x11\x86\x44\xc8\xc1\xca\0\0\0";

/// What a file contains.
pub(super) enum Wave {
    Samples(Samples),
    /// MPEG audio, AAC or the like.
    Stream(Range<u64>),
}

/// Whether these first bytes of a file are of this family, and how its chunks are written.
pub(super) fn style(head: &[u8]) -> Option<ChunkStyle> {
    let form = head.get(8..12);
    match head.get(..4)? {
        b"RIFF" | b"RF64" | b"BW64" if form == Some(b"WAVE") => Some(ChunkStyle::Riff),
        b"RIFX" if form == Some(b"WAVE") => Some(ChunkStyle::BigEndian),
        b"riff" if head.get(24..28) == Some(b"wave") => Some(ChunkStyle::W64),
        _ => None,
    }
}

/// Finds the samples of a file. The inner error says what prevents it.
pub(super) fn open(
    file: &mut FileBytes,
    range: Range<u64>,
    style: ChunkStyle,
) -> IoResult<Result<Wave, String>> {
    let order = style.byte_order();
    let head = file.at(range.start, 40)?.to_vec();
    let (first_chunk, form_size) = match style {
        ChunkStyle::W64 => (40, order.u64(&head, 16).map(|size| size.saturating_sub(8))),
        _ => (12, order.u32(&head, 4).map(u64::from)),
    };
    let mut form_end = form_size.map_or(0, |size| range.start.saturating_add(size + 8));
    let mut fault = None;
    let mut found = chunks(file, range.start + first_chunk..range.end, style)?;
    let has = |found: &[Chunk], name| found.iter().any(|chunk| &chunk.name == name);
    if !has(&found, b"fmt ") || !has(&found, b"data") {
        // A chunk before them has a wrong size.
        found = search(file, range.clone(), style, &[*b"fmt ", *b"data"])?;
        fault = Some("a chunk of it has a wrong size".to_owned());
    }
    let find = |name| found.iter().find(|chunk: &&Chunk| &chunk.name == name);
    let (Some(fmt), Some(data)) = (find(b"fmt "), find(b"data")) else {
        let missing = match find(b"fmt ") {
            None => "has no format chunk",
            Some(_) => "has no data chunk",
        };
        return Ok(Err(format!("is a WAV file that {missing}: damaged")));
    };
    let mut size = data.size;
    if let Some(ds64) = find(b"ds64")
        && head[0] != b'r'
    {
        let sizes = file.at(ds64.body, 16)?;
        let wide = |at| ByteOrder::Little.u64(sizes, at).unwrap_or(0);
        if size >= UNKNOWN_SIZE {
            size = wide(8);
        }
        form_end = range.start.saturating_add(wide(0).saturating_add(8));
    }
    let format_bytes = file.at(fmt.body, fmt.size.clamp(16, 64) as usize)?.to_vec();
    let format = match format(&format_bytes, order) {
        Ok(format) => format,
        Err(reason) => return Ok(Err(reason)),
    };
    // Frames of compressed audio, without the padding of the last block.
    let fact = find(b"fact").map(|fact| fact.body);
    let stated_frames = match fact {
        Some(body) => order.u32(file.at(body, 4)?, 0).map(u64::from),
        None => None,
    };
    let extent = data_extent(file, data.body, size, range.end, form_end, style)?;
    let body = data.body..data.body + extent.size;
    Ok(Ok(match format {
        None => Wave::Stream(body),
        Some(format) => Wave::Samples(Samples {
            missing_of: extent.stated.map(|stated| format.frames(stated)),
            frame_limit: stated_frames.filter(|&frames| {
                let all = format.frames(extent.size);
                frames < all && frames + format.frames_per_block > all
            }),
            range: body,
            format,
            fault: fault.or(extent.fault.map(str::to_owned)),
        }),
    }))
}

/// How much data there is.
struct Extent {
    size: u64,
    /// The stated size, if the end is missing.
    stated: Option<u64>,
    fault: Option<&'static str>,
}

fn data_extent(
    file: &mut FileBytes,
    body: u64,
    size: u64,
    end: u64,
    form_end: u64,
    style: ChunkStyle,
) -> IoResult<Extent> {
    let available = end.saturating_sub(body);
    let whole = |fault| Extent {
        size: available,
        stated: None,
        fault,
    };
    let is_unknown = size >= UNKNOWN_SIZE && size <= u64::from(u32::MAX)
        || UNKNOWN_SIGNED_SIZES.contains(&size)
        || size >= u64::MAX / 2;
    if size > available {
        // If the form ends with the file, nothing is missing.
        let form_is_right = form_end.abs_diff(end) <= 1;
        return Ok(match (is_unknown, form_is_right) {
            (true, _) => whole(None),
            (false, true) => whole(Some("its header states a wrong length")),
            (false, false) => Extent {
                size: available,
                stated: Some(size),
                fault: None,
            },
        });
    }
    // What follows must be another chunk, or lie outside of the form.
    let after = body + size;
    let padded = after + style.padding(size);
    let is_chunk = is_name(file.at(padded, 4)?) || is_name(file.at(after, 4)?);
    let is_at_end = end - after < 8;
    let is_outside = size > 0 && form_end >= after && form_end <= padded + 8;
    if is_chunk || is_at_end || is_outside || size == available {
        return Ok(Extent {
            size,
            stated: None,
            fault: None,
        });
    }
    // Zeros behind the data are no sound that is missed.
    let is_silent = is_zero(file, after..end)?;
    Ok(match size {
        0 => whole(Some("its header states no length (interrupted recording?)")),
        _ if form_end > padded + 8 && !is_silent => whole(Some("its header states a wrong length")),
        _ => Extent {
            size,
            stated: None,
            fault: None,
        },
    })
}

fn is_zero(file: &mut FileBytes, range: Range<u64>) -> IoResult<bool> {
    const STEP_BYTES: usize = 1 << 16;
    for at in range.step_by(STEP_BYTES) {
        if file.at(at, STEP_BYTES)?.iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The format of the samples; none for a compressed stream with a header of its own.
fn format(fmt: &[u8], order: ByteOrder) -> Result<Option<SampleFormat>, String> {
    let damaged = || "is a WAV file with a damaged format chunk".to_owned();
    let short = |at| order.u16(fmt, at).ok_or_else(damaged);
    let (mut tag, channel_count) = (short(0)?, short(2)?);
    let sample_rate_hz = order.u32(fmt, 4).ok_or_else(damaged)?;
    let bytes_per_second = order.u32(fmt, 8).ok_or_else(damaged)?;
    let (block_bytes, bits) = (u64::from(short(12)?), short(14)?);
    if channel_count == 0 {
        return Err("is a WAV file without channels: damaged".to_owned());
    }
    if tag == 0xfffe {
        let tail = fmt.get(26..40);
        tag = match tail {
            Some(tail) if tail == FORMAT_GUID_TAIL || tail == AMBISONIC_GUID_TAIL => short(24)?,
            Some(_) => return Err("is a WAV file with an unknown format".to_owned()),
            None => 1,
        };
    }
    let channels = u64::from(channel_count);
    // The size of a sample follows from its bits; from that of a frame, if that is credible.
    let mut sample_bytes = u64::from(bits.div_ceil(8));
    let of_frame = block_bytes / channels;
    let is_credible = block_bytes % channels == 0
        && u64::from(bytes_per_second) == u64::from(sample_rate_hz) * block_bytes;
    if bits == 0 || is_credible && of_frame > sample_bytes && of_frame <= 8 {
        sample_bytes = of_frame;
    }
    let plain = |codec, bytes| SampleFormat::plain(codec, sample_rate_hz, channel_count, bytes);
    let blocks = |codec, header_bytes: u64, header_frames| {
        let payload = block_bytes.checked_sub(header_bytes * channels);
        let payload = payload.ok_or_else(damaged)?;
        Ok(Some(SampleFormat {
            codec,
            sample_rate_hz,
            channel_count,
            block_bytes,
            frames_per_block: payload * 2 / channels + header_frames,
        }))
    };
    let unsupported = |what: &str| {
        Err(format!(
            "is a WAV file with {what}, which is not supported; convert it to PCM"
        ))
    };
    match tag {
        1 => match order.integers(sample_bytes) {
            Some(codec) => Ok(Some(plain(codec, sample_bytes))),
            None => unsupported(&format!("samples of {bits} bits")),
        },
        3 => match order.floats(sample_bytes) {
            Some(codec) => Ok(Some(plain(codec, sample_bytes))),
            None => unsupported(&format!("floating-point samples of {bits} bits")),
        },
        6 => Ok(Some(plain(CODEC_ID_PCM_ALAW, 1))),
        7 => Ok(Some(plain(CODEC_ID_PCM_MULAW, 1))),
        2 | 0x11 if channel_count > 2 => unsupported("ADPCM of more than two channels"),
        2 | 0x11 if bits != 4 => unsupported(&format!("ADPCM of {bits} bits")),
        2 => blocks(CODEC_ID_ADPCM_MS, 7, 2),
        0x11 => blocks(CODEC_ID_ADPCM_IMA_WAV, 4, 1),
        0x50 | 0x55 | 0xff | 0x1600 | 0xf1ac => Ok(None),
        0x31 => unsupported("GSM 6.10 audio"),
        0x160..=0x163 => unsupported("WMA audio"),
        0x2000 => unsupported("Dolby AC-3 audio"),
        0x2001 => unsupported("DTS audio"),
        0x674f..=0x6771 => unsupported("Vorbis audio"),
        other => unsupported(&format!("audio of the unknown format {other:#06x}")),
    }
}
