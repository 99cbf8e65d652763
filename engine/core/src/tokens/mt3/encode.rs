//! Notes to MT3 tokens, for training targets and for tests of the parser.

use std::collections::BTreeSet;

use crate::note::Note;
use crate::tokens::overlap::trim_overlaps;
use crate::tokens::vocabulary::{Event, SPECIAL_IDS, STEPS_PER_SECOND, Vocabulary};

/// One onset, offset or hit, at a time in steps of 10 ms.
#[derive(Clone, Copy)]
struct StepEvent {
    step: i64,
    pitch: u8,
    program: u8,
    is_drum: bool,
    is_onset: bool,
}

/// Encodes `notes` for segments that start at `segment_starts_seconds` (ascending; the last segment
/// has no end). Returns the codec indices of each segment, without EOS.
///
/// Velocities are lost: the vocabulary has one bin.
pub fn encode(notes: &[Note], segment_starts_seconds: &[f64]) -> Vec<Vec<i32>> {
    let events = step_events(notes);
    let start_step = |seconds: f64| (seconds * STEPS_PER_SECOND + 1e-9).floor() as i64;
    let mut sounding = BTreeSet::new();
    let mut cursor = 0;
    let mut out = Vec::with_capacity(segment_starts_seconds.len());
    for (position, &start_seconds) in segment_starts_seconds.iter().enumerate() {
        let start = start_step(start_seconds);
        let end = segment_starts_seconds
            .get(position + 1)
            .map_or(i64::MAX, |&next| start_step(next));
        let first = cursor;
        while events.get(cursor).is_some_and(|event| event.step < end) {
            cursor += 1;
        }
        out.push(encode_segment(&events[first..cursor], start, &sounding));
        for event in events[first..cursor].iter().filter(|event| !event.is_drum) {
            let key = (event.program, event.pitch);
            if event.is_onset {
                sounding.insert(key)
            } else {
                sounding.remove(&key)
            };
        }
    }
    out
}

fn encode_segment(
    events: &[StepEvent],
    start_step: i64,
    sounding: &BTreeSet<(u8, u8)>,
) -> Vec<i32> {
    let mut writer = Writer::default();
    for &(program, pitch) in sounding {
        writer.program(program);
        writer.push(Event::Pitch(pitch));
    }
    writer.push(Event::Tie);
    for event in events {
        writer.pending_steps = event.step - start_step;
        if !event.is_drum {
            writer.program(event.program);
        }
        writer.velocity(u8::from(event.is_onset));
        writer.push(if event.is_drum {
            Event::Drum(event.pitch)
        } else {
            Event::Pitch(event.pitch)
        });
    }
    writer.out
}

/// Writes tokens, without shifts, programs and velocities that repeat the state.
#[derive(Default)]
struct Writer {
    out: Vec<i32>,
    pending_steps: i64,
    written_steps: i64,
    program: Option<u8>,
    velocity: Option<u8>,
}

impl Writer {
    fn program(&mut self, program: u8) {
        if self.program.replace(program) != Some(program) {
            self.push(Event::Program(program));
        }
    }

    fn velocity(&mut self, velocity: u8) {
        if self.velocity.replace(velocity) != Some(velocity) {
            self.push(Event::Velocity(velocity));
        }
    }

    fn push(&mut self, event: Event) {
        if self.pending_steps > self.written_steps {
            self.written_steps = self.pending_steps;
            let mut rest = self.pending_steps;
            while rest > 0 {
                let steps = rest.min(i64::from(Vocabulary::MT3.max_shift_steps()));
                self.out.push(codec_index(Event::Shift(steps as i32)));
                rest -= steps;
            }
        }
        self.out.push(codec_index(event));
    }
}

/// The events in order of time; at equal times offsets come before onsets.
fn step_events(notes: &[Note]) -> Vec<StepEvent> {
    let mut notes = notes.to_vec();
    trim_overlaps(&mut notes);
    notes.sort_by_key(|note| (note.is_drum, note.program, note.pitch));
    let event = |note: &Note, seconds: f64, is_onset: bool| {
        let step = (seconds * STEPS_PER_SECOND).round_ties_even() as i64;
        let timed = StepEvent {
            step,
            pitch: note.pitch,
            program: note.program,
            is_drum: note.is_drum,
            is_onset,
        };
        (seconds, timed)
    };
    let offsets = notes
        .iter()
        .filter(|note| !note.is_drum)
        .map(|note| event(note, note.offset_seconds, false));
    let onsets = notes
        .iter()
        .map(|note| event(note, note.onset_seconds, true));
    let mut events: Vec<(f64, StepEvent)> = offsets.chain(onsets).collect();
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    events.into_iter().map(|(_, event)| event).collect()
}

fn codec_index(event: Event) -> i32 {
    Vocabulary::MT3.id(event) - SPECIAL_IDS
}
