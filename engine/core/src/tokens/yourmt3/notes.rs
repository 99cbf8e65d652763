//! From the note events of YourMT3's channels and segments to notes.

use crate::note::Note;
use crate::tokens::SegmentTokens;
use crate::tokens::yourmt3::decode::{
    DecodedSegment, Fault, Faults, NoteEvent, count, decode_segment,
};

/// Length of drum hits and of notes that are never ended.
pub const MIN_NOTE_SECONDS: f64 = 0.01;
/// Longer notes are taken for errors.
pub const MAX_NOTE_SECONDS: f64 = 10.0;
/// Velocity of every note: the vocabulary has none.
pub const NOTE_VELOCITY: u8 = 100;

/// Notes and what was wrong with the tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecodedNotes {
    /// Sorted by onset, drums last, program, pitch. Programs are those of the tokens.
    pub notes: Vec<Note>,
    /// Faults in the tokens and in putting the notes together.
    pub faults: Faults,
}

/// Turns the token streams of all channels into notes: `channels[channel][segment]`.
pub fn decode(channels: &[Vec<SegmentTokens>]) -> DecodedNotes {
    let mut faults = Faults::new();
    let per_channel = channels
        .iter()
        .map(|segments| decode_channel(segments, &mut faults))
        .collect();
    DecodedNotes {
        notes: mix(per_channel),
        faults,
    }
}

/// Turns the segments of one channel into notes.
pub fn decode_channel(segments: &[SegmentTokens], faults: &mut Faults) -> Vec<Note> {
    let decoded: Vec<DecodedSegment> = segments
        .iter()
        .map(|segment| decode_segment(segment, faults))
        .collect();
    merge(&decoded, faults)
}

/// Puts the segments of one channel together. A note that sounds at the end of a segment and is not
/// tied in the next ends at the border.
pub fn merge(segments: &[DecodedSegment], faults: &mut Faults) -> Vec<Note> {
    let mut events = Vec::new();
    let mut active: &[(u8, u8)] = &[];
    for segment in segments {
        add_events(&mut events, active, segment, faults);
        active = &segment.last_activity;
    }
    sort_events(&mut events);
    let mut pairing = Pairing::default();
    let mut notes = Vec::new();
    for event in &events {
        notes.extend(pairing.push(event, faults));
    }
    notes.extend(pairing.finish());
    for note in &mut notes {
        mend_length(note, faults);
    }
    sort(&mut notes);
    trim_overlaps(notes)
}

/// Adds the events of a segment before which the notes `active` sounded: those that it does not tie end
/// where it starts.
pub(super) fn add_events(
    events: &mut Vec<NoteEvent>,
    active: &[(u8, u8)],
    segment: &DecodedSegment,
    faults: &mut Faults,
) {
    for &(program, pitch) in active.iter().filter(|key| !segment.ties.contains(key)) {
        count(faults, Fault::MissingTieAtBorder);
        events.push(NoteEvent {
            seconds: segment.start_seconds,
            is_drum: false,
            program,
            is_onset: false,
            pitch,
            confidence: 1.0,
        });
    }
    events.extend_from_slice(&segment.events);
}

/// The order in which events are paired.
pub(super) fn sort_events(events: &mut [NoteEvent]) {
    events.sort_by(|a, b| {
        let key = |e: &NoteEvent| (e.is_drum, e.pitch, e.is_onset, e.program);
        a.seconds
            .total_cmp(&b.seconds)
            .then_with(|| key(a).cmp(&key(b)))
    });
}

/// A note that is too long is an error, one that is too short is lengthened.
pub(super) fn mend_length(note: &mut Note, faults: &mut Faults) {
    let seconds = note.offset_seconds - note.onset_seconds;
    if seconds > MAX_NOTE_SECONDS {
        count(faults, Fault::LongNote);
        note.offset_seconds = note.onset_seconds + MIN_NOTE_SECONDS;
    } else if seconds < 0.0 || (!note.is_drum && seconds < MIN_NOTE_SECONDS) {
        note.offset_seconds = note.onset_seconds + MIN_NOTE_SECONDS;
    }
}

/// Pairs the onsets of a channel with the offsets.
#[derive(Default)]
pub(super) struct Pairing {
    /// What sounds, as it would be if it were never ended.
    pub(super) active: Vec<Note>,
}

impl Pairing {
    /// Takes the next event. Returns the note that it ends, or the hit that it is.
    pub(super) fn push(&mut self, event: &NoteEvent, faults: &mut Faults) -> Option<Note> {
        let started = Note {
            onset_seconds: event.seconds,
            offset_seconds: event.seconds + MIN_NOTE_SECONDS,
            pitch: event.pitch,
            velocity: NOTE_VELOCITY,
            program: if event.is_drum { 0 } else { event.program },
            is_drum: event.is_drum,
            openness: None,
            confidence: event.confidence,
        };
        if event.is_drum {
            return Some(started);
        }
        let sounding = self
            .active
            .iter()
            .position(|n| (n.pitch, n.program) == (event.pitch, event.program));
        let ended = match (event.is_onset, sounding) {
            (true, Some(position)) => std::mem::replace(&mut self.active[position], started),
            (false, Some(position)) => self.active.remove(position),
            (true, None) => {
                self.active.push(started);
                return None;
            }
            (false, None) => {
                count(faults, Fault::OnsetNotFound);
                return None;
            }
        };
        Some(Note {
            offset_seconds: event.seconds,
            ..ended
        })
    }

    /// What still sounds at the end.
    pub(super) fn finish(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.active)
    }
}

/// Joins the notes of several channels.
pub fn mix(channels: Vec<Vec<Note>>) -> Vec<Note> {
    let mut notes: Vec<Note> = channels.into_iter().flatten().collect();
    sort(&mut notes);
    let mut notes = trim_overlaps(notes);
    for note in &mut notes {
        let seconds = note.offset_seconds - note.onset_seconds;
        if seconds < 0.0 || (!note.is_drum && seconds < MIN_NOTE_SECONDS) {
            note.offset_seconds = note.onset_seconds + MIN_NOTE_SECONDS;
        }
    }
    notes
}

/// Order of YourMT3's notes.
pub(crate) fn sort(notes: &mut [Note]) {
    notes.sort_by(|a, b| {
        let key = |n: &Note| (n.is_drum, n.program, n.velocity, n.pitch);
        a.onset_seconds
            .total_cmp(&b.onset_seconds)
            .then_with(|| key(a).cmp(&key(b)))
    });
}

/// Cuts each note at the next onset of the same pitch and program, and drops what is left empty.
pub(crate) fn trim_overlaps(mut notes: Vec<Note>) -> Vec<Note> {
    if notes.len() <= 1 {
        return notes;
    }
    let mut order: Vec<usize> = (0..notes.len()).collect();
    let voice = |n: &Note| (n.pitch, n.program, n.is_drum);
    order.sort_by(|&a, &b| {
        let (a, b) = (&notes[a], &notes[b]);
        voice(a)
            .cmp(&voice(b))
            .then_with(|| a.onset_seconds.total_cmp(&b.onset_seconds))
    });
    for pair in order.windows(2) {
        let next = notes[pair[1]];
        let note = &mut notes[pair[0]];
        if voice(note) == voice(&next) {
            note.offset_seconds = note.offset_seconds.min(next.onset_seconds);
        }
    }
    notes.retain(|note| note.onset_seconds < note.offset_seconds);
    sort(&mut notes);
    notes
}
