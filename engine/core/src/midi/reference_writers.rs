//! MIDI files with exactly the events that the reference systems write, for comparison with them.
//!
//! These writers reproduce the tick rounding, channel assignment and event order of MT3-PyTorch,
//! MR-MT3 and YourMT3. Use [`midi_file`](crate::midi::midi_file) for everything else.

use midly::num::{u4, u7, u15, u24, u28};
use midly::{Format, Header, MetaMessage, MidiMessage, Smf, Timing, TrackEvent, TrackEventKind};

use crate::midi::channel::{DRUM_CHANNEL, MELODIC_CHANNELS, melodic_channel};
use crate::note::Note;
use crate::tokens::yourmt3::{DRUM_PROGRAM, output_program};

const TEMPO_MICROSECONDS: u32 = 500_000;
/// MT3-PyTorch and MR-MT3: 220 ticks per quarter at 120 BPM.
const MT3_TICKS_PER_SECOND: f64 = 440.0;
/// YourMT3: 480 ticks per quarter at 120 BPM.
const YOURMT3_TICKS_PER_SECOND: f64 = 960.0;

/// An event at its tick from the start of the file.
type Timed<'a> = (u32, TrackEventKind<'a>);

/// The file that the MT3-PyTorch adapter of mt3-infer writes before its leakage filter: a track for
/// each program and one for drums, in order of appearance. `notes` are in order of their ends.
pub fn mt3_pytorch(notes: &[Note]) -> Vec<u8> {
    let mut instruments: Vec<((u8, bool), Vec<Note>)> = Vec::new();
    for note in notes {
        let key = (note.program, note.is_drum);
        match instruments.iter_mut().find(|(other, _)| *other == key) {
            Some((_, own)) => own.push(*note),
            None => instruments.push((key, vec![*note])),
        }
    }
    let tempo = TrackEventKind::Meta(MetaMessage::Tempo(u24::new(TEMPO_MICROSECONDS)));
    let meter = TrackEventKind::Meta(MetaMessage::TimeSignature(4, 2, 24, 8));
    let mut tracks = vec![track(vec![(0, tempo), (0, meter)], 1)];
    for (position, ((program, is_drum), notes)) in instruments.into_iter().enumerate() {
        let channel = if is_drum {
            DRUM_CHANNEL
        } else {
            melodic_channel(position % MELODIC_CHANNELS)
        };
        let mut events: Vec<(u32, u8, u8)> = Vec::with_capacity(notes.len() * 2);
        for note in &notes {
            let tick = |seconds: f64| ticks((seconds * MT3_TICKS_PER_SECOND).round_ties_even());
            events.push((tick(note.onset_seconds), note.pitch, note.velocity));
            events.push((tick(note.offset_seconds), note.pitch, 0));
        }
        events.sort_unstable();
        let mut timed = vec![(0, program_change(channel, program))];
        timed.extend(
            events
                .into_iter()
                .map(|(tick, pitch, velocity)| (tick, note_on(channel, pitch, velocity))),
        );
        tracks.push(track(timed, 1));
    }
    write(220, tracks)
}

/// The file that the MR-MT3 adapter of mt3-infer writes: one track, all pitched notes on channel 0
/// without a program, with rounding errors that accumulate. `notes` are in order of their ends.
pub fn mr_mt3(notes: &[Note]) -> Vec<u8> {
    let mut sorted = notes.to_vec();
    sorted.sort_by(|a, b| a.onset_seconds.total_cmp(&b.onset_seconds));
    let mut events: Vec<(f64, TrackEventKind<'_>)> = Vec::with_capacity(sorted.len() * 2);
    for note in &sorted {
        let channel = if note.is_drum { DRUM_CHANNEL } else { 0 };
        events.push((
            note.onset_seconds,
            note_on(channel, note.pitch, note.velocity),
        ));
        events.push((note.offset_seconds, note_off(channel, note.pitch)));
    }
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    let tempo = TrackEventKind::Meta(MetaMessage::Tempo(u24::new(TEMPO_MICROSECONDS)));
    let mut timed = vec![(0, tempo)];
    let (mut last_seconds, mut last_tick) = (0.0, 0_u32);
    for (seconds, kind) in events {
        last_tick = last_tick.saturating_add(ticks(
            ((seconds - last_seconds) * MT3_TICKS_PER_SECOND).trunc(),
        ));
        last_seconds = seconds;
        timed.push((last_tick, kind));
    }
    write(220, vec![track(timed, 0)])
}

/// The file that YourMT3 writes for mixed `notes`: a named track for each group of programs.
pub fn yourmt3(notes: &[Note]) -> Vec<u8> {
    let mut groups: Vec<u8> = Vec::new();
    let group = |note: &Note| {
        if note.is_drum {
            DRUM_PROGRAM
        } else {
            output_program(note.program).0
        }
    };
    groups.extend(notes.iter().map(group));
    groups.sort_unstable();
    groups.dedup();
    let arena = midly::Arena::new();
    let mut tracks = vec![track(Vec::new(), 0)];
    let mut melodic = 0;
    for program in groups {
        let is_drum = program == DRUM_PROGRAM;
        let channel = if is_drum {
            DRUM_CHANNEL
        } else {
            melodic_channel(melodic)
        };
        melodic += usize::from(!is_drum);
        let mut events: Vec<(f64, bool, u8)> = Vec::new();
        for note in notes.iter().filter(|note| group(note) == program) {
            let end = if is_drum {
                note.onset_seconds + 0.01
            } else {
                note.offset_seconds
            };
            events.push((note.onset_seconds, true, note.pitch));
            events.push((end, false, note.pitch));
        }
        events.sort_by(|a, b| {
            a.0.total_cmp(&b.0)
                .then_with(|| (a.1, a.2).cmp(&(b.1, b.2)))
        });
        let name = match output_program(program).1 {
            _ if is_drum => "Drums".to_owned(),
            Some(name) => name.to_owned(),
            None => format!("Prg. {program}"),
        };
        let written_program = match program {
            100 => 65,
            101 => 53,
            DRUM_PROGRAM => 0,
            other => other,
        };
        let mut timed = vec![
            (
                0,
                TrackEventKind::Meta(MetaMessage::TrackName(arena.add(name.as_bytes()))),
            ),
            (0, program_change(channel, written_program)),
        ];
        for (seconds, is_onset, pitch) in events {
            let tick = ticks((seconds * YOURMT3_TICKS_PER_SECOND).round_ties_even());
            let kind = if is_onset {
                note_on(channel, pitch, 100)
            } else {
                note_off(channel, pitch)
            };
            timed.push((tick, kind));
        }
        tracks.push(track(timed, 0));
    }
    write(480, tracks)
}

/// A whole number of ticks, clamped to what a MIDI file can hold.
fn ticks(value: f64) -> u32 {
    value.clamp(0.0, f64::from(u32::from(u28::max_value()))) as u32
}

fn program_change<'a>(channel: u8, program: u8) -> TrackEventKind<'a> {
    let message = MidiMessage::ProgramChange {
        program: u7::new(program & 127),
    };
    TrackEventKind::Midi {
        channel: u4::new(channel),
        message,
    }
}

fn note_on<'a>(channel: u8, pitch: u8, velocity: u8) -> TrackEventKind<'a> {
    let message = MidiMessage::NoteOn {
        key: u7::new(pitch & 127),
        vel: u7::new(velocity.min(127)),
    };
    TrackEventKind::Midi {
        channel: u4::new(channel),
        message,
    }
}

fn note_off<'a>(channel: u8, pitch: u8) -> TrackEventKind<'a> {
    let message = MidiMessage::NoteOff {
        key: u7::new(pitch & 127),
        vel: u7::new(0),
    };
    TrackEventKind::Midi {
        channel: u4::new(channel),
        message,
    }
}

/// Converts ticks to deltas and ends the track `end_delta` ticks after its last event.
fn track<'a>(events: Vec<Timed<'a>>, end_delta: u32) -> Vec<TrackEvent<'a>> {
    let mut last = 0;
    let mut out = Vec::with_capacity(events.len() + 1);
    for (tick, kind) in events {
        out.push(TrackEvent {
            delta: u28::new(tick.saturating_sub(last)),
            kind,
        });
        last = tick.max(last);
    }
    out.push(TrackEvent {
        delta: u28::new(end_delta),
        kind: TrackEventKind::Meta(MetaMessage::EndOfTrack),
    });
    out
}

fn write(ticks_per_quarter: u16, tracks: Vec<Vec<TrackEvent<'_>>>) -> Vec<u8> {
    let header = Header::new(
        Format::Parallel,
        Timing::Metrical(u15::new(ticks_per_quarter)),
    );
    let smf = Smf { header, tracks };
    let mut bytes = Vec::new();
    // Writing to memory only fails beyond 65,535 tracks; there are at most 257.
    if let Err(error) = smf.write_std(&mut bytes) {
        log::error!("cannot write a reference MIDI file: {error}");
    }
    bytes
}
