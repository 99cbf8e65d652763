//! Takes as bytes: small, versioned, and safe to read from any source.
//!
//! Layout of version 3, all integers as LEB128 unless stated otherwise: the magic `HSTK`, the
//! version, the number of passages, then for each passage its sample rate (f64, little endian), a
//! byte of flags (1 playing, 2 host samples, 4 host beats, 8 host bar, 16 number of that bar, 32
//! name, 64 source, 128 candidates and edits), where flagged the host's samples (zigzag), beats
//! (f64), bar line in beats (f64) and its number (zigzag), the name (counted UTF-8) and the source
//! (a byte), two counted lists: tempo changes (offset difference, f64 tempo, two bytes of meter),
//! notes (offset difference, length, key, velocity, program or, of a drum, openness of the hi-hat
//! plus one or 0, a byte of flags, confidence), where flagged the candidates and edits
//! ([`detail`]), the length in frames, and the counted list of peaks (bytes).
//!
//! Version 2 has only the flags up to 16, version 1 only those up to 4.

mod detail;

use hitscribe_core::note::{MAX_OPENNESS, PlacedNote};

use crate::messages::MarkedNote;
use crate::take::error::Error;
use crate::take::passage::{CONFIDENCE_STEPS, MAX_PEAKS, Passage};
use crate::take::tempo::{HostBar, MAX_BPM, MAX_TEMPO_CHANGES, MIN_BPM, TempoChange};
use crate::take::{MAX_NOTES, MAX_PASSAGES, Take};

const MAGIC: &[u8; 4] = b"HSTK";
/// The version that is written. Earlier ones can be read.
pub const VERSION: u64 = 3;

const PLAYING: u8 = 1;
const HOST_SAMPLES: u8 = 2;
const HOST_BEATS: u8 = 4;
const HOST_BAR: u8 = 8;
const HOST_BAR_NUMBER: u8 = 16;
const NAME: u8 = 32;
const SOURCE: u8 = 64;
const DETAIL: u8 = 128;
/// Longest name of a passage.
const MAX_NAME_BYTES: usize = 4096;

const DRUM: u8 = 1;
const LEAKAGE: u8 = 2;

impl Take {
    /// The take as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer(MAGIC.to_vec());
        out.number(VERSION);
        out.number(self.passages.len() as u64);
        for passage in &self.passages {
            write_passage(&mut out, passage);
        }
        out.0
    }

    /// Reads a take. Needs no more memory than the limits of a take allow.
    ///
    /// # Errors
    /// [`Error::TooNew`] and [`Error::Damaged`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or(Error::Damaged { at_byte: 0 })?;
        let mut input = Reader { bytes: rest, at: 0 };
        let read = |input: &mut Reader| -> Option<Self> {
            let count = input.count(MAX_PASSAGES)?;
            let passages = (0..count)
                .map(|_| read_passage(input))
                .collect::<Option<Vec<_>>>()?;
            Some(Self { passages })
        };
        match input.number() {
            Some(1..=VERSION) => {}
            Some(found) if found > VERSION => {
                return Err(Error::TooNew {
                    found,
                    newest: VERSION,
                });
            }
            _ => {
                return Err(Error::Damaged {
                    at_byte: input.at + MAGIC.len(),
                });
            }
        }
        let mut take = read(&mut input).ok_or(Error::Damaged {
            at_byte: input.at + MAGIC.len(),
        })?;
        take.trim();
        Ok(take)
    }
}

fn write_passage(out: &mut Writer, passage: &Passage) {
    out.0.extend(passage.sample_rate_hz.to_le_bytes());
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    let bar_number = passage.host_bar.and_then(|bar| bar.number);
    out.0.push(
        flag(passage.was_playing, PLAYING)
            | flag(passage.host_start_samples.is_some(), HOST_SAMPLES)
            | flag(passage.host_start_beats.is_some(), HOST_BEATS)
            | flag(passage.host_bar.is_some(), HOST_BAR)
            | flag(bar_number.is_some(), HOST_BAR_NUMBER)
            | flag(passage.name.is_some(), NAME)
            | flag(passage.source.is_some(), SOURCE)
            | flag(detail::has_any(passage), DETAIL),
    );
    if let Some(samples) = passage.host_start_samples {
        out.signed(samples);
    }
    if let Some(beats) = passage.host_start_beats {
        out.0.extend(beats.to_le_bytes());
    }
    if let Some(bar) = passage.host_bar {
        out.0.extend(bar.start_beats.to_le_bytes());
    }
    if let Some(number) = bar_number {
        out.signed(i64::from(number));
    }
    if let Some(name) = &passage.name {
        out.number(name.len() as u64);
        out.0.extend(name.as_bytes());
    }
    if let Some(source) = passage.source {
        out.0.push(detail::source_code(source));
    }
    out.number(passage.tempo.len() as u64);
    let mut last = 0;
    for change in &passage.tempo {
        out.number(change.offset_frames.wrapping_sub(last));
        last = change.offset_frames;
        out.0.extend(change.bpm.to_le_bytes());
        out.0.extend([change.beats_per_bar, change.beat_unit]);
    }
    out.number(passage.notes.len() as u64);
    let mut last = 0;
    for MarkedNote { note, is_leakage } in &passage.notes {
        out.number(note.onset_samples.wrapping_sub(last));
        last = note.onset_samples;
        out.number(note.length_samples);
        let flags = flag(note.is_drum, DRUM) | flag(*is_leakage, LEAKAGE);
        out.0.extend([
            note.pitch,
            note.velocity,
            // A drum has no program. Takes without openness have a 0 here.
            match note.is_drum {
                true => note.openness.map_or(0, |open| 1 + open.min(MAX_OPENNESS)),
                false => note.program,
            },
            flags,
            (note.confidence * CONFIDENCE_STEPS).round() as u8,
        ]);
    }
    if detail::has_any(passage) {
        detail::write(out, passage);
    }
    out.number(passage.length_frames);
    out.number(passage.peaks.len() as u64);
    out.0.extend(&passage.peaks);
}

fn read_passage(input: &mut Reader) -> Option<Passage> {
    let sample_rate_hz = input
        .float()
        .filter(|rate| (1_000.0..=10_000_000.0).contains(rate))?;
    let flags = input.byte()?;
    let mut passage = Passage::new(sample_rate_hz);
    passage.was_playing = flags & PLAYING != 0;
    if flags & HOST_SAMPLES != 0 {
        passage.host_start_samples = Some(input.signed()?);
    }
    if flags & HOST_BEATS != 0 {
        passage.host_start_beats = Some(input.float()?);
    }
    if flags & HOST_BAR != 0 {
        let start_beats = input.float()?;
        let number = match flags & HOST_BAR_NUMBER {
            0 => None,
            _ => Some(i32::try_from(input.signed()?).ok()?),
        };
        passage.host_bar = Some(HostBar {
            start_beats,
            number,
        });
    }
    if flags & NAME != 0 {
        let length = input.count(MAX_NAME_BYTES)?;
        let name = std::str::from_utf8(input.take(length)?).ok()?;
        passage.name = Some(name.to_owned());
    }
    if flags & SOURCE != 0 {
        passage.source = Some(detail::source_of_code(input.byte()?)?);
    }
    let mut offset_frames = 0u64;
    let changes = input.count(MAX_TEMPO_CHANGES)?;
    let mut tempo = Vec::new();
    for _ in 0..changes {
        offset_frames = offset_frames.checked_add(input.number()?)?;
        let bpm = input
            .float()
            .filter(|bpm| (MIN_BPM..=MAX_BPM).contains(bpm))?;
        let (beats_per_bar, beat_unit) = (input.byte()?, input.byte()?);
        tempo.push(TempoChange {
            offset_frames,
            bpm,
            beats_per_bar,
            beat_unit,
        });
    }
    if tempo.first().is_some_and(|first| first.offset_frames == 0) {
        passage.tempo = tempo;
    } else {
        return None;
    }
    let mut onset_samples = 0u64;
    let notes = input.count(MAX_NOTES)?;
    for _ in 0..notes {
        onset_samples = onset_samples.checked_add(input.number()?)?;
        let length_samples = u32::try_from(input.number()?).ok()?;
        let (pitch, velocity) = (input.byte()?, input.byte()?);
        let (program, flags, confidence) = (input.byte()?, input.byte()?, input.byte()?);
        if pitch > 127 || program > 127 || !(1..=127).contains(&velocity) || length_samples == 0 {
            return None;
        }
        let is_drum = flags & DRUM != 0;
        passage.notes.push(MarkedNote {
            note: PlacedNote {
                onset_samples,
                length_samples: length_samples.into(),
                pitch,
                velocity,
                program: if is_drum { 0 } else { program },
                is_drum,
                openness: program.checked_sub(1).filter(|_| is_drum),
                confidence: f32::from(confidence) / CONFIDENCE_STEPS,
            },
            is_leakage: flags & LEAKAGE != 0,
        });
    }
    if flags & DETAIL != 0 {
        detail::read(input, &mut passage)?;
    }
    passage.length_frames = input.number()?;
    let peaks = input.count(MAX_PEAKS)?;
    passage.peaks = input.take(peaks)?.to_vec();
    Some(passage)
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Zigzag encoding: small numbers of either sign are short.
    fn signed(&mut self, value: i64) {
        self.number(((value << 1) ^ (value >> 63)) as u64);
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let slice = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(slice)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|slice| slice[0])
    }

    fn float(&mut self) -> Option<f64> {
        let bytes: [u8; 8] = self.take(8)?.try_into().ok()?;
        Some(f64::from_le_bytes(bytes)).filter(|value| value.is_finite())
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            value |= bits.checked_shl(shift)?;
            if shift == 63 && bits > 1 {
                return None;
            }
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let zigzag = self.number()?;
        Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    fn short_float(&mut self) -> Option<f32> {
        let bytes: [u8; 4] = self.take(4)?.try_into().ok()?;
        Some(f32::from_le_bytes(bytes)).filter(|value| value.is_finite())
    }

    /// A count of items of at least one byte each.
    fn count(&mut self, limit: usize) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= limit && count <= self.bytes.len() - self.at).then_some(count)
    }
}

#[cfg(test)]
mod tests;
