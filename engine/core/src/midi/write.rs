//! Notes to standard MIDI files.

use std::collections::BTreeMap;
use std::path::Path;

use midly::num::{u4, u7, u15, u24, u28};
use midly::{
    Format, Header, MetaMessage, MidiMessage, Smf, Timing, Track, TrackEvent, TrackEventKind,
};

use crate::atomic_file::write_atomically;
use crate::error::{Error, Result};
use crate::note::Note;

/// Ticks of a quarter note in the files that we write.
pub const TICKS_PER_QUARTER: u16 = 960;

/// Channel of drums, counted from 0: channel 10 to people.
pub const DRUM_CHANNEL: u8 = 9;

/// Slowest and fastest tempo of a file.
pub const TEMPOS_BPM: std::ops::RangeInclusive<f64> = 4.0..=1000.0;

const CHANNELS: u8 = 16;
/// The last tick that a file can hold.
const LAST_TICK: u32 = (1 << 28) - 1;

/// What a file says beside its notes.
#[derive(Clone, Debug, PartialEq)]
pub struct MidiSettings {
    /// Quarter notes per minute, one tempo for the whole file.
    pub tempo_bpm: f64,
    /// Beats in a bar and the note value of a beat, a power of two.
    pub meter: (u8, u8),
}

impl Default for MidiSettings {
    fn default() -> Self {
        Self {
            tempo_bpm: 120.0,
            meter: (4, 4),
        }
    }
}

/// The bytes of a MIDI file (format 1, [`TICKS_PER_QUARTER`]): a track with tempo and meter, one for
/// the drums on channel 10, one for each program on channels of its own. Beyond 15 programs the
/// tracks go to further MIDI ports.
///
/// Notes that cannot be told apart (same key, same tick) become the loudest of them; a note ends where
/// the next one of the same key begins.
///
/// # Errors
/// [`Error::Setting`] for a tempo or meter that a file cannot hold, and for notes too late for it.
pub fn midi_file(notes: &[Note], settings: &MidiSettings) -> Result<Vec<u8>> {
    let mut tracks = vec![conductor(settings)?];
    // Drums first: `is_drum` sorts after.
    let mut by_program: BTreeMap<(bool, u8), Vec<&Note>> = BTreeMap::new();
    for note in notes {
        let key = (!note.is_drum, if note.is_drum { 0 } else { note.program });
        by_program.entry(key).or_default().push(note);
    }
    let mut pitched = 0usize;
    for ((is_pitched, program), notes) in by_program {
        let place = if is_pitched {
            pitched += 1;
            Place::pitched(pitched - 1, program)
        } else {
            Place {
                port: 0,
                channel: DRUM_CHANNEL,
                program: None,
            }
        };
        tracks.push(place.track(&notes, settings)?);
    }
    let header = Header::new(
        Format::Parallel,
        Timing::Metrical(u15::new(TICKS_PER_QUARTER)),
    );
    let mut bytes = Vec::new();
    let written = Smf { header, tracks }.write_std(&mut bytes);
    written.map_err(|e| setting("MIDI file", "with these notes", e.to_string()))?;
    Ok(bytes)
}

/// Writes a MIDI file, whole or not at all; see [`midi_file`].
///
/// # Errors
/// As [`midi_file`], and [`Error::Io`].
pub fn write_midi_file(path: &Path, notes: &[Note], settings: &MidiSettings) -> Result<()> {
    write_atomically(path, &midi_file(notes, settings)?)
}

fn setting(name: &'static str, value: impl ToString, reason: impl Into<String>) -> Error {
    Error::Setting {
        name,
        value: value.to_string(),
        reason: reason.into(),
    }
}

/// The track with tempo and meter.
fn conductor(settings: &MidiSettings) -> Result<Track<'static>> {
    let tempo = settings.tempo_bpm;
    if !TEMPOS_BPM.contains(&tempo) {
        let reason = format!(
            "must lie between {} and {}",
            TEMPOS_BPM.start(),
            TEMPOS_BPM.end()
        );
        return Err(setting("tempo", tempo, reason));
    }
    let (beats, unit) = settings.meter;
    if beats == 0 || !unit.is_power_of_two() {
        let reason = "must be beats over a power of two, such as 4/4 or 6/8";
        return Err(setting("time signature", format!("{beats}/{unit}"), reason));
    }
    let micros = u24::new(micros_per_quarter(tempo));
    let meter = MetaMessage::TimeSignature(beats, unit.trailing_zeros() as u8, 24, 8);
    Ok(vec![
        meta(MetaMessage::TrackName(b"Hitscribe")),
        meta(MetaMessage::Tempo(micros)),
        meta(meter),
        meta(MetaMessage::EndOfTrack),
    ])
}

/// A file holds the tempo in whole microseconds; its ticks must use the same.
fn micros_per_quarter(tempo_bpm: f64) -> u32 {
    (60e6 / tempo_bpm).round() as u32
}

fn meta(message: MetaMessage<'_>) -> TrackEvent<'_> {
    TrackEvent {
        delta: u28::new(0),
        kind: TrackEventKind::Meta(message),
    }
}

/// Where a program plays.
struct Place {
    port: u8,
    channel: u8,
    program: Option<u8>,
}

impl Place {
    /// The place of the `index`th pitched program: every channel but that of the drums, port by port.
    fn pitched(index: usize, program: u8) -> Self {
        let per_port = usize::from(CHANNELS) - 1;
        let channel = (index % per_port) as u8;
        let channel = if channel >= DRUM_CHANNEL {
            channel + 1
        } else {
            channel
        };
        Self {
            port: (index / per_port) as u8,
            channel,
            program: Some(program),
        }
    }

    fn track(&self, notes: &[&Note], settings: &MidiSettings) -> Result<Track<'static>> {
        let mut track = Vec::new();
        let midi = |message| TrackEventKind::Midi {
            channel: u4::new(self.channel),
            message,
        };
        if self.port > 0 {
            track.push(meta(MetaMessage::MidiPort(u7::new(self.port))));
        }
        match self.program {
            None => track.push(meta(MetaMessage::TrackName(b"Drums"))),
            Some(program) => {
                let message = MidiMessage::ProgramChange {
                    program: u7::new(program.min(127)),
                };
                track.push(TrackEvent {
                    delta: u28::new(0),
                    kind: midi(message),
                });
            }
        }
        let mut last_tick = 0;
        for (tick, _, key, velocity) in events(notes, settings)? {
            // A note-off is a note-on with velocity 0: what every reader understands.
            let message = MidiMessage::NoteOn {
                key: u7::new(key),
                vel: u7::new(velocity),
            };
            track.push(TrackEvent {
                delta: u28::new(tick - last_tick),
                kind: midi(message),
            });
            last_tick = tick;
        }
        track.push(meta(MetaMessage::EndOfTrack));
        Ok(track)
    }
}

/// Tick, 0 for off and 1 for on, key, velocity; sorted, so that at one tick notes end before others begin.
fn events(notes: &[&Note], settings: &MidiSettings) -> Result<Vec<(u32, u8, u8, u8)>> {
    let ticks_per_second =
        f64::from(TICKS_PER_QUARTER) * 1e6 / f64::from(micros_per_quarter(settings.tempo_bpm));
    let tick = |seconds: f64| -> Result<u32> {
        let ticks = (seconds * ticks_per_second).round().max(0.0);
        if ticks < f64::from(LAST_TICK) {
            Ok(ticks as u32)
        } else {
            Err(setting(
                "note",
                format!("at {seconds} s"),
                "is too late for a MIDI file",
            ))
        }
    };
    let mut by_key: BTreeMap<u8, Vec<(u32, u32, u8)>> = BTreeMap::new();
    for note in notes {
        let on = tick(note.onset_seconds)?;
        let off = tick(note.offset_seconds)?.max(on + 1);
        by_key
            .entry(note.pitch.min(127))
            .or_default()
            .push((on, off, note.velocity.clamp(1, 127)));
    }
    let mut events = Vec::with_capacity(2 * notes.len());
    for (key, mut strokes) in by_key {
        strokes.sort_unstable();
        for (index, &(on, off, velocity)) in strokes.iter().enumerate() {
            match strokes.get(index + 1) {
                // Sorted by velocity last: the longest, then loudest of the equal ones is kept.
                Some(&(next, ..)) if next == on => continue,
                next => {
                    let end = next.map_or(off, |&(next, ..)| off.min(next));
                    events.extend([(on, 1, key, velocity), (end, 0, key, 0)]);
                }
            }
        }
    }
    events.sort_unstable();
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DrumClass;

    fn pitched(onset_seconds: f64, length: f64, pitch: u8, program: u8) -> Note {
        Note {
            onset_seconds,
            offset_seconds: onset_seconds + length,
            pitch,
            velocity: 90,
            program,
            is_drum: false,
            openness: None,
            confidence: 1.0,
        }
    }

    #[test]
    fn drums_are_on_channel_ten_at_their_ticks() {
        let notes = [
            Note::drum(DrumClass::Snare, 1.0, 77, 0.9),
            Note::drum(DrumClass::Kick, 0.5, 101, 0.9),
        ];
        let settings = MidiSettings {
            tempo_bpm: 90.0,
            meter: (6, 8),
        };
        let bytes = midi_file(&notes, &settings).unwrap();
        let smf = Smf::parse(&bytes).unwrap();
        assert_eq!(smf.header.timing, Timing::Metrical(u15::new(960)));
        assert_eq!(smf.tracks.len(), 2);
        assert!(smf.tracks[0].contains(&meta(MetaMessage::TimeSignature(6, 3, 24, 8))));
        let mut tick = 0;
        let mut on = Vec::new();
        for event in &smf.tracks[1] {
            tick += event.delta.as_int();
            if let TrackEventKind::Midi {
                channel,
                message: MidiMessage::NoteOn { key, vel },
            } = event.kind
            {
                assert_eq!(channel.as_int(), 9);
                if vel > 0 {
                    on.push((tick, key.as_int(), vel.as_int()));
                }
            }
        }
        assert_eq!(on, [(720, 36, 101), (1440, 38, 77)]);
    }

    #[test]
    fn repeated_and_overlapping_notes_of_a_key_do_not_cut_each_other() {
        let notes = [
            pitched(0.0, 5.0, 60, 0),
            pitched(1.0, 1.0, 60, 0),
            pitched(1.0, 3.0, 60, 0),
        ];
        let notes: Vec<&Note> = notes.iter().collect();
        let events = events(&notes, &MidiSettings::default()).unwrap();
        assert_eq!(
            events,
            [
                (0, 1, 60, 90),
                (1920, 0, 60, 0),
                (1920, 1, 60, 90),
                (7680, 0, 60, 0)
            ]
        );
    }

    #[test]
    fn forty_programs_have_places_of_their_own() {
        let mut notes: Vec<Note> = (0..40).map(|p| pitched(0.0, 1.0, 60, p)).collect();
        notes.push(Note::drum(DrumClass::Kick, 0.0, 100, 1.0));
        let bytes = midi_file(&notes, &MidiSettings::default()).unwrap();
        let smf = Smf::parse(&bytes).unwrap();
        assert_eq!(smf.tracks.len(), 42);
        let mut places = std::collections::BTreeSet::new();
        for track in &smf.tracks[1..] {
            let (mut port, mut program) = (0, None);
            for event in track {
                match event.kind {
                    TrackEventKind::Meta(MetaMessage::MidiPort(p)) => port = p.as_int(),
                    TrackEventKind::Midi {
                        message: MidiMessage::ProgramChange { program: p },
                        ..
                    } => {
                        program = Some(p.as_int());
                    }
                    TrackEventKind::Midi { channel, .. } => {
                        assert_eq!(program.is_none(), channel == 9);
                        places.insert((port, channel.as_int()));
                    }
                    _ => {}
                }
            }
        }
        assert_eq!(places.len(), 41);
    }

    #[test]
    fn what_a_file_cannot_hold_is_an_error() {
        let note = [pitched(0.0, 1.0, 60, 0)];
        for tempo_bpm in [0.0, -1.0, f64::NAN, 1e9] {
            assert!(
                midi_file(
                    &note,
                    &MidiSettings {
                        tempo_bpm,
                        meter: (4, 4)
                    }
                )
                .is_err()
            );
        }
        for meter in [(0, 4), (4, 0), (4, 3)] {
            assert!(
                midi_file(
                    &note,
                    &MidiSettings {
                        tempo_bpm: 120.0,
                        meter
                    }
                )
                .is_err()
            );
        }
        assert!(midi_file(&[pitched(1e9, 1.0, 60, 0)], &MidiSettings::default()).is_err());
    }
}
