//! Reads the notes of standard MIDI files.
//!
//! Follows the rules of pretty_midi, so that scores agree with the common evaluation scripts: each
//! channel of a track is an instrument with its program; a note-off ends all open notes of its key,
//! except those that began on the same tick; notes without a note-off are left out.

use std::path::Path;

use midly::{MetaMessage, MidiMessage, Smf, Timing, TrackEventKind};

use crate::error::{Error, Result};
use crate::midi::channel::{CHANNELS, DRUM_CHANNEL};
use crate::note::Note;

const KEYS: usize = 128;
/// Longest file that is read into memory. Songs are far smaller.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// Tempo of a file before its first tempo event.
const DEFAULT_MICROSECONDS_PER_QUARTER: f64 = 500_000.0;

/// Reads all notes of a MIDI file, sorted by onset.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Midi`] if it is not a MIDI file, is damaged,
/// or is larger than 64 MiB.
pub fn read_notes(path: &Path) -> Result<Vec<Note>> {
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
    parse_notes(&std::fs::read(path).map_err(io)?).map_err(midi)
}

/// Reads all notes of a MIDI file in memory, sorted by onset.
///
/// # Errors
/// One line: why `bytes` are not a valid MIDI file.
pub fn parse_notes(bytes: &[u8]) -> Result<Vec<Note>, String> {
    let smf = Smf::parse(bytes).map_err(|e| format!("is not a MIDI file, or is damaged: {e}"))?;
    let tempo_map = TempoMap::new(&smf)?;
    let mut notes: Vec<Note> = smf
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
    fn new(smf: &Smf) -> Result<Self, String> {
        let ticks_per_quarter = match smf.header.timing {
            Timing::Timecode(fps, subframe) => {
                let ticks_per_second = f64::from(fps.as_f32()) * f64::from(subframe);
                if ticks_per_second <= 0.0 {
                    return Err("has 0 ticks per second".to_owned());
                }
                return Ok(Self {
                    pieces: vec![(0, 0.0, 1.0 / ticks_per_second)],
                });
            }
            Timing::Metrical(ticks) if ticks.as_int() == 0 => {
                return Err("has 0 ticks per quarter note".to_owned());
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

fn track_notes(track: &midly::Track, tempo_map: &TempoMap) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut programs = [0u8; CHANNELS];
    // Start tick, velocity and program of the open notes, by channel and key.
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
