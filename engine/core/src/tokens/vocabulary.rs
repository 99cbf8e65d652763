//! The events of both vocabularies and their ids.
//!
//! Ids are assigned in this order: 3 special ids, the shifts, 128 pitches, 2 velocities, the tie,
//! 128 programs, 128 drums. The vocabularies differ in their number of shifts.

/// Id of padding and of the start of a sequence.
pub const PAD_ID: i32 = 0;
/// Id of the end of a sequence.
pub const EOS_ID: i32 = 1;
/// Id of events that are not in the vocabulary.
pub const UNKNOWN_ID: i32 = 2;
/// Number of special ids before the events.
pub const SPECIAL_IDS: i32 = 3;
/// Time steps per second: a step is 10 ms.
pub const STEPS_PER_SECOND: f64 = 100.0;

/// Pitches, programs and drums: each 0..=127.
const MIDI_VALUES: i32 = 128;
const VELOCITIES: i32 = 2;

/// One event of a token stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time since the start of the segment in steps of 10 ms, from 0 on.
    Shift(i32),
    /// MIDI key 0..=127: a tied note in the tie section, later an onset or an offset, depending on
    /// the last velocity.
    Pitch(u8),
    /// 0: the pitches that follow are offsets. 1: they are onsets.
    Velocity(u8),
    /// End of the section of tied notes.
    Tie,
    /// Program 0..=127 of the pitches that follow. In YourMT3, 100 is a singing voice and 101 a
    /// choir.
    Program(u8),
    /// Percussion key 0..=127.
    Drum(u8),
}

/// A mapping between ids and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    max_shift_steps: i32,
}

impl Vocabulary {
    /// The vocabulary of MT3 with one velocity bin, and of MR-MT3.
    pub const MT3: Self = Self {
        max_shift_steps: 1000,
    };
    /// The vocabulary of YourMT3's multi-channel model.
    pub const YOURMT3: Self = Self {
        max_shift_steps: 205,
    };

    /// Largest shift in steps of 10 ms.
    pub const fn max_shift_steps(self) -> i32 {
        self.max_shift_steps
    }

    /// Number of ids up to the last event. A network may have more, which are unused.
    pub const fn size(self) -> usize {
        (SPECIAL_IDS + self.max_shift_steps + 1 + 3 * MIDI_VALUES + VELOCITIES + 1) as usize
    }

    /// The event of an id; `None` for special and unused ids.
    pub fn event(self, id: i32) -> Option<Event> {
        let mut rest = id.checked_sub(SPECIAL_IDS).filter(|&rest| rest >= 0)?;
        // The index of `rest` in the next group, which has `count` ids, if it lies there.
        let mut within = |count: i32| {
            if rest < count {
                Some(rest)
            } else {
                rest -= count;
                None
            }
        };
        if let Some(steps) = within(self.max_shift_steps + 1) {
            Some(Event::Shift(steps))
        } else if let Some(pitch) = within(MIDI_VALUES) {
            Some(Event::Pitch(pitch as u8))
        } else if let Some(bin) = within(VELOCITIES) {
            Some(Event::Velocity(bin as u8))
        } else if within(1).is_some() {
            Some(Event::Tie)
        } else if let Some(program) = within(MIDI_VALUES) {
            Some(Event::Program(program as u8))
        } else {
            within(MIDI_VALUES).map(|key| Event::Drum(key as u8))
        }
    }

    /// The id of an event. Values outside of the vocabulary are clamped.
    pub fn id(self, event: Event) -> i32 {
        let midi = |value: u8| i32::from(value).min(MIDI_VALUES - 1);
        let pitches = SPECIAL_IDS + self.max_shift_steps + 1;
        let velocities = pitches + MIDI_VALUES;
        let tie = velocities + VELOCITIES;
        let programs = tie + 1;
        match event {
            Event::Shift(steps) => SPECIAL_IDS + steps.clamp(0, self.max_shift_steps),
            Event::Pitch(pitch) => pitches + midi(pitch),
            Event::Velocity(bin) => velocities + i32::from(bin).min(VELOCITIES - 1),
            Event::Tie => tie,
            Event::Program(program) => programs + midi(program),
            Event::Drum(key) => programs + MIDI_VALUES + midi(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_published_models() {
        for (vocabulary, size, ids) in [
            (Vocabulary::MT3, 1391, [3, 1004, 1132, 1134, 1135, 1263]),
            (Vocabulary::YOURMT3, 596, [3, 209, 337, 339, 340, 468]),
        ] {
            assert_eq!(vocabulary.size(), size);
            let firsts = [
                Event::Shift(0),
                Event::Pitch(0),
                Event::Velocity(0),
                Event::Tie,
                Event::Program(0),
                Event::Drum(0),
            ];
            assert_eq!(firsts.map(|event| vocabulary.id(event)), ids);
            for id in SPECIAL_IDS..size as i32 {
                assert_eq!(vocabulary.event(id).map(|e| vocabulary.id(e)), Some(id));
            }
            for id in [
                i32::MIN,
                -1,
                PAD_ID,
                EOS_ID,
                UNKNOWN_ID,
                size as i32,
                i32::MAX,
            ] {
                assert_eq!(vocabulary.event(id), None, "{id}");
            }
        }
        assert_eq!(Vocabulary::YOURMT3.id(Event::Shift(999)), 208);
    }
}
