//! Notes to YourMT3 tokens, for training targets and for tests of the parser.

use crate::note::Note;
use crate::tokens::vocabulary::{EOS_ID, Event, STEPS_PER_SECOND, Vocabulary};
use crate::tokens::yourmt3::notes::trim_and_sort;
use crate::tokens::yourmt3::programs::{channel_of_program, training_drum_key, training_program};
use crate::tokens::yourmt3::segment::CHANNELS;

/// How notes are spread over token streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The [`CHANNELS`] channels of the published model.
    Channels,
    /// Everything in one stream, for models of one stem.
    OneStream,
}

impl Layout {
    /// Number of token streams per segment.
    pub const fn streams(self) -> usize {
        match self {
            Self::Channels => CHANNELS,
            Self::OneStream => 1,
        }
    }

    /// The stream of a note; `None` if its program has no channel.
    fn stream_of(self, note: &Note) -> Option<usize> {
        let channel = match note.is_drum {
            true => CHANNELS - 1,
            false => channel_of_program(note.program)?,
        };
        match self {
            Self::Channels => Some(channel),
            Self::OneStream => Some(0),
        }
    }
}

/// Encodes `notes` for segments that start at `segment_starts_seconds` (ascending; the last segment
/// has no end). Returns model ids with EOS as `[segment][stream]`.
///
/// Notes whose program has no channel are left out. Programs and drum keys become those of their
/// group; a program token is written wherever the original program changes.
pub fn encode(
    notes: &[Note],
    segment_starts_seconds: &[f64],
    layout: Layout,
) -> Vec<Vec<Vec<i32>>> {
    let streams = layout.streams();
    let mut channels: Vec<Vec<Note>> = vec![Vec::new(); streams];
    for note in notes {
        if let Some(stream) = layout.stream_of(note) {
            channels[stream].push(*note);
        }
    }
    let events: Vec<Vec<TimedEvent>> = channels
        .into_iter()
        .map(|notes| timed_events(trim_and_sort(notes)))
        .collect();
    let mut sounding: Vec<Vec<(u8, u8)>> = vec![Vec::new(); streams];
    let mut cursors = vec![0; streams];
    let mut out = Vec::with_capacity(segment_starts_seconds.len());
    for (position, &start_seconds) in segment_starts_seconds.iter().enumerate() {
        let end_seconds = segment_starts_seconds
            .get(position + 1)
            .copied()
            .unwrap_or(f64::INFINITY);
        let mut segment = Vec::with_capacity(streams);
        for channel in 0..streams {
            let events = &events[channel];
            let first = cursors[channel];
            let mut cursor = first;
            while events
                .get(cursor)
                .is_some_and(|event| event.seconds < end_seconds)
            {
                cursor += 1;
            }
            cursors[channel] = cursor;
            let sounding = &mut sounding[channel];
            segment.push(encode_segment(
                &events[first..cursor],
                start_seconds,
                sounding,
            ));
            for event in events[first..cursor].iter().filter(|event| !event.is_drum) {
                let key = (event.program, event.pitch);
                if event.is_onset {
                    sounding.push(key);
                } else {
                    sounding.retain(|&active| active != key);
                }
            }
            sounding.sort_unstable();
        }
        out.push(segment);
    }
    out
}

#[derive(Clone, Copy)]
struct TimedEvent {
    seconds: f64,
    pitch: u8,
    program: u8,
    is_drum: bool,
    is_onset: bool,
}

fn timed_events(notes: Vec<Note>) -> Vec<TimedEvent> {
    let event = |note: &Note, seconds, is_onset| TimedEvent {
        seconds,
        pitch: note.pitch,
        program: note.program,
        is_drum: note.is_drum,
        is_onset,
    };
    let mut events: Vec<TimedEvent> = Vec::with_capacity(notes.len() * 2);
    for note in &notes {
        events.push(event(note, note.onset_seconds, true));
        if !note.is_drum {
            events.push(event(note, note.offset_seconds, false));
        }
    }
    events.sort_by(|a, b| {
        let key = |e: &TimedEvent| (e.is_drum, e.program, e.is_onset, e.pitch);
        a.seconds
            .total_cmp(&b.seconds)
            .then_with(|| key(a).cmp(&key(b)))
    });
    events
}

fn encode_segment(events: &[TimedEvent], start_seconds: f64, sounding: &[(u8, u8)]) -> Vec<i32> {
    let id = |event| Vocabulary::YOURMT3.id(event);
    let mut out = Vec::new();
    let mut program = None;
    let mut velocity = None;
    for &(tied_program, pitch) in sounding {
        if program.replace(tied_program) != Some(tied_program) {
            out.push(id(Event::Program(training_program(tied_program))));
        }
        out.push(id(Event::Pitch(pitch)));
    }
    out.push(id(Event::Tie));
    let start_tick = (start_seconds * STEPS_PER_SECOND).round_ties_even();
    let mut tick = start_tick;
    for event in events {
        let event_tick = (event.seconds * STEPS_PER_SECOND).round_ties_even();
        if event_tick > tick {
            out.push(id(Event::Shift((event_tick - start_tick) as i32)));
            tick = event_tick;
        }
        if !event.is_drum && program.replace(event.program) != Some(event.program) {
            out.push(id(Event::Program(training_program(event.program))));
        }
        if velocity.replace(event.is_onset) != Some(event.is_onset) {
            out.push(id(Event::Velocity(u8::from(event.is_onset))));
        }
        let pitch_event = if event.is_drum {
            Event::Drum(training_drum_key(event.pitch))
        } else {
            Event::Pitch(event.pitch)
        };
        out.push(id(pitch_event));
    }
    out.push(EOS_ID);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::segment::SegmentTokens;
    use crate::tokens::yourmt3::{Faults, parse_channel};

    #[test]
    fn one_stream_holds_the_notes_of_all_channels() {
        let note = |onset: f64, length: f64, pitch, program, is_drum| Note {
            onset_seconds: onset,
            offset_seconds: onset + length,
            pitch,
            velocity: 100,
            program,
            is_drum,
            openness: None,
            confidence: 1.0,
        };
        // A note over the border, two programs with one pitch at one time, drums.
        let notes = [
            note(0.5, 0.01, 38, 0, true),
            note(0.5, 0.25, 60, 0, false),
            note(0.5, 2.0, 60, 33, false),
            note(2.25, 0.01, 36, 0, true),
        ];
        let starts = [0.0, 2.0];
        let one = encode(&notes, &starts, Layout::OneStream);
        assert!(one.iter().all(|streams| streams.len() == 1));
        let segments: Vec<SegmentTokens> = starts
            .iter()
            .zip(&one)
            .map(|(&start, streams)| SegmentTokens::certain(start, streams[0].clone()))
            .collect();
        let mut faults = Faults::new();
        let parsed = parse_channel(&segments, &mut faults);
        assert!(faults.is_empty(), "{faults:?}");
        let key = |n: &Note| {
            let step = |seconds: f64| (seconds * STEPS_PER_SECOND).round() as i32;
            let times = (step(n.onset_seconds), step(n.offset_seconds));
            (n.is_drum, n.program, n.pitch, times)
        };
        let mut parsed: Vec<_> = parsed.iter().map(key).collect();
        let mut expected: Vec<_> = notes.iter().map(key).collect();
        parsed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(parsed, expected);
    }
}
