//! What is audible of an MP4 file: encoders put silence in front, and the edit list or a tag of
//! iTunes says how much.

use std::io::Result;
use std::ops::Range;

use super::blocks::ByteOrder;
use super::section::FileBytes;

const BE: ByteOrder = ByteOrder::Big;
/// Largest description of a file that is read.
const MAX_MOVIE_BYTES: u64 = 64 << 20;

/// The audible part of a track, in ticks of its time scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Edit {
    pub skipped: u64,
    /// None: to the end.
    pub length: Option<u64>,
    pub ticks_per_second: u32,
}

/// What the description of a file says of its first audio track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Movie {
    /// None if the whole track is audible.
    pub edit: Option<Edit>,
    /// The codec in words, or its four letters.
    pub codec: Option<String>,
    /// Whether there is a description at all.
    pub is_described: bool,
}

/// Reads the description of a file.
pub(super) fn movie(file: &mut FileBytes, range: Range<u64>) -> Result<Movie> {
    let mut position = range.start;
    while position + 16 <= range.end {
        let (name, body, size) = atom(file.at(position, 16)?);
        let size = size.unwrap_or(range.end - position);
        if &name == b"moov" && (body..MAX_MOVIE_BYTES).contains(&size) {
            let movie = file.at(position + body, (size - body) as usize)?;
            let described = of_movie(movie).unwrap_or_default();
            return Ok(Movie {
                is_described: true,
                ..described
            });
        }
        position = match position.checked_add(size) {
            Some(next) if size >= body => next,
            _ => break,
        };
    }
    Ok(Movie::default())
}

/// Name, length of the header, and size of an atom; no size if it reaches to the end.
fn atom(header: &[u8]) -> ([u8; 4], u64, Option<u64>) {
    let name = header
        .get(4..8)
        .map_or([0; 4], |n| [n[0], n[1], n[2], n[3]]);
    match BE.u32(header, 0).unwrap_or(0) {
        0 => (name, 8, None),
        1 => (name, 16, BE.u64(header, 8)),
        size => (name, 8, Some(u64::from(size))),
    }
}

/// The atoms that are directly in `bytes`.
fn atoms(mut bytes: &[u8]) -> Vec<([u8; 4], &[u8])> {
    let mut found = Vec::new();
    while bytes.len() >= 8 {
        let (name, body, size) = atom(bytes);
        let size = size.map_or(bytes.len(), |size| size.min(bytes.len() as u64) as usize);
        let Some(content) = bytes.get(body as usize..size) else {
            break;
        };
        found.push((name, content));
        bytes = &bytes[size..];
    }
    found
}

fn child<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, name| {
        let mut found = atoms(bytes).into_iter().filter(|(n, _)| n == *name);
        found.next().map(|(_, content)| content)
    })
}

fn of_movie(movie: &[u8]) -> Option<Movie> {
    let movie_ticks = time_scale(child(movie, &[b"mvhd"])?)?;
    let is_audio = |track: &&[u8]| {
        let handler = child(track, &[b"mdia", b"hdlr"]);
        handler.and_then(|handler| handler.get(8..12)) == Some(b"soun")
    };
    let tracks = atoms(movie).into_iter().filter(|(name, _)| name == b"trak");
    let tracks: Vec<&[u8]> = tracks.map(|(_, track)| track).collect();
    let track = tracks.iter().find(|track| is_audio(track))?;
    let ticks_per_second = time_scale(child(track, &[b"mdia", b"mdhd"])?)?;
    let listed = child(track, &[b"edts", b"elst"]).and_then(|list| {
        let (skipped, movie_length) = edit_list(list)?;
        let length = u128::from(movie_length) * u128::from(ticks_per_second);
        let length = length.div_ceil(u128::from(movie_ticks.max(1)));
        Some(Edit {
            skipped,
            length: u64::try_from(length).ok().filter(|&length| length > 0),
            ticks_per_second,
        })
    });
    let edit = listed.filter(|edit| edit.skipped > 0);
    let entry = child(track, &[b"mdia", b"minf", b"stbl", b"stsd"]);
    Some(Movie {
        edit: edit
            .or_else(|| gapless_tag(movie, ticks_per_second))
            .or(listed),
        codec: entry.and_then(|entry| entry.get(12..16)).map(codec_name),
        is_described: true,
    })
}

fn codec_name(letters: &[u8]) -> String {
    match letters {
        b"drms" | b"enca" => "protected (DRM)".to_owned(),
        b"ac-3" => "Dolby AC-3".to_owned(),
        b"ec-3" => "Dolby E-AC-3".to_owned(),
        b"samr" | b"sawb" => "AMR".to_owned(),
        b"dtsc" | b"dtse" | b"dtsh" | b"dtsl" => "DTS".to_owned(),
        other => format!("{:?}", String::from_utf8_lossy(other)),
    }
}

/// The time scale in `mvhd` and `mdhd`.
fn time_scale(header: &[u8]) -> Option<u32> {
    let at = if *header.first()? == 1 { 20 } else { 12 };
    BE.u32(header, at)
}

/// Start in the media and length of the first edit that shows some, if it is the only one.
fn edit_list(list: &[u8]) -> Option<(u64, u64)> {
    let is_wide = *list.first()? == 1;
    let count = BE.u32(list, 4)?.min(1 << 10) as usize;
    let mut shown = Vec::new();
    for index in 0..count {
        let entry = list.get(8 + index * if is_wide { 20 } else { 12 }..)?;
        let (length, start) = match is_wide {
            true => (BE.u64(entry, 0)?, BE.u64(entry, 8)? as i64),
            false => (
                u64::from(BE.u32(entry, 0)?),
                i64::from(BE.u32(entry, 4)? as i32),
            ),
        };
        // Negative: a pause.
        if let Ok(start) = u64::try_from(start) {
            shown.push((start, length));
        }
    }
    match shown[..] {
        [only] => Some(only),
        _ => None,
    }
}

/// The tag iTunSMPB: zero, delay, padding and length in hexadecimal numbers.
fn gapless_tag(movie: &[u8], ticks_per_second: u32) -> Option<Edit> {
    let name = b"iTunSMPB";
    let at = movie
        .windows(name.len())
        .position(|window| window == name)?;
    let text = movie.get(at + name.len()..)?;
    let text = &text[..text.len().min(256)];
    let numbers: Vec<u64> = String::from_utf8_lossy(text)
        .split_ascii_whitespace()
        .filter(|word| word.len() >= 8)
        .map_while(|word| u64::from_str_radix(word.trim_matches('\0'), 16).ok())
        .collect();
    let [_, delay, _, length, ..] = numbers[..] else {
        return None;
    };
    Some(Edit {
        skipped: delay,
        length: Some(length).filter(|&length| length > 0),
        ticks_per_second,
    })
}
