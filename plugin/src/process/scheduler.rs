//! Turns notes into events at exact sample offsets. Every note-on gets its note-off.
//!
//! A note is sent `midi_delay_frames` after its position. All times are absolute frames of the
//! stream, so the output does not depend on the block size.

use std::collections::VecDeque;

use hitscribe_core::note::PlacedNote;

use crate::notes::mapper::{Destination, FLAM_SECONDS, MappedNote, PreMessage};

/// Capacity for pending notes, the same as that of the engine's note ring.
const PENDING_CAPACITY: usize = 4096;
/// Capacity for sounding notes: all keys on every channel.
const SOUNDING_CAPACITY: usize = 16 * 128;
/// A note that is late by less than this is still sent, at the start of the block.
const LATE_TOLERANCE_SECONDS: f64 = 0.02;

/// A MIDI message that the plugin sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Message {
    /// Note on with its velocity, 1..=127.
    On(Destination, u8),
    /// Note off.
    Off(Destination),
    /// A message before a note, on the note's channel.
    PreMessage(u8, PreMessage),
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    on_frames: u64,
    length_frames: u64,
    note: MappedNote,
}

#[derive(Clone, Copy, Debug)]
struct Sounding {
    off_frames: u64,
    destination: Destination,
}

/// Sends notes in order of time. Allocates only in [`Scheduler::new`].
pub struct Scheduler {
    midi_delay_frames: u64,
    late_tolerance_frames: u64,
    flam_frames: u64,
    pending: VecDeque<Pending>,
    sounding: Vec<Sounding>,
    stop_is_due: bool,
    /// Notes before this frame are dropped.
    ignore_before_frames: u64,
}

impl Scheduler {
    /// A scheduler that sends notes `midi_delay_frames` after their position.
    pub fn new(midi_delay_frames: u64, sample_rate_hz: f64) -> Self {
        Self {
            midi_delay_frames,
            late_tolerance_frames: (LATE_TOLERANCE_SECONDS * sample_rate_hz) as u64,
            flam_frames: (FLAM_SECONDS * sample_rate_hz).ceil() as u64,
            pending: VecDeque::with_capacity(PENDING_CAPACITY),
            sounding: Vec::with_capacity(SOUNDING_CAPACITY),
            stop_is_due: false,
            ignore_before_frames: 0,
        }
    }

    /// Schedules a note to be sent as `mapped`. Returns false if it is too late or there is no
    /// room; it is then not sent. `now_frames` is the start of this block. Real-time safe.
    pub fn accept(&mut self, note: &PlacedNote, mapped: MappedNote, now_frames: u64) -> bool {
        if note.onset_samples < self.ignore_before_frames {
            return true;
        }
        let due_frames = note.onset_samples + self.midi_delay_frames;
        let is_late = due_frames + self.late_tolerance_frames < now_frames;
        if is_late || self.pending.len() == PENDING_CAPACITY {
            return false;
        }
        let pending = Pending {
            on_frames: due_frames.max(now_frames),
            length_frames: note.length_samples.max(1),
            note: mapped,
        };
        if mapped.replaces_grace {
            let is_grace = |other: &Pending| {
                other.note.destination == mapped.destination
                    && other.on_frames.abs_diff(due_frames) <= self.flam_frames
            };
            self.pending.retain(|other| !is_grace(other));
        }
        // Ordered by time, channel and key, so that the order in which the engine finds notes does
        // not matter.
        let order = |pending: &Pending| {
            let Destination { channel, key } = pending.note.destination;
            (pending.on_frames, channel, key)
        };
        let index = self
            .pending
            .partition_point(|other| order(other) <= order(&pending));
        self.pending.insert(index, pending);
        true
    }

    /// Ends all sounding notes with the next block, and drops every note from before `now_frames`
    /// that has not started, including those that are yet to be accepted. Real-time safe.
    pub fn stop(&mut self, now_frames: u64) {
        self.ignore_before_frames = now_frames;
        self.pending.clear();
        self.stop_is_due = true;
    }

    /// Whether no note is sounding or pending.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.sounding.is_empty()
    }

    /// Sends the messages that are due in the `frames` frames from `start_frames`, in order of
    /// time, note-offs before note-ons. `send` gets the offset in the block and returns whether the
    /// host accepted the event. A refused note-off is sent again with the next block. Real-time
    /// safe.
    ///
    /// Returns the number of refused note-ons.
    pub fn emit(
        &mut self,
        start_frames: u64,
        frames: usize,
        mut send: impl FnMut(u32, Message) -> bool,
    ) -> u64 {
        let end_frames = start_frames + frames as u64;
        let mut refused = 0;
        if frames == 0 {
            return 0;
        }
        if self.stop_is_due {
            self.stop_is_due = false;
            for sounding in &mut self.sounding {
                sounding.off_frames = start_frames;
            }
        }
        loop {
            let on_frames = self
                .pending
                .front()
                .map_or(u64::MAX, |pending| pending.on_frames);
            let next_off = (0..self.sounding.len())
                .min_by_key(|index| (self.sounding[*index].off_frames, *index));
            let off_frames = next_off.map_or(u64::MAX, |index| self.sounding[index].off_frames);
            if on_frames.min(off_frames) >= end_frames {
                return refused;
            }
            let offset = |frames: u64| frames.saturating_sub(start_frames) as u32;
            if let Some(index) = next_off.filter(|_| off_frames <= on_frames) {
                let destination = self.sounding[index].destination;
                if send(offset(off_frames), Message::Off(destination)) {
                    self.sounding.swap_remove(index);
                } else {
                    // The host's event queue is full for this block.
                    self.sounding[index].off_frames = end_frames;
                }
                continue;
            }
            let Some(next) = self.pending.pop_front() else {
                return refused;
            };
            let (at, destination) = (offset(next.on_frames), next.note.destination);
            let is_same = |other: &Sounding| other.destination == destination;
            if let Some(index) = self.sounding.iter().position(is_same) {
                if !send(at, Message::Off(destination)) {
                    refused += 1;
                    continue;
                }
                self.sounding.swap_remove(index);
            }
            // A note without its controller or program change is better than none.
            if let Some(pre_message) = next.note.pre_message {
                send(at, Message::PreMessage(destination.channel, pre_message));
            }
            if send(at, Message::On(destination, next.note.velocity)) {
                let off_frames = next.on_frames + next.length_frames;
                self.sounding.push(Sounding {
                    off_frames,
                    destination,
                });
            } else {
                refused += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRUMS: u8 = 9;

    fn note(onset_samples: u64, key: u8) -> (PlacedNote, MappedNote) {
        let note = PlacedNote {
            onset_samples,
            length_samples: 100,
            pitch: key,
            velocity: 90,
            program: 0,
            is_drum: true,
            openness: None,
            confidence: 1.0,
        };
        let mapped = MappedNote {
            destination: Destination {
                channel: DRUMS,
                key,
            },
            velocity: 90,
            pre_message: None,
            replaces_grace: false,
        };
        (note, mapped)
    }

    fn render(notes: &[u64], block: usize, total: usize) -> Vec<(u64, Message)> {
        let mut scheduler = Scheduler::new(1000, 48_000.0);
        for position in notes {
            let (note, mapped) = note(*position, 36 + (*position % 3) as u8);
            assert!(scheduler.accept(&note, mapped, 0));
        }
        let mut sent = Vec::new();
        let mut start = 0;
        while start < total {
            let frames = block.min(total - start);
            scheduler.emit(start as u64, frames, |offset, message| {
                assert!((offset as usize) < frames);
                sent.push((start as u64 + u64::from(offset), message));
                true
            });
            start += frames;
        }
        assert!(scheduler.is_idle());
        sent
    }

    #[test]
    fn the_output_does_not_depend_on_the_block_size() {
        let notes = [0, 40, 45, 99, 100, 700, 703, 2000];
        let whole = render(&notes, 4096, 4096);
        assert_eq!(whole.len(), 2 * notes.len());
        assert!(whole.is_sorted_by_key(|(at, _)| *at));
        for block in [1, 7, 32, 100, 1000] {
            assert_eq!(render(&notes, block, 4096), whole, "block {block}");
        }
    }

    #[test]
    fn a_repeated_key_ends_before_it_starts_again() {
        let sent = render(&[0, 60], 512, 2048);
        let kinds: Vec<bool> = sent
            .iter()
            .map(|(_, m)| matches!(m, Message::On(..)))
            .collect();
        assert_eq!(kinds, [true, false, true, false]);
        assert_eq!(sent[1].0, sent[2].0);
    }

    #[test]
    fn stop_ends_sounding_notes_and_drops_pending_ones() {
        let mut scheduler = Scheduler::new(10, 48_000.0);
        for position in [0, 500] {
            let (note, mapped) = note(position, 36);
            assert!(scheduler.accept(&note, mapped, 0));
        }
        let mut sent = Vec::new();
        scheduler.emit(0, 50, |_, m| {
            sent.push(m);
            true
        });
        scheduler.stop(1);
        scheduler.emit(50, 50, |at, m| {
            assert_eq!(at, 0);
            sent.push(m);
            true
        });
        assert_eq!(sent.len(), 2);
        assert!(matches!(sent[1], Message::Off(_)));
        assert!(scheduler.is_idle());
    }

    #[test]
    fn late_notes_are_refused_and_slightly_late_ones_are_sent_at_once() {
        let mut scheduler = Scheduler::new(1000, 48_000.0);
        let (late, mapped) = note(0, 36);
        assert!(!scheduler.accept(&late, mapped, 1000 + 961));
        assert!(scheduler.accept(&late, mapped, 1000 + 960));
        let mut offsets = Vec::new();
        scheduler.emit(1960, 64, |offset, _| {
            offsets.push(offset);
            true
        });
        assert_eq!(offsets, [0]);
    }

    #[test]
    fn a_refused_note_off_is_sent_with_the_next_block() {
        let mut scheduler = Scheduler::new(0, 48_000.0);
        let (first, mapped) = note(0, 36);
        assert!(scheduler.accept(&first, mapped, 0));
        scheduler.emit(0, 64, |_, _| true);
        scheduler.emit(64, 64, |_, _| false);
        let mut sent = Vec::new();
        scheduler.emit(128, 64, |_, m| {
            sent.push(m);
            true
        });
        assert_eq!(sent, [Message::Off(mapped.destination)]);
    }

    #[test]
    fn a_main_stroke_replaces_its_grace_note_and_follows_its_controller() {
        let mut scheduler = Scheduler::new(1000, 48_000.0);
        let (early, mapped) = note(0, 38);
        let (grace, _) = note(5000, 38);
        let (main, _) = note(6000, 38);
        let control = PreMessage::Control(4, 127);
        let stroke = MappedNote {
            pre_message: Some(control),
            replaces_grace: true,
            ..mapped
        };
        assert!(scheduler.accept(&early, mapped, 0));
        assert!(scheduler.accept(&grace, mapped, 0));
        assert!(scheduler.accept(&main, stroke, 0));
        let mut sent = Vec::new();
        scheduler.emit(0, 7050, |at, message| {
            if !matches!(message, Message::Off(_)) {
                sent.push((at, message));
            }
            true
        });
        let on = Message::On(mapped.destination, 90);
        let expected = [
            (1000, on),
            (7000, Message::PreMessage(DRUMS, control)),
            (7000, on),
        ];
        assert_eq!(sent, expected);
    }
}
