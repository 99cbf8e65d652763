//! YourMT3 tokens to notes, segment by segment.

use crate::note::Note;
use crate::tokens::overlap::voice;
use crate::tokens::segment::SegmentTokens;
use crate::tokens::vocabulary::STEPS_PER_SECOND;
use crate::tokens::yourmt3::notes::{
    MAX_NOTE_SECONDS, MIN_NOTE_SECONDS, Pairing, add_events, repair_length, sort_events,
};
use crate::tokens::yourmt3::segment::{Faults, NoteEvent, parse_segment};

/// Parses the segments of a recording in order, as they arrive, into the notes of
/// [`parse`](super::parse), in another order.
pub struct YourMt3IncrementalParser {
    channels: Vec<Channel>,
    /// Ended notes that have not been emitted, or whose onset may still end another note.
    ended: Vec<Ended>,
    max_note_seconds: f64,
    /// No later segment has an onset before this time.
    known_seconds: f64,
    /// New notes for the next [`take`](Self::take).
    notes: Vec<Note>,
    /// Notes for the next [`take`](Self::take) that were emitted before their end.
    ended_late: Vec<Note>,
    faults: Faults,
}

#[derive(Default)]
struct Channel {
    /// Events that an event of the next segment may precede.
    waiting: Vec<NoteEvent>,
    last_activity: Vec<(u8, u8)>,
    pairing: Pairing,
    /// Sounding notes that have been emitted, with the length that was emitted.
    cut: Vec<Note>,
    ended_count: usize,
}

struct Ended {
    note: Note,
    /// Channel, and position in the order in which the notes of the channel ended.
    rank: (usize, usize),
    is_emitted: bool,
}

impl YourMt3IncrementalParser {
    /// A parser before the first segment. A note that still sounds after `max_note_seconds` is
    /// emitted with that length, without waiting for its end.
    pub fn new(max_note_seconds: f64) -> Self {
        Self {
            channels: Vec::new(),
            ended: Vec::new(),
            max_note_seconds,
            known_seconds: 0.0,
            notes: Vec::new(),
            ended_late: Vec::new(),
            faults: Faults::new(),
        }
    }

    /// Parses the streams of all channels of the next segment. `next_seconds` is the start of the
    /// segment after it, `None` for the last one.
    pub fn push(&mut self, streams: &[SegmentTokens], next_seconds: Option<f64>) {
        if self.channels.len() < streams.len() {
            self.channels.resize_with(streams.len(), Channel::default);
        }
        if let Some(next) = next_seconds {
            // Events lie on a 10-ms grid, to which the start may be rounded down.
            let on_grid = (next * STEPS_PER_SECOND).round_ties_even() / STEPS_PER_SECOND;
            self.known_seconds = next.min(on_grid);
        }
        for (index, stream) in streams.iter().enumerate() {
            let segment = parse_segment(stream, &mut self.faults);
            let channel = &mut self.channels[index];
            let active = std::mem::take(&mut channel.last_activity);
            add_events(&mut channel.waiting, &active, &segment, &mut self.faults);
            channel.last_activity = segment.last_activity;
            self.pair(index, self.known_seconds);
        }
        self.emit(self.known_seconds);
    }

    /// Ends all sounding notes: there are no more segments.
    pub fn finish(&mut self) {
        for index in 0..self.channels.len() {
            self.pair(index, f64::INFINITY);
            for note in self.channels[index].pairing.finish() {
                self.end(index, note);
            }
        }
        self.emit(f64::INFINITY);
    }

    /// Time before which every onset has been emitted, in seconds from the start of the audio.
    pub fn settled_seconds(&self) -> f64 {
        self.pending_seconds().fold(self.known_seconds, f64::min)
    }

    /// Returns the notes since the last call: new notes, and, with their final length, notes that
    /// were emitted earlier at `max_note_seconds`.
    pub fn take(&mut self) -> (Vec<Note>, Vec<Note>) {
        let notes = std::mem::take(&mut self.notes);
        (notes, std::mem::take(&mut self.ended_late))
    }

    /// Onsets of the notes that are known and not yet emitted.
    fn pending_seconds(&self) -> impl Iterator<Item = f64> + '_ {
        let ended = self.ended.iter().filter(|ended| !ended.is_emitted);
        let ended = ended.map(|ended| ended.note.onset_seconds);
        ended.chain(self.channels.iter().flat_map(|channel| {
            let sounding = channel.pairing.active.iter();
            sounding
                .filter(|note| !channel.has_cut(note))
                .map(|note| note.onset_seconds)
        }))
    }

    /// Pairs the events of a channel that lie before a time.
    fn pair(&mut self, index: usize, before_seconds: f64) {
        let mut events = std::mem::take(&mut self.channels[index].waiting);
        sort_events(&mut events);
        let later = events.partition_point(|event| event.seconds < before_seconds);
        let waiting = events.split_off(later);
        self.channels[index].waiting = waiting;
        for event in &events {
            let pairing = &mut self.channels[index].pairing;
            if let Some(note) = pairing.push(event, &mut self.faults) {
                self.end(index, note);
            }
        }
    }

    fn end(&mut self, index: usize, mut note: Note) {
        repair_length(&mut note, &mut self.faults);
        let channel = &mut self.channels[index];
        let cut = channel.cut.iter().position(|cut| is_same(cut, &note));
        if let Some(cut) = cut {
            let emitted = channel.cut.remove(cut);
            if note.offset_seconds > emitted.offset_seconds {
                self.ended_late.push(note);
            }
        }
        self.ended.push(Ended {
            note,
            rank: (index, channel.ended_count),
            is_emitted: cut.is_some(),
        });
        channel.ended_count += 1;
    }

    /// Emits the notes that no event from `known_seconds` on can change.
    fn emit(&mut self, known_seconds: f64) {
        for index in 0..self.ended.len() {
            let Ended {
                note,
                rank,
                is_emitted,
            } = &self.ended[index];
            if !is_emitted && note.offset_seconds <= known_seconds {
                let trimmed = self.trimmed(note, *rank);
                self.notes.extend(trimmed);
                self.ended[index].is_emitted = true;
            }
        }
        for index in 0..self.channels.len() {
            for at in 0..self.channels[index].pairing.active.len() {
                let note = self.channels[index].pairing.active[at];
                if self.channels[index].has_cut(&note) {
                    continue;
                }
                let age_seconds = known_seconds - note.onset_seconds;
                let length_seconds = if age_seconds > MAX_NOTE_SECONDS {
                    MIN_NOTE_SECONDS
                } else if age_seconds >= self.max_note_seconds {
                    self.max_note_seconds
                } else {
                    continue;
                };
                let shortened = Note {
                    offset_seconds: note.onset_seconds + length_seconds,
                    ..note
                };
                let trimmed = self.trimmed(&shortened, (index, usize::MAX));
                self.notes.extend(trimmed);
                self.channels[index].cut.push(shortened);
            }
        }
        let oldest = self.pending_seconds().fold(known_seconds, f64::min);
        self.ended
            .retain(|ended| !ended.is_emitted || ended.note.onset_seconds >= oldest);
    }

    /// The note, ended at the next onset of its voice; `None` if it is empty then.
    fn trimmed(&self, note: &Note, rank: (usize, usize)) -> Option<Note> {
        let sounding = self
            .channels
            .iter()
            .enumerate()
            .flat_map(|(index, channel)| {
                let active = channel.pairing.active.iter();
                active.map(move |note| (note, (index, usize::MAX)))
            });
        let ended = self.ended.iter().map(|ended| (&ended.note, ended.rank));
        let is_later = |other: &Note, other_rank: (usize, usize)| {
            let onsets = other.onset_seconds.total_cmp(&note.onset_seconds);
            onsets.then(other_rank.cmp(&rank)).is_gt()
        };
        let next_seconds = ended
            .chain(sounding)
            .filter(|(other, other_rank)| {
                voice(other) == voice(note) && is_later(other, *other_rank)
            })
            .map(|(other, _)| other.onset_seconds)
            .fold(f64::INFINITY, f64::min);
        let end_seconds = note.offset_seconds.min(next_seconds);
        let is_short = !note.is_drum && end_seconds - note.onset_seconds < MIN_NOTE_SECONDS;
        (note.onset_seconds < end_seconds).then_some(Note {
            offset_seconds: match is_short {
                true => note.onset_seconds + MIN_NOTE_SECONDS,
                false => end_seconds,
            },
            ..*note
        })
    }
}

impl Channel {
    fn has_cut(&self, note: &Note) -> bool {
        self.cut.iter().any(|cut| is_same(cut, note))
    }
}

fn is_same(a: &Note, b: &Note) -> bool {
    voice(a) == voice(b) && a.onset_seconds == b.onset_seconds
}
