//! Writes notes to standard MIDI files.

use std::collections::BTreeMap;
use std::path::Path;

use midly::num::{u4, u7, u15, u24, u28};
use midly::{
    Format, Header, MetaMessage, MidiMessage, Smf, Timing, Track, TrackEvent, TrackEventKind,
};

use crate::atomic_file::write_atomically;
use crate::error::{Error, Result};
use crate::midi::channel::{DRUM_CHANNEL, MELODIC_CHANNELS, melodic_channel};
use crate::midi::note_map::NoteMap;
use crate::midi::program_names::program_name;
use crate::midi::tempo_map::TempoMap;
use crate::note::Note;

/// Ticks per quarter note of the files that [`midi_file`] writes.
pub const TICKS_PER_QUARTER: u16 = 960;

/// Slowest and fastest tempo of a file, in quarter notes per minute.
pub const TEMPO_RANGE_BPM: std::ops::RangeInclusive<f64> = 4.0..=1000.0;

/// The last tick that a file can hold.
const LAST_TICK: u32 = (1 << 28) - 1;

/// Tempo and meter of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct MidiSettings {
    /// Quarter notes per minute, within [`TEMPO_RANGE_BPM`], of a file with one tempo.
    pub tempo_bpm: f64,
    /// Beats per bar, at least 1, and the note value of a beat, a power of two.
    pub meter: (u8, u8),
    /// Tempos and meters that replace `tempo_bpm` and `meter`.
    pub tempo_map: Option<TempoMap>,
    /// Length in seconds: the tracks end here, or with a note that ends later. None: with their
    /// last notes.
    pub length_seconds: Option<f64>,
    /// Keys and channels of the drums; General MIDI without.
    pub note_map: Option<NoteMap>,
}

impl Default for MidiSettings {
    fn default() -> Self {
        Self {
            tempo_bpm: 120.0,
            meter: (4, 4),
            tempo_map: None,
            length_seconds: None,
            note_map: None,
        }
    }
}

/// The bytes of a MIDI file: format 1, [`TICKS_PER_QUARTER`] ticks per quarter note.
///
/// The first track holds tempo and meter. The drums follow, a track for each channel of the note
/// map (without one: channel 10), then a track for each program with its name in General MIDI, each
/// on its own channel. All end where the recording ends. After 15 programs the tracks continue on
/// further MIDI ports.
///
/// Of notes with the same key and the same start tick the longest is kept, of those the loudest. A
/// note ends where the next note of its key begins.
///
/// # Errors
/// [`Error::Setting`] if a file cannot hold the tempo, the meter, or the time of a note.
pub fn midi_file(notes: &[Note], settings: &MidiSettings) -> Result<Vec<u8>> {
    let timeline = Timeline {
        map: match &settings.tempo_map {
            Some(map) => map.clone(),
            None => TempoMap::constant(settings.tempo_bpm, settings.meter)?,
        },
        length_seconds: settings.length_seconds,
    };
    let mut tracks = vec![timeline.conductor()?];
    let on_channel_ten = |note: &Note| (*note, note.is_drum.then_some(DRUM_CHANNEL));
    let mapped = match &settings.note_map {
        Some(map) => map.apply(notes),
        None => notes.iter().map(on_channel_ten).collect(),
    };
    // `false` sorts first: the channels of the drums, then the programs.
    let mut tracks_of: BTreeMap<(bool, u8), Vec<&Note>> = BTreeMap::new();
    for (note, drum_channel) in &mapped {
        let key = (drum_channel.is_none(), drum_channel.unwrap_or(note.program));
        tracks_of.entry(key).or_default().push(note);
    }
    let mut pitched = 0usize;
    for ((is_pitched, number), notes) in tracks_of {
        let destination = if is_pitched {
            pitched += 1;
            Destination::pitched(pitched - 1, number)
        } else {
            Destination {
                port: 0,
                channel: number,
                program: None,
            }
        };
        tracks.push(destination.track(&notes, &timeline)?);
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

/// Writes a MIDI file atomically; see [`midi_file`].
///
/// # Errors
/// Those of [`midi_file`], and [`Error::Io`].
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

/// Ticks of a file.
struct Timeline {
    map: TempoMap,
    length_seconds: Option<f64>,
}

impl Timeline {
    /// The track with tempo and meter.
    fn conductor(&self) -> Result<Track<'static>> {
        let tempos = self
            .map
            .tempos()
            .map(|(tick, micros)| (tick, 0, MetaMessage::Tempo(u24::new(micros))));
        let meters = self.map.meters().map(|(tick, (beats, unit))| {
            let unit = unit.trailing_zeros() as u8;
            (tick, 1, MetaMessage::TimeSignature(beats, unit, 24, 8))
        });
        let mut changes: Vec<(u32, u8, MetaMessage)> = tempos.chain(meters).collect();
        changes.sort_by_key(|&(tick, kind, _)| (tick, kind));
        let mut track = vec![meta(MetaMessage::TrackName(b"Hitscribe"))];
        let mut last_tick = 0;
        for (tick, _, message) in changes {
            track.push(TrackEvent {
                delta: u28::new(tick - last_tick),
                kind: TrackEventKind::Meta(message),
            });
            last_tick = tick;
        }
        track.push(self.end_of_track(last_tick)?);
        Ok(track)
    }

    /// The end of a track whose last event is at `last_tick`.
    fn end_of_track(&self, last_tick: u32) -> Result<TrackEvent<'static>> {
        let end = match self.length_seconds {
            Some(seconds) => self.tick(seconds)?,
            None => last_tick,
        };
        Ok(TrackEvent {
            delta: u28::new(end.saturating_sub(last_tick)),
            kind: TrackEventKind::Meta(MetaMessage::EndOfTrack),
        })
    }

    /// The tick of a time.
    fn tick(&self, seconds: f64) -> Result<u32> {
        let ticks = self.map.ticks(seconds).round().max(0.0);
        if ticks < f64::from(LAST_TICK) {
            Ok(ticks as u32)
        } else {
            let reason = "is beyond the last tick of a MIDI file";
            Err(setting("note", format!("at {seconds} s"), reason))
        }
    }
}

fn meta(message: MetaMessage<'_>) -> TrackEvent<'_> {
    TrackEvent {
        delta: u28::new(0),
        kind: TrackEventKind::Meta(message),
    }
}

/// Port, channel and program of a track.
struct Destination {
    port: u8,
    channel: u8,
    program: Option<u8>,
}

impl Destination {
    /// For the `index`th pitched program: the melodic channels of the first port, then of the next.
    fn pitched(index: usize, program: u8) -> Self {
        Self {
            port: (index / MELODIC_CHANNELS) as u8,
            channel: melodic_channel(index % MELODIC_CHANNELS),
            program: Some(program),
        }
    }

    fn track(&self, notes: &[&Note], timeline: &Timeline) -> Result<Track<'static>> {
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
                let name = program_name(program).as_bytes();
                track.push(meta(MetaMessage::TrackName(name)));
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
        for (tick, _, key, velocity) in events(notes, timeline)? {
            // Note-offs are note-ons with velocity 0, which every reader supports.
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
        track.push(timeline.end_of_track(last_tick)?);
        Ok(track)
    }
}

/// Sorted events: tick, 0 for off or 1 for on, key, velocity. At equal ticks offs come first.
fn events(notes: &[&Note], timeline: &Timeline) -> Result<Vec<(u32, u8, u8, u8)>> {
    let mut by_key: BTreeMap<u8, Vec<(u32, u32, u8)>> = BTreeMap::new();
    for note in notes {
        let on = timeline.tick(note.onset_seconds)?;
        let off = timeline.tick(note.offset_seconds)?.max(on + 1);
        by_key
            .entry(note.pitch.min(127))
            .or_default()
            .push((on, off, note.velocity.clamp(1, 127)));
    }
    let mut events = Vec::with_capacity(2 * notes.len());
    for (key, mut spans) in by_key {
        spans.sort_unstable();
        for (index, &(on, off, velocity)) in spans.iter().enumerate() {
            match spans.get(index + 1) {
                // Sorted by start, end, velocity: the last of those with the same start is kept.
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
    fn drums_are_on_channel_ten_at_the_right_ticks() {
        let notes = [
            Note::drum(DrumClass::Snare, 1.0, 77, 0.9),
            Note::drum(DrumClass::Kick, 0.5, 101, 0.9),
        ];
        let settings = MidiSettings {
            tempo_bpm: 90.0,
            meter: (6, 8),
            tempo_map: None,
            length_seconds: Some(4.0),
            note_map: None,
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
        // Six quarter notes, the length of the recording.
        assert_eq!(tick, 5_760);
    }

    #[test]
    fn overlapping_notes_of_a_key_end_at_the_next_onset() {
        let notes = [
            pitched(0.0, 5.0, 60, 0),
            pitched(1.0, 1.0, 60, 0),
            pitched(1.0, 3.0, 60, 0),
        ];
        let notes: Vec<&Note> = notes.iter().collect();
        let timeline = Timeline {
            map: TempoMap::constant(120.0, (4, 4)).unwrap(),
            length_seconds: None,
        };
        let events = events(&notes, &timeline).unwrap();
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
    fn forty_programs_have_a_port_and_channel_each() {
        let mut notes: Vec<Note> = (0..40).map(|p| pitched(0.0, 1.0, 60, p)).collect();
        notes.push(Note::drum(DrumClass::Kick, 0.0, 100, 1.0));
        let bytes = midi_file(&notes, &MidiSettings::default()).unwrap();
        let smf = Smf::parse(&bytes).unwrap();
        assert_eq!(smf.tracks.len(), 42);
        let mut destinations = std::collections::BTreeSet::new();
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
                        destinations.insert((port, channel.as_int()));
                    }
                    _ => {}
                }
            }
        }
        assert_eq!(destinations.len(), 41);
    }

    #[test]
    fn invalid_tempos_meters_and_times_are_errors() {
        let note = [pitched(0.0, 1.0, 60, 0)];
        for tempo_bpm in [0.0, -1.0, f64::NAN, 1e9] {
            assert!(
                midi_file(
                    &note,
                    &MidiSettings {
                        tempo_bpm,
                        ..MidiSettings::default()
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
                        meter,
                        ..MidiSettings::default()
                    }
                )
                .is_err()
            );
        }
        assert!(midi_file(&[pitched(1e9, 1.0, 60, 0)], &MidiSettings::default()).is_err());
    }
}
