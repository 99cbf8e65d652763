//! Conversion of transport and events between the host's types and CLAP's.

use anyhow::{Result, ensure};
use clack_host::events::event_types::{TransportEvent, TransportFlags};
use clack_host::events::spaces::CoreEventSpace;
use clack_host::events::{EventFlags, EventHeader};
use clack_host::prelude::*;
use clack_host::utils::{BeatTime, SecondsTime};

/// The transport at the start of a block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transport {
    /// Whether it is running.
    pub playing: bool,
    /// Position in seconds.
    pub seconds: f64,
    /// Position in quarter notes.
    pub beats: f64,
    /// Quarter notes per minute.
    pub tempo_bpm: f64,
    /// Beats per bar and their note value.
    pub meter: (u16, u16),
}

/// A note event of the plugin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoteEvent {
    /// Frames since activation.
    pub frame: u64,
    /// Note-on or note-off.
    pub is_on: bool,
    /// MIDI channel 0..=15.
    pub channel: u16,
    /// MIDI key 0..=127.
    pub key: u16,
    /// Velocity 0..=1.
    pub velocity: f64,
}

/// A MIDI message of the plugin other than a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MidiMessage {
    /// Frames since activation.
    pub frame: u64,
    /// Status and data bytes.
    pub bytes: [u8; 3],
}

/// Appends the events of a block to `notes` and `messages`. The block begins at frame `start` and
/// has `frames` frames.
///
/// # Errors
/// If an event is out of order or outside the block.
pub fn collect(
    events: &EventBuffer,
    start: u64,
    frames: usize,
    notes: &mut Vec<NoteEvent>,
    messages: &mut Vec<MidiMessage>,
) -> Result<()> {
    let mut last = 0;
    let mut place = |time: u32| {
        let is_valid = time >= last && (time as usize) < frames;
        ensure!(
            is_valid,
            "an event of the plugin is out of order or outside the block"
        );
        last = time;
        Ok(start + u64::from(time))
    };
    for event in events.iter() {
        let (is_on, note) = match event.as_core_event() {
            Some(CoreEventSpace::NoteOn(note)) => (true, note.as_note_event()),
            Some(CoreEventSpace::NoteOff(note)) => (false, note.as_note_event()),
            Some(CoreEventSpace::Midi(message)) => {
                messages.push(MidiMessage {
                    frame: place(message.header().time())?,
                    bytes: message.data(),
                });
                continue;
            }
            _ => continue,
        };
        let (time, channel, key, velocity) = note;
        notes.push(NoteEvent {
            frame: place(time)?,
            is_on,
            channel,
            key,
            velocity,
        });
    }
    Ok(())
}

trait NoteParts {
    /// Time, channel, key and velocity.
    fn as_note_event(&self) -> (u32, u16, u16, f64);
}

macro_rules! note_parts {
    ($($event:ty),*) => {
        $(impl NoteParts for $event {
            fn as_note_event(&self) -> (u32, u16, u16, f64) {
                let channel = self.channel().into_specific().unwrap_or_default();
                let key = self.key().into_specific().unwrap_or_default();
                (self.header().time(), channel, key, self.velocity())
            }
        })*
    };
}

note_parts!(
    clack_host::events::event_types::NoteOnEvent,
    clack_host::events::event_types::NoteOffEvent
);

/// The transport as a CLAP event.
pub fn transport_event(transport: Transport) -> TransportEvent {
    let (numerator, denominator) = transport.meter;
    let bar_beats = f64::from(numerator) * 4.0 / f64::from(denominator.max(1));
    let bar = (transport.beats / bar_beats).floor();
    let mut flags = TransportFlags::HAS_TEMPO
        | TransportFlags::HAS_BEATS_TIMELINE
        | TransportFlags::HAS_SECONDS_TIMELINE
        | TransportFlags::HAS_TIME_SIGNATURE;
    if transport.playing {
        flags |= TransportFlags::IS_PLAYING;
    }
    TransportEvent {
        header: EventHeader::new_core(0, EventFlags::empty()),
        flags,
        song_pos_beats: BeatTime::from_float(transport.beats),
        song_pos_seconds: SecondsTime::from_float(transport.seconds),
        tempo: transport.tempo_bpm,
        tempo_inc: 0.0,
        loop_start_beats: BeatTime::default(),
        loop_end_beats: BeatTime::default(),
        loop_start_seconds: SecondsTime::default(),
        loop_end_seconds: SecondsTime::default(),
        bar_start: BeatTime::from_float(bar * bar_beats),
        bar_number: bar as i32,
        time_signature_numerator: numerator,
        time_signature_denominator: denominator,
    }
}
