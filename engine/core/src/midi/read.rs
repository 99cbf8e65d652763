//! Notes out of standard MIDI files.
//!
//! As pretty_midi reads them, so that scores agree with the common evaluation scripts: an instrument is a channel of a
//! track with its program; a note-off ends every open note of its key except those that began on the same tick; notes
//! that are never ended are left out.

use std::path::Path;

use midly::{MetaMessage, MidiMessage, Smf, Timing, TrackEventKind};

use crate::error::{Error, Result};
use crate::note::Note;

/// General MIDI's percussion channel, counted from 0.
const DRUM_CHANNEL: usize = 9;
const CHANNELS: usize = 16;
const KEYS: usize = 128;
/// No song needs more; a larger file is not read into memory.
const MAXIMUM_BYTES: u64 = 64 << 20;
const USUAL_MICROSECONDS_PER_QUARTER: f64 = 500_000.0;

/// Reads all notes of a MIDI file, sorted by onset.
///
/// Errors: [`Error::Io`] when the file cannot be read, [`Error::Midi`] when it is not a MIDI file or is damaged.
pub fn read_notes(path: &Path) -> Result<Vec<Note>> {
    let io = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let bytes_long = std::fs::metadata(path).map_err(io)?.len();
    if bytes_long > MAXIMUM_BYTES {
        let reason =
            format!("{bytes_long} bytes are too many for a MIDI file (at most {MAXIMUM_BYTES})");
        return Err(Error::Midi {
            path: path.to_owned(),
            reason,
        });
    }
    let bytes = std::fs::read(path).map_err(io)?;
    parse_notes(&bytes).map_err(|reason| Error::Midi {
        path: path.to_owned(),
        reason,
    })
}

/// Reads all notes of the bytes of a MIDI file, sorted by onset. The error says in words what is wrong.
pub fn parse_notes(bytes: &[u8]) -> Result<Vec<Note>, String> {
    let smf = Smf::parse(bytes).map_err(|e| format!("not a MIDI file that can be read: {e}"))?;
    let clock = Clock::new(&smf)?;
    let mut notes: Vec<Note> = smf
        .tracks
        .iter()
        .flat_map(|track| track_notes(track, &clock))
        .collect();
    notes.sort_by(|a, b| {
        let times = a
            .onset_seconds
            .total_cmp(&b.onset_seconds)
            .then(a.offset_seconds.total_cmp(&b.offset_seconds));
        times.then(
            (a.is_drum, a.program, a.pitch, a.velocity)
                .cmp(&(b.is_drum, b.program, b.pitch, b.velocity)),
        )
    });
    Ok(notes)
}

/// Ticks to seconds over all tempo changes of the file.
struct Clock {
    /// First tick, its time in seconds, seconds per tick from there on; the first entry is at tick 0.
    pieces: Vec<(u64, f64, f64)>,
}

impl Clock {
    fn new(smf: &Smf) -> Result<Self, String> {
        let ticks_per_quarter = match smf.header.timing {
            Timing::Timecode(fps, subframe) => {
                let ticks_per_second = f64::from(fps.as_f32()) * f64::from(subframe);
                if ticks_per_second <= 0.0 {
                    return Err("its time code has no ticks in a second".to_owned());
                }
                return Ok(Self {
                    pieces: vec![(0, 0.0, 1.0 / ticks_per_second)],
                });
            }
            Timing::Metrical(ticks) if ticks.as_int() == 0 => {
                return Err("it has no ticks in a quarter".to_owned());
            }
            Timing::Metrical(ticks) => f64::from(ticks.as_int()),
        };
        let mut changes: Vec<(u64, f64)> = Vec::new();
        for track in &smf.tracks {
            let mut tick = 0u64;
            for event in track {
                tick += u64::from(event.delta.as_int());
                if let TrackEventKind::Meta(MetaMessage::Tempo(microseconds)) = event.kind {
                    changes.push((tick, f64::from(microseconds.as_int())));
                }
            }
        }
        changes.sort_by_key(|c| c.0);
        let per_tick =
            |microseconds_per_quarter: f64| microseconds_per_quarter / 1e6 / ticks_per_quarter;
        let mut pieces = vec![(0, 0.0, per_tick(USUAL_MICROSECONDS_PER_QUARTER))];
        for (tick, microseconds) in changes {
            let at = Self::at(&pieces, tick);
            if pieces.last().is_some_and(|p| p.0 == tick) {
                pieces.pop();
            }
            pieces.push((tick, at, per_tick(microseconds)));
        }
        Ok(Self { pieces })
    }

    fn at(pieces: &[(u64, f64, f64)], tick: u64) -> f64 {
        let after = pieces.partition_point(|p| p.0 <= tick);
        let (from, seconds, per_tick) = pieces[after.saturating_sub(1)];
        seconds + (tick - from) as f64 * per_tick
    }

    fn seconds(&self, tick: u64) -> f64 {
        Self::at(&self.pieces, tick)
    }
}

fn track_notes(track: &midly::Track, clock: &Clock) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut programs = [0u8; CHANNELS];
    // Start tick, velocity and program of the notes that sound, by channel and key.
    let mut open: Vec<Vec<(u64, u8, u8)>> = vec![Vec::new(); CHANNELS * KEYS];
    let mut tick = 0u64;
    for event in track {
        tick += u64::from(event.delta.as_int());
        let TrackEventKind::Midi { channel, message } = event.kind else {
            continue;
        };
        let channel = usize::from(channel.as_int());
        let (key, velocity) = match message {
            MidiMessage::ProgramChange { program } => {
                programs[channel] = program.as_int();
                continue;
            }
            MidiMessage::NoteOn { key, vel } => (key.as_int(), vel.as_int()),
            MidiMessage::NoteOff { key, .. } => (key.as_int(), 0),
            _ => continue,
        };
        let sounding = &mut open[channel * KEYS + usize::from(key)];
        if velocity > 0 {
            sounding.push((tick, velocity, programs[channel]));
            continue;
        }
        let just_begun = sounding
            .iter()
            .position(|n| n.0 == tick)
            .unwrap_or(sounding.len());
        if just_begun == 0 {
            sounding.clear();
        }
        notes.extend(sounding.drain(..just_begun.min(sounding.len())).map(
            |(start, velocity, program)| Note {
                onset_seconds: clock.seconds(start),
                offset_seconds: clock.seconds(tick),
                pitch: key,
                velocity,
                program,
                is_drum: channel == DRUM_CHANNEL,
                openness: None,
                confidence: 1.0,
            },
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(ticks: u16, events: &[(u32, &[u8])]) -> Vec<u8> {
        let mut track = Vec::new();
        for (delta, bytes) in events {
            assert!(*delta < 1 << 14);
            track.extend([0x80 | (delta >> 7) as u8, (delta & 0x7f) as u8]);
            track.extend_from_slice(bytes);
        }
        track.extend([0, 0xff, 0x2f, 0]);
        let mut out = b"MThd\0\0\0\x06\0\0\0\x01".to_vec();
        out.extend(ticks.to_be_bytes());
        out.extend(b"MTrk");
        out.extend((track.len() as u32).to_be_bytes());
        out.extend(track);
        out
    }

    #[test]
    fn programs_tempo_drums_and_overlaps() {
        let bytes = file(
            100,
            &[
                (0, &[0xc0, 33]),
                (0, &[0x90, 40, 70]),
                (0, &[0x99, 36, 127]),
                (100, &[0xff, 0x51, 3, 0x0f, 0x42, 0x40]), // 1 s per quarter from here
                (100, &[0x90, 40, 60]),
                (0, &[0x99, 36, 0]),
                (100, &[0x80, 40, 0]),
                (0, &[0x90, 50, 1]), // never ended
            ],
        );
        let notes = parse_notes(&bytes).unwrap();
        let seen: Vec<_> = notes
            .iter()
            .map(|n| {
                (
                    n.onset_seconds,
                    n.offset_seconds,
                    n.pitch,
                    n.program,
                    n.velocity,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (0.0, 1.5, 36, 0, 127),
                (0.0, 2.5, 40, 33, 70),
                (1.5, 2.5, 40, 33, 60)
            ],
        );
        assert!(notes[0].is_drum && !notes[1].is_drum);
    }

    #[test]
    fn a_note_off_spares_notes_that_begin_on_its_tick() {
        let bytes = file(
            100,
            &[
                (0, &[0x90, 40, 70]),
                (100, &[0x90, 40, 71]),
                (0, &[0x80, 40, 0]),
                (100, &[0x80, 40, 0]),
            ],
        );
        let notes = parse_notes(&bytes).unwrap();
        let seen: Vec<_> = notes
            .iter()
            .map(|n| (n.onset_seconds, n.offset_seconds, n.velocity))
            .collect();
        assert_eq!(seen, [(0.0, 0.5, 70), (0.5, 1.0, 71)]);
    }

    #[test]
    fn damaged_files_are_errors_not_panics() {
        let good = file(100, &[(0, &[0x90, 40, 70]), (100, &[0x80, 40, 0])]);
        assert!(parse_notes(&[]).is_err());
        assert!(parse_notes(&file(0, &[])).unwrap_err().contains("ticks"));
        for cut in 0..good.len() {
            let _ = parse_notes(&good[..cut]);
            let mut flipped = good.clone();
            flipped[cut] ^= 0xff;
            let _ = parse_notes(&flipped);
        }
    }
}
