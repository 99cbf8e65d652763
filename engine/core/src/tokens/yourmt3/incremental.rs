//! YourMT3's notes segment by segment, while they come in.

use crate::note::Note;
use crate::tokens::SegmentTokens;
use crate::tokens::vocabulary::STEPS_PER_SECOND;
use crate::tokens::yourmt3::decode::{Faults, NoteEvent, decode_segment};
use crate::tokens::yourmt3::notes::{
    MAX_NOTE_SECONDS, MIN_NOTE_SECONDS, Pairing, add_events, mend_length, sort_events,
};

/// The same notes as [`super::yourmt3_notes::decode`] gives, in another order.
pub struct RunningNotes {
    channels: Vec<Channel>,
    /// Notes that have ended, and among them those that others may still be cut at.
    ended: Vec<Ended>,
    longest_seconds: f64,
    /// Nothing begins before this any more.
    known_seconds: f64,
    notes: Vec<Note>,
    ended_late: Vec<Note>,
    faults: Faults,
}

#[derive(Default)]
struct Channel {
    /// What the next segment may still go before.
    waiting: Vec<NoteEvent>,
    last_activity: Vec<(u8, u8)>,
    pairing: Pairing,
    /// What sounds and has been given out already, as it was given.
    cut: Vec<Note>,
    ended_count: usize,
}

struct Ended {
    note: Note,
    /// Channel, and place in the order in which the notes of the channel ended.
    rank: (usize, usize),
    is_out: bool,
}

/// What overlaps and therefore cuts each other.
fn voice(note: &Note) -> (u8, u8, bool) {
    (note.pitch, note.program, note.is_drum)
}

impl RunningNotes {
    /// Before the first segment. Notes that sound for `longest_seconds` are given out with that length
    /// before they end.
    pub fn new(longest_seconds: f64) -> Self {
        Self {
            channels: Vec::new(),
            ended: Vec::new(),
            longest_seconds,
            known_seconds: 0.0,
            notes: Vec::new(),
            ended_late: Vec::new(),
            faults: Faults::new(),
        }
    }

    /// Takes the streams of all channels of the next segment, and where the one after it starts; none
    /// for the last.
    pub fn push(&mut self, streams: &[SegmentTokens], next_seconds: Option<f64>) {
        if self.channels.len() < streams.len() {
            self.channels.resize_with(streams.len(), Channel::default);
        }
        if let Some(next) = next_seconds {
            // Events lie on a grid, which the start may be rounded down to.
            let on_grid = (next * STEPS_PER_SECOND).round_ties_even() / STEPS_PER_SECOND;
            self.known_seconds = next.min(on_grid);
        }
        for (index, stream) in streams.iter().enumerate() {
            let segment = decode_segment(stream, &mut self.faults);
            let channel = &mut self.channels[index];
            let active = std::mem::take(&mut channel.last_activity);
            add_events(&mut channel.waiting, &active, &segment, &mut self.faults);
            channel.last_activity = segment.last_activity;
            self.pair(index, self.known_seconds);
        }
        self.give_out(self.known_seconds);
    }

    /// Ends what sounds: there are no more segments.
    pub fn finish(&mut self) {
        for index in 0..self.channels.len() {
            self.pair(index, f64::INFINITY);
            for note in self.channels[index].pairing.finish() {
                self.end(index, note);
            }
        }
        self.give_out(f64::INFINITY);
    }

    /// Every note that begins before this is out.
    pub fn settled_seconds(&self) -> f64 {
        self.pending_seconds().fold(self.known_seconds, f64::min)
    }

    /// Takes what has come out: notes, and notes that came out before they ended, as they were.
    pub fn take(&mut self) -> (Vec<Note>, Vec<Note>) {
        let notes = std::mem::take(&mut self.notes);
        (notes, std::mem::take(&mut self.ended_late))
    }

    /// Where the notes begin that are known and not out.
    fn pending_seconds(&self) -> impl Iterator<Item = f64> + '_ {
        let ended = self.ended.iter().filter(|ended| !ended.is_out);
        let ended = ended.map(|ended| ended.note.onset_seconds);
        ended.chain(self.channels.iter().flat_map(|channel| {
            let sounding = channel.pairing.active.iter();
            sounding
                .filter(|note| !channel.has_cut(note))
                .map(|note| note.onset_seconds)
        }))
    }

    /// Pairs the events of a channel before a time.
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
        mend_length(&mut note, &mut self.faults);
        let channel = &mut self.channels[index];
        let cut = channel.cut.iter().position(|cut| is_same(cut, &note));
        if let Some(cut) = cut {
            let given = channel.cut.remove(cut);
            if note.offset_seconds > given.offset_seconds {
                self.ended_late.push(note);
            }
        }
        self.ended.push(Ended {
            note,
            rank: (index, channel.ended_count),
            is_out: cut.is_some(),
        });
        channel.ended_count += 1;
    }

    /// Gives out what nothing that begins from `known_seconds` on can change.
    fn give_out(&mut self, known_seconds: f64) {
        for index in 0..self.ended.len() {
            let Ended { note, rank, is_out } = &self.ended[index];
            if !is_out && note.offset_seconds <= known_seconds {
                let trimmed = self.trimmed(note, *rank);
                self.notes.extend(trimmed);
                self.ended[index].is_out = true;
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
                } else if age_seconds >= self.longest_seconds {
                    self.longest_seconds
                } else {
                    continue;
                };
                let given = Note {
                    offset_seconds: note.onset_seconds + length_seconds,
                    ..note
                };
                let trimmed = self.trimmed(&given, (index, usize::MAX));
                self.notes.extend(trimmed);
                self.channels[index].cut.push(given);
            }
        }
        let oldest = self.pending_seconds().fold(known_seconds, f64::min);
        self.ended
            .retain(|ended| !ended.is_out || ended.note.onset_seconds >= oldest);
    }

    /// The note up to the next of its voice; none if nothing is left of it.
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
