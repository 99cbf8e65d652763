//! Events of MIDI files, and their comparison.

use midly::{MetaMessage, MidiMessage, Smf, TrackEventKind};
use serde_json::{Value, json};

use crate::golden::list;

/// The events of a MIDI file as JSON in the form of the golden files, with ticks from the start.
pub fn midi_events(bytes: &[u8]) -> Value {
    let smf = Smf::parse(bytes).expect("a MIDI file");
    let ticks_per_beat = match smf.header.timing {
        midly::Timing::Metrical(ticks) => ticks.as_int(),
        other => panic!("unexpected timing {other:?}"),
    };
    let tracks: Vec<Value> = smf
        .tracks
        .iter()
        .map(|track| {
            let mut tick = 0;
            let events = track.iter().map(|event| {
                tick += event.delta.as_int();
                event_json(event.kind, tick)
            });
            Value::Array(events.collect())
        })
        .collect();
    json!({"ticks_per_beat": ticks_per_beat, "type": 1, "tracks": tracks})
}

fn event_json(kind: TrackEventKind<'_>, tick: u32) -> Value {
    match kind {
        TrackEventKind::Midi { channel, message } => {
            let channel = channel.as_int();
            match message {
                MidiMessage::NoteOn { key, vel } => json!({"type": "note_on", "note": key.as_int(),
                    "velocity": vel.as_int(), "channel": channel, "tick": tick}),
                MidiMessage::NoteOff { key, vel } => {
                    json!({"type": "note_off", "note": key.as_int(),
                    "velocity": vel.as_int(), "channel": channel, "tick": tick})
                }
                MidiMessage::ProgramChange { program } => json!({"type": "program_change",
                    "program": program.as_int(), "channel": channel, "tick": tick}),
                other => panic!("unexpected message {other:?}"),
            }
        }
        TrackEventKind::Meta(MetaMessage::Tempo(tempo)) => {
            json!({"type": "set_tempo", "tempo": tempo.as_int(), "tick": tick})
        }
        TrackEventKind::Meta(MetaMessage::TimeSignature(
            numerator,
            power,
            clocks,
            thirty_seconds,
        )) => {
            json!({"type": "time_signature", "numerator": numerator, "denominator": 1 << power,
                "clocks_per_click": clocks, "notated_32nd_notes_per_beat": thirty_seconds, "tick": tick})
        }
        TrackEventKind::Meta(MetaMessage::TrackName(name)) => {
            json!({"type": "track_name", "name": String::from_utf8_lossy(name), "tick": tick})
        }
        TrackEventKind::Meta(MetaMessage::EndOfTrack) => {
            json!({"type": "end_of_track", "tick": tick})
        }
        other => panic!("unexpected event {other:?}"),
    }
}

/// Asserts that the events of a MIDI file are those of `want`, event by event.
pub fn assert_midi(name: &str, bytes: &[u8], want: &Value) {
    let got = midi_events(bytes);
    assert_eq!(
        got["ticks_per_beat"], want["ticks_per_beat"],
        "{name}: ticks per quarter"
    );
    let (got, want) = (list(&got["tracks"]), list(&want["tracks"]));
    assert_eq!(got.len(), want.len(), "{name}: number of tracks");
    for (track, (got, want)) in got.iter().zip(want).enumerate() {
        let (got, want) = (list(got), list(want));
        for (position, (got, want)) in got.iter().zip(want).enumerate() {
            assert_eq!(got, want, "{name}: track {track}, event {position}");
        }
        assert_eq!(got.len(), want.len(), "{name}: events in track {track}");
    }
}
