//! Reads the notes of standard MIDI files.
//!
//! Follows the rules of pretty_midi, so that scores agree with the common evaluation scripts: each
//! channel of a track is an instrument with its program; a note-off ends all open notes of its key,
//! except those that began on the same tick; notes without a note-off are left out.

use std::path::Path;

use crate::error::{Error, Result};
use crate::midi::channel::{CHANNELS, DRUM_CHANNEL};
use crate::midi::events;
use crate::midi::events::{Division, Event};
use crate::note::Note;

const KEYS: usize = 128;
/// Longest file that is read into memory. Songs are far smaller.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// Files with more are made of ticks, not of beats.
const MAX_BEATS: u64 = 1_000_000;
/// Tempo of a file before its first tempo event.
const DEFAULT_MICROSECONDS_PER_QUARTER: f64 = 500_000.0;

/// Reads all notes of a MIDI file, sorted by onset.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Midi`] if it is not a MIDI file, is damaged,
/// or is larger than 64 MiB.
pub fn read_notes(path: &Path) -> Result<Vec<Note>> {
    read(path, parse_notes)
}

/// Reads the beats of a MIDI file that states a tempo, up to the end of its last track; none of one
/// that does not.
///
/// # Errors
/// As [`read_notes`].
pub fn read_beats(path: &Path) -> Result<Beats> {
    read(path, parse_beats)
}

/// Beats by tempo and meter, in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beats {
    /// All beats; the beat is the note value of the meter.
    pub beats: Vec<f64>,
    /// Those that begin a bar.
    pub downbeats: Vec<f64>,
}

fn read<T>(path: &Path, parse: fn(&[u8]) -> Result<T, String>) -> Result<T> {
    let io = |source| Error::io(path, source);
    let midi = |reason| Error::Midi {
        path: path.to_owned(),
        reason,
    };
    let length = std::fs::metadata(path).map_err(io)?.len();
    if length > MAX_FILE_BYTES {
        let reason =
            format!("is too large for a MIDI file: {length} bytes, limit {MAX_FILE_BYTES}");
        return Err(midi(reason));
    }
    parse(&std::fs::read(path).map_err(io)?).map_err(midi)
}

fn parse_beats(bytes: &[u8]) -> Result<Beats, String> {
    let file = events::parse(bytes)?;
    let tempo_map = TempoMap::new(&file)?;
    let all = || file.tracks.iter().flatten();
    let has_tempo = all().any(|(_, event)| matches!(event, Event::Tempo(_)));
    let (Division::TicksPerQuarter(ticks_per_quarter), true) = (file.division, has_tempo) else {
        return Ok(Beats::default());
    };
    let last_tick = all().map(|&(tick, _)| tick).max().unwrap_or(0);
    let mut meters = vec![(0, 4, 2)];
    let stated = all().filter_map(|&(tick, event)| match event {
        Event::Meter(beats @ 1.., unit @ ..=6) => Some((tick, beats, unit)),
        _ => None,
    });
    meters.extend(stated);
    meters.sort_by_key(|&(tick, ..)| tick);
    let mut found = Beats::default();
    for (index, &(start, beats, unit)) in meters.iter().enumerate() {
        let end = meters.get(index + 1).map_or(last_tick + 1, |next| next.0);
        // At least a tick: a file may have 1 tick per quarter note.
        let step = ((4 * u64::from(ticks_per_quarter)) >> unit).max(1) as usize;
        if (end - start) / step as u64 > MAX_BEATS {
            return Ok(Beats::default());
        }
        for (beat, tick) in (start..end).step_by(step).enumerate() {
            let seconds = tempo_map.seconds(tick);
            found.beats.push(seconds);
            if beat % usize::from(beats) == 0 {
                found.downbeats.push(seconds);
            }
        }
    }
    Ok(found)
}

/// Reads all notes of a MIDI file in memory, sorted by onset.
///
/// # Errors
/// One line: why `bytes` are not a valid MIDI file.
pub fn parse_notes(bytes: &[u8]) -> Result<Vec<Note>, String> {
    let file = events::parse(bytes)?;
    let tempo_map = TempoMap::new(&file)?;
    let mut notes: Vec<Note> = file
        .tracks
        .iter()
        .flat_map(|track| track_notes(track, &tempo_map))
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

/// Converts ticks to seconds, over all tempo changes of a file.
struct TempoMap {
    /// First tick, its time in seconds, and the seconds per tick from there on. The first entry is
    /// at tick 0.
    pieces: Vec<(u64, f64, f64)>,
}

impl TempoMap {
    fn new(file: &events::File) -> Result<Self, String> {
        let ticks_per_quarter = match file.division {
            Division::TicksPerSecond(ticks) if ticks <= 0.0 => {
                return Err("has 0 ticks per second".to_owned());
            }
            Division::TicksPerSecond(ticks) => {
                return Ok(Self {
                    pieces: vec![(0, 0.0, 1.0 / ticks)],
                });
            }
            Division::TicksPerQuarter(0) => {
                return Err("has 0 ticks per quarter note".to_owned());
            }
            Division::TicksPerQuarter(ticks) => f64::from(ticks),
        };
        let mut changes: Vec<(u64, f64)> = Vec::new();
        for &(tick, event) in file.tracks.iter().flatten() {
            if let Event::Tempo(microseconds) = event {
                changes.push((tick, f64::from(microseconds)));
            }
        }
        changes.sort_by_key(|c| c.0);
        let per_tick =
            |microseconds_per_quarter: f64| microseconds_per_quarter / 1e6 / ticks_per_quarter;
        let mut pieces = vec![(0, 0.0, per_tick(DEFAULT_MICROSECONDS_PER_QUARTER))];
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

fn track_notes(track: &[(u64, Event)], tempo_map: &TempoMap) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut programs = [0u8; CHANNELS];
    // Start tick, velocity and program of the open notes, by channel and key.
    let mut open: Vec<Vec<(u64, u8, u8)>> = vec![Vec::new(); CHANNELS * KEYS];
    for &(tick, event) in track {
        let (channel, key, velocity) = match event {
            Event::Program { channel, program } => {
                programs[usize::from(channel)] = program;
                continue;
            }
            Event::Note {
                channel,
                key,
                velocity,
            } => (usize::from(channel), key, velocity),
            Event::Tempo(_) | Event::Meter(..) => continue,
        };
        let open_of_key = &mut open[channel * KEYS + usize::from(key)];
        if velocity > 0 {
            open_of_key.push((tick, velocity, programs[channel]));
            continue;
        }
        let same_tick = open_of_key
            .iter()
            .position(|n| n.0 == tick)
            .unwrap_or(open_of_key.len());
        if same_tick == 0 {
            open_of_key.clear();
        }
        notes.extend(open_of_key.drain(..same_tick.min(open_of_key.len())).map(
            |(start, velocity, program)| Note {
                onset_seconds: tempo_map.seconds(start),
                offset_seconds: tempo_map.seconds(tick),
                pitch: key,
                velocity,
                program,
                is_drum: channel == usize::from(DRUM_CHANNEL),
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
    fn programs_tempo_drums_and_overlaps_are_read() {
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
        let found: Vec<_> = notes
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
            found,
            [
                (0.0, 1.5, 36, 0, 127),
                (0.0, 2.5, 40, 33, 70),
                (1.5, 2.5, 40, 33, 60)
            ],
        );
        assert!(notes[0].is_drum && !notes[1].is_drum);
    }

    #[test]
    fn a_note_off_does_not_end_notes_of_its_own_tick() {
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
        let found: Vec<_> = notes
            .iter()
            .map(|n| (n.onset_seconds, n.offset_seconds, n.velocity))
            .collect();
        assert_eq!(found, [(0.0, 0.5, 70), (0.5, 1.0, 71)]);
    }

    /// A file with one track of these bytes and an end.
    fn raw(track: &[u8]) -> Vec<u8> {
        file(100, &[])
            .split_last_chunk::<4>()
            .map_or(Vec::new(), |(head, end)| {
                let (head, _) = head.split_at(head.len() - 4);
                let length = (track.len() as u32 + 4).to_be_bytes();
                [head, &length, track, end].concat()
            })
    }

    #[test]
    fn what_programs_write_against_the_rules_is_read() {
        let hit = [0, 0x99, 36, 100, 48, 0x89, 36, 0];
        let count = |track: &[u8]| parse_notes(&raw(track)).unwrap().len();
        let between = |middle: &[u8]| count(&[&hit, middle, &hit].concat());
        assert_eq!(between(&[]), 2);
        // Realtime and other messages of cables, with and without data.
        for middle in [
            &[0, 0xf8][..],
            &[0, 0xfe],
            &[0, 0xf6],
            &[0, 0xf3, 1],
            &[0, 0xf2, 1, 2],
        ] {
            assert_eq!(between(middle), 2, "{middle:x?}");
        }
        // A realtime message within a note.
        assert_eq!(count(&[0, 0x99, 36, 0xf8, 100, 48, 0x89, 36, 0]), 1);
        // Running status after a meta event and after a system exclusive message.
        for middle in [&[0, 0xff, 1, 1, 0x61][..], &[0, 0xf0, 2, 0x7e, 0xf7]] {
            let track = [
                &[0, 0x99, 36, 100, 48, 36, 0],
                middle,
                &[0, 36, 100, 48, 36, 0],
            ];
            assert_eq!(count(&track.concat()), 2, "{middle:x?}");
        }
        let midi = raw(&hit);
        let riff = [b"RIFF\0\0\0\0RMIDdata\0\0\0\0", midi.as_slice()].concat();
        assert_eq!(parse_notes(&riff).unwrap().len(), 1);
        let other = [&midi[..14], b"XFIH\0\0\0\x02ab", &midi[14..]].concat();
        assert_eq!(parse_notes(&other).unwrap().len(), 1);
    }

    #[test]
    fn part_of_a_file_is_never_taken_for_all_of_it() {
        let good = file(100, &[(0, &[0x90, 40, 70]), (100, &[0x80, 40, 0])]);
        for length in 22..good.len() - 4 {
            let reason = parse_notes(&good[..length]).unwrap_err();
            assert!(reason.contains("cut off"), "{length}: {reason}");
        }
        let mut two_tracks = good.clone();
        two_tracks[11] = 2;
        let reason = parse_notes(&two_tracks).unwrap_err();
        assert!(reason.contains("states 2 tracks and has 1"), "{reason}");
        for (track, expected) in [
            (&[0, 0x99, 200, 100][..], "the value 200, above 127"),
            (
                &[0, 0x99, 38, 200, 48, 0x89, 38, 0],
                "the value 200, above 127",
            ),
            (&[0, 36, 100], "data without a status"),
            (&[0, 0xf4], "undefined status 0xf4"),
            (&[0x80, 0x80, 0x80, 0x80, 0], "more than four bytes"),
            (&[0, 0xff, 1, 0x60], "longer than the track"),
        ] {
            let reason = parse_notes(&raw(track)).unwrap_err();
            assert!(reason.starts_with("is damaged: in track 1"), "{reason}");
            assert!(reason.contains(expected), "{reason}");
        }
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

    #[test]
    fn beats_follow_tempo_and_meter() {
        let bytes = file(
            100,
            &[
                (0, &[0xff, 0x58, 4, 3, 2, 24, 8]),
                (0, &[0xff, 0x51, 3, 0x07, 0xa1, 0x20]),
                (300, &[0xff, 0x58, 4, 6, 3, 24, 8]),
                (0, &[0xff, 0x51, 3, 0x0f, 0x42, 0x40]),
                (300, &[0x90, 40, 60]),
            ],
        );
        let found = parse_beats(&bytes).unwrap();
        let expected = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5];
        assert_eq!(found.beats, expected);
        assert_eq!(found.downbeats, [0.0, 1.5, 4.5]);
        let none = parse_beats(&file(100, &[(0, &[0x90, 40, 60])])).unwrap();
        assert_eq!(none, Beats::default());
    }
}
