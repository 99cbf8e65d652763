//! Notes in, events at exact sample offsets out, and never a note that hangs.
//!
//! A note leaves `constant_frames` after its position. All times are absolute frames of the
//! stream, so what leaves does not depend on how the host cuts the stream into blocks.

use std::collections::VecDeque;

use hitscribe_live::LiveNote;

use crate::notes::mapper::{Destination, FLAM_SECONDS, Performed, PreMessage};

/// Notes that can wait at once; the note ring of the engine holds as many.
const PENDING_CAPACITY: usize = 4096;
/// Keys that can sound at once: all of them on every channel.
const SOUNDING_CAPACITY: usize = 16 * 128;
/// A note that misses its time by less than this still leaves, at the start of the block.
const LATE_GRACE_SECONDS: f64 = 0.02;

/// What leaves the plugin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Message {
    /// Note on with its velocity, 1..=127.
    On(Destination, u8),
    /// Note off.
    Off(Destination),
    /// What goes before a note, on its channel.
    PreMessage(u8, PreMessage),
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    on_frames: u64,
    length_frames: u32,
    played: Performed,
}

#[derive(Clone, Copy, Debug)]
struct Sounding {
    off_frames: u64,
    to: Destination,
}

/// Orders notes in time and sends them. Allocates only in [`Scheduler::new`].
pub struct Scheduler {
    constant_frames: u64,
    grace_frames: u64,
    flam_frames: u64,
    pending: VecDeque<Pending>,
    sounding: Vec<Sounding>,
    silence_is_due: bool,
    /// Notes from before this frame are not played any more.
    deaf_before_frames: u64,
}

impl Scheduler {
    /// A scheduler that sends notes `constant_frames` after their position.
    pub fn new(constant_frames: u64, sample_rate_hz: f64) -> Self {
        Self {
            constant_frames,
            grace_frames: (LATE_GRACE_SECONDS * sample_rate_hz) as u64,
            flam_frames: (FLAM_SECONDS * sample_rate_hz).ceil() as u64,
            pending: VecDeque::with_capacity(PENDING_CAPACITY),
            sounding: Vec::with_capacity(SOUNDING_CAPACITY),
            silence_is_due: false,
            deaf_before_frames: 0,
        }
    }

    /// Takes a note over that is played as `played`. False if its time has passed by more than the
    /// grace, or if there is no room; it is then not played. `now_frames` is the start of this block.
    pub fn accept(&mut self, note: &LiveNote, played: Performed, now_frames: u64) -> bool {
        if note.position_frames < self.deaf_before_frames {
            return true;
        }
        let due_frames = note.position_frames + self.constant_frames;
        if due_frames + self.grace_frames < now_frames || self.pending.len() == PENDING_CAPACITY {
            return false;
        }
        let pending = Pending {
            on_frames: due_frames.max(now_frames),
            length_frames: note.length_frames.max(1),
            played,
        };
        if played.replaces_grace {
            let is_grace = |other: &Pending| {
                other.played.to == played.to
                    && other.on_frames.abs_diff(due_frames) <= self.flam_frames
            };
            self.pending.retain(|other| !is_grace(other));
        }
        // Kept in order of time, then of key, so that the order in which the engine found notes
        // does not matter.
        let order = |p: &Pending| (p.on_frames, p.played.to.channel, p.played.to.key);
        let index = self
            .pending
            .partition_point(|other| order(other) <= order(&pending));
        self.pending.insert(index, pending);
        true
    }

    /// Ends what sounds with the next block, and forgets what was heard before `now_frames` and has
    /// not begun, known or still to come.
    pub fn stop(&mut self, now_frames: u64) {
        self.deaf_before_frames = now_frames;
        self.pending.clear();
        self.silence_is_due = true;
    }

    /// Whether anything sounds or waits.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.sounding.is_empty()
    }

    /// Sends what belongs into the `frames` frames from `start_frames`, in order of time; at one
    /// time ends come before beginnings. `send` gets the offset in the block and says whether the
    /// host took the event: an end that it refuses is sent again with the next block.
    ///
    /// Returns how many beginnings the host refused.
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
        if self.silence_is_due {
            self.silence_is_due = false;
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
                let to = self.sounding[index].to;
                if send(offset(off_frames), Message::Off(to)) {
                    self.sounding.swap_remove(index);
                } else {
                    // The host has no room: nothing more fits into this block.
                    self.sounding[index].off_frames = end_frames;
                }
                continue;
            }
            let Some(next) = self.pending.pop_front() else {
                return refused;
            };
            let (at, to) = (offset(next.on_frames), next.played.to);
            if let Some(index) = self.sounding.iter().position(|other| other.to == to) {
                if !send(at, Message::Off(to)) {
                    refused += 1;
                    continue;
                }
                self.sounding.swap_remove(index);
            }
            // A note that is sent without its prelude is better than none.
            if let Some(prelude) = next.played.prelude {
                send(at, Message::PreMessage(to.channel, prelude));
            }
            if send(at, Message::On(to, next.played.velocity)) {
                let off_frames = next.on_frames + u64::from(next.length_frames);
                self.sounding.push(Sounding { off_frames, to });
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

    fn note(position_frames: u64, key: u8) -> (LiveNote, Performed) {
        let note = LiveNote {
            position_frames,
            length_frames: 100,
            key,
            velocity: 90,
            program: 0,
            is_drum: true,
            openness: None,
            is_leakage: false,
        };
        let to = Destination {
            channel: DRUMS,
            key,
        };
        let played = Performed {
            to,
            velocity: 90,
            prelude: None,
            replaces_grace: false,
        };
        (note, played)
    }

    fn render(notes: &[u64], block: usize, total: usize) -> Vec<(u64, Message)> {
        let mut scheduler = Scheduler::new(1000, 48_000.0);
        for position in notes {
            let (note, played) = note(*position, 36 + (*position % 3) as u8);
            assert!(scheduler.accept(&note, played, 0));
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
    fn the_same_events_leave_for_any_block_size() {
        let notes = [0, 40, 45, 99, 100, 700, 703, 2000];
        let whole = render(&notes, 4096, 4096);
        assert_eq!(whole.len(), 2 * notes.len());
        assert!(whole.is_sorted_by_key(|(at, _)| *at));
        for block in [1, 7, 32, 100, 1000] {
            assert_eq!(render(&notes, block, 4096), whole, "block {block}");
        }
    }

    #[test]
    fn a_repeated_key_ends_before_it_begins_again() {
        let sent = render(&[0, 60], 512, 2048);
        let kinds: Vec<bool> = sent
            .iter()
            .map(|(_, m)| matches!(m, Message::On(..)))
            .collect();
        assert_eq!(kinds, [true, false, true, false]);
        assert_eq!(sent[1].0, sent[2].0);
    }

    #[test]
    fn stop_ends_what_sounds_at_once_and_forgets_the_rest() {
        let mut scheduler = Scheduler::new(10, 48_000.0);
        for position in [0, 500] {
            let (note, played) = note(position, 36);
            assert!(scheduler.accept(&note, played, 0));
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
    fn late_notes_are_refused_and_almost_late_ones_leave_at_once() {
        let mut scheduler = Scheduler::new(1000, 48_000.0);
        let (late, played) = note(0, 36);
        assert!(!scheduler.accept(&late, played, 1000 + 961));
        assert!(scheduler.accept(&late, played, 1000 + 960));
        let mut offsets = Vec::new();
        scheduler.emit(1960, 64, |offset, _| {
            offsets.push(offset);
            true
        });
        assert_eq!(offsets, [0]);
    }

    #[test]
    fn an_end_that_the_host_refuses_is_sent_with_the_next_block() {
        let mut scheduler = Scheduler::new(0, 48_000.0);
        let (first, played) = note(0, 36);
        assert!(scheduler.accept(&first, played, 0));
        scheduler.emit(0, 64, |_, _| true);
        scheduler.emit(64, 64, |_, _| false);
        let mut sent = Vec::new();
        scheduler.emit(128, 64, |_, m| {
            sent.push(m);
            true
        });
        assert_eq!(sent, [Message::Off(played.to)]);
    }

    #[test]
    fn a_main_stroke_takes_its_grace_note_back_and_its_prelude_goes_first() {
        let mut scheduler = Scheduler::new(1000, 48_000.0);
        let (early, played) = note(0, 38);
        let (grace, _) = note(5000, 38);
        let (main, _) = note(6000, 38);
        let control = PreMessage::Control(4, 127);
        let stroke = Performed {
            prelude: Some(control),
            replaces_grace: true,
            ..played
        };
        assert!(scheduler.accept(&early, played, 0));
        assert!(scheduler.accept(&grace, played, 0));
        assert!(scheduler.accept(&main, stroke, 0));
        let mut sent = Vec::new();
        scheduler.emit(0, 7050, |at, message| {
            if !matches!(message, Message::Off(_)) {
                sent.push((at, message));
            }
            true
        });
        let on = Message::On(played.to, 90);
        let expected = [
            (1000, on),
            (7000, Message::PreMessage(DRUMS, control)),
            (7000, on),
        ];
        assert_eq!(sent, expected);
    }
}
