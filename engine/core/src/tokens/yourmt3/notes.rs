//! YourMT3's note events to notes, over segments and channels.

use crate::note::Note;
use crate::tokens::overlap::trim_overlaps;
use crate::tokens::segment::SegmentTokens;
use crate::tokens::yourmt3::segment::{
    Fault, Faults, NoteEvent, ParsedSegment, count, parse_segment,
};

/// Length of drum hits and of notes without an offset.
pub const MIN_NOTE_SECONDS: f64 = 0.01;
/// Longest valid note in seconds.
pub const MAX_NOTE_SECONDS: f64 = 10.0;
/// Velocity of every note: the vocabulary has no velocities.
pub const NOTE_VELOCITY: u8 = 100;

/// Notes, and the faults of their tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedNotes {
    /// Sorted by onset, then drums last, program, pitch. Programs are those of the tokens.
    pub notes: Vec<Note>,
    /// Faults found while parsing the tokens and assembling the notes.
    pub faults: Faults,
}

/// Parses the token streams of all channels, `channels[channel][segment]`, into notes.
pub fn parse(channels: &[Vec<SegmentTokens>]) -> ParsedNotes {
    let mut faults = Faults::new();
    let per_channel = channels
        .iter()
        .map(|segments| parse_channel(segments, &mut faults))
        .collect();
    ParsedNotes {
        notes: mix(per_channel),
        faults,
    }
}

/// Parses the segments of one channel, in order, into notes.
pub fn parse_channel(segments: &[SegmentTokens], faults: &mut Faults) -> Vec<Note> {
    let parsed: Vec<ParsedSegment> = segments
        .iter()
        .map(|segment| parse_segment(segment, faults))
        .collect();
    merge(&parsed, faults)
}

/// Merges the segments of one channel. A note that sounds at the end of a segment and is not tied
/// in the next ends at the border.
pub fn merge(segments: &[ParsedSegment], faults: &mut Faults) -> Vec<Note> {
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
        repair_length(note, faults);
    }
    sort(&mut notes);
    trim_and_sort(notes)
}

/// Adds the events of a segment. `active` are the notes that sound before it; those that it does
/// not tie end at its start.
pub(super) fn add_events(
    events: &mut Vec<NoteEvent>,
    active: &[(u8, u8)],
    segment: &ParsedSegment,
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

/// Sorts events into the order in which they are paired.
pub(super) fn sort_events(events: &mut [NoteEvent]) {
    events.sort_by(|a, b| {
        let key = |e: &NoteEvent| (e.is_drum, e.pitch, e.is_onset, e.program);
        a.seconds
            .total_cmp(&b.seconds)
            .then_with(|| key(a).cmp(&key(b)))
    });
}

/// Shortens a note that is too long, which is a fault, and lengthens one that is too short.
pub(super) fn repair_length(note: &mut Note, faults: &mut Faults) {
    let seconds = note.offset_seconds - note.onset_seconds;
    if seconds > MAX_NOTE_SECONDS {
        count(faults, Fault::LongNote);
        note.offset_seconds = note.onset_seconds + MIN_NOTE_SECONDS;
    } else if seconds < 0.0 || (!note.is_drum && seconds < MIN_NOTE_SECONDS) {
        note.offset_seconds = note.onset_seconds + MIN_NOTE_SECONDS;
    }
}

/// Pairs the onsets of a channel with its offsets.
#[derive(Default)]
pub(super) struct Pairing {
    /// Sounding notes, with the offset they have if they are never ended.
    pub(super) active: Vec<Note>,
}

impl Pairing {
    /// Adds the next event. Returns the note that it ends, or the drum hit.
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

    /// Returns the notes that still sound at the end.
    pub(super) fn finish(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.active)
    }
}

/// Merges the notes of all channels, each as returned by [`merge`].
pub fn mix(channels: Vec<Vec<Note>>) -> Vec<Note> {
    let mut notes: Vec<Note> = channels.into_iter().flatten().collect();
    sort(&mut notes);
    let mut notes = trim_and_sort(notes);
    for note in &mut notes {
        let seconds = note.offset_seconds - note.onset_seconds;
        if seconds < 0.0 || (!note.is_drum && seconds < MIN_NOTE_SECONDS) {
            note.offset_seconds = note.onset_seconds + MIN_NOTE_SECONDS;
        }
    }
    notes
}

/// Sorts notes into YourMT3's order.
fn sort(notes: &mut [Note]) {
    notes.sort_by(|a, b| {
        let key = |n: &Note| (n.is_drum, n.program, n.velocity, n.pitch);
        a.onset_seconds
            .total_cmp(&b.onset_seconds)
            .then_with(|| key(a).cmp(&key(b)))
    });
}

/// Trims overlaps as YourMT3 does: a single note stays, even if it is empty.
pub(super) fn trim_and_sort(mut notes: Vec<Note>) -> Vec<Note> {
    if notes.len() > 1 {
        trim_overlaps(&mut notes);
        sort(&mut notes);
    }
    notes
}
