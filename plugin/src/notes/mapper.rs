//! Maps the engine's notes to MIDI: channel, key, velocity, messages before the note, and which
//! notes are dropped.
//!
//! Live output uses one [`NoteMapper`], and each export a new one, so that both give the same
//! notes.

use hitscribe_core::DrumClass;
use hitscribe_core::note::{MAX_OPENNESS, PlacedNote};

use crate::notes::note_map::NoteMapField;
use crate::notes::velocity_curve::VelocityCurve;

/// Number of drum classes.
const CLASSES: usize = DrumClass::ALL.len();
/// MIDI channel of drums, 0-based.
const DRUM_CHANNEL: u8 = 9;
/// Two hits of the same drum within this time are a flam.
pub const FLAM_SECONDS: f64 = 0.06;
/// The foot controller, which drum samplers use for the hi-hat pedal.
const PEDAL_CONTROLLER: u8 = 4;

/// MIDI channel and key of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// MIDI channel 0..=15.
    pub channel: u8,
    /// MIDI key 0..=127.
    pub key: u8,
}

/// A message that is sent on a note's channel right before the note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreMessage {
    /// A controller number and its value, both 0..=127.
    Control(u8, u8),
    /// A program change, 0..=127.
    Program(u8),
}

/// A note as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappedNote {
    /// Channel and key.
    pub destination: Destination,
    /// MIDI velocity 1..=127.
    pub velocity: u8,
    /// A message before the note.
    pub pre_message: Option<PreMessage>,
    /// Whether the previous note with this destination was a grace note and is to be removed.
    pub replaces_grace: bool,
}

/// How notes are changed, apart from the note map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shaping {
    /// Maps measured velocities to output velocities.
    pub velocity: VelocityCurve,
    /// Send the hi-hat pedal position as a controller before each hi-hat note.
    pub hat_pedal: bool,
    /// Drop the grace notes of flams.
    pub no_flams: bool,
}

/// Maps notes one by one, in order of onset.
#[derive(Clone, Debug)]
pub struct NoteMapper {
    sample_rate_hz: f64,
    /// Position in frames and velocity of each class's last hit that was not dropped.
    last_hits: [Option<(u64, u8)>; CLASSES],
    /// The program that each channel was last set to.
    programs: [Option<u8>; 16],
}

impl NoteMapper {
    /// A mapper for positions at this sample rate.
    pub fn new(sample_rate_hz: f64) -> Self {
        Self {
            sample_rate_hz,
            last_hits: [None; CLASSES],
            programs: [None; 16],
        }
    }

    /// Makes the mapper send the program changes again, after all notes have ended. Real-time safe.
    pub fn forget_programs(&mut self) {
        self.programs = [None; 16];
    }

    /// Maps a note; none if it is dropped. A note that the user has edited is only dropped if its
    /// drum is off. Drums without a class keep their key on channel 10.
    /// Pitched notes get one channel per program. Real-time safe.
    pub fn map(
        &mut self,
        map: &NoteMapField,
        shaping: &Shaping,
        note: &PlacedNote,
        is_edited: bool,
    ) -> Option<MappedNote> {
        let velocity = shaping.velocity.apply(note.velocity);
        if !note.is_drum {
            let (channel, pre_message) = self.channel_of(note.program);
            return Some(MappedNote {
                destination: Destination {
                    channel,
                    key: note.pitch,
                },
                velocity,
                pre_message,
                replaces_grace: false,
            });
        }
        let Some(class) = DrumClass::from_gm_note(note.pitch) else {
            return Some(MappedNote {
                destination: Destination {
                    channel: DRUM_CHANNEL,
                    key: note.pitch,
                },
                velocity,
                pre_message: None,
                replaces_grace: false,
            });
        };
        let entry = map.class(class);
        if !entry.on || (note.velocity < entry.min_velocity && !is_edited) {
            return None;
        }
        let last_hit = &mut self.last_hits[class.index()];
        let mut replaces_grace = false;
        if let Some((last_frames, last_velocity)) = last_hit.filter(|_| !is_edited) {
            let seconds = note.onset_samples.abs_diff(last_frames) as f64 / self.sample_rate_hz;
            if shaping.no_flams && seconds < FLAM_SECONDS {
                if note.velocity <= last_velocity {
                    return None;
                }
                replaces_grace = true;
            } else if seconds < f64::from(entry.retrigger_ms) / 1000.0 {
                return None;
            }
        }
        *last_hit = Some((note.onset_samples, note.velocity));
        Some(MappedNote {
            destination: Destination {
                channel: entry.channel - 1,
                key: entry.key,
            },
            velocity,
            pre_message: pedal_message(class, note.openness).filter(|_| shaping.hat_pedal),
            replaces_grace,
        })
    }

    /// The channel of a program, and the program change if it is needed. Programs beyond the
    /// fifteenth share the last channel.
    fn channel_of(&mut self, program: u8) -> (u8, Option<PreMessage>) {
        let is_free = |channel: &u8| {
            *channel != DRUM_CHANNEL
                && self.programs[usize::from(*channel)].is_none_or(|other| other == program)
        };
        let channel = (0..16).find(is_free).unwrap_or(15);
        let previous = self.programs[usize::from(channel)].replace(program);
        let change = (previous != Some(program)).then_some(PreMessage::Program(program));
        (channel, change)
    }
}

/// The pedal controller for a hi-hat class: from the measured openness, or else fully closed or
/// open.
fn pedal_message(class: DrumClass, openness: Option<u8>) -> Option<PreMessage> {
    let open = match class {
        DrumClass::ClosedHat => openness.unwrap_or(0),
        DrumClass::PedalHat => 0,
        DrumClass::OpenHat => openness.unwrap_or(MAX_OPENNESS),
        _ => return None,
    };
    let open = u16::from(open.min(MAX_OPENNESS));
    let down = 127 - (127 * open + u16::from(MAX_OPENNESS) / 2) / u16::from(MAX_OPENNESS);
    Some(PreMessage::Control(PEDAL_CONTROLLER, down as u8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_core::midi::ClassMap;

    fn drum(onset_samples: u64, pitch: u8, velocity: u8) -> PlacedNote {
        PlacedNote {
            onset_samples,
            length_samples: 2400,
            pitch,
            velocity,
            program: 0,
            is_drum: true,
            openness: None,
            confidence: 1.0,
        }
    }

    fn keys(
        map: &NoteMapField,
        shaping: &Shaping,
        notes: &[(u64, u8, u8)],
    ) -> Vec<Option<(u8, bool)>> {
        let mut mapper = NoteMapper::new(48_000.0);
        let mut map_one = |&(at, key, velocity): &(u64, u8, u8)| {
            let mapped = mapper.map(map, shaping, &drum(at, key, velocity), false)?;
            Some((mapped.destination.key, mapped.replaces_grace))
        };
        notes.iter().map(&mut map_one).collect()
    }

    #[test]
    fn hits_are_dropped_by_class_velocity_and_retrigger_time() {
        let map = NoteMapField::default();
        let snare = ClassMap {
            min_velocity: 20,
            retrigger_ms: 50,
            key: 40,
            ..ClassMap::default()
        };
        map.set_class(DrumClass::Snare, snare);
        let off = ClassMap {
            on: false,
            ..ClassMap::default()
        };
        map.set_class(DrumClass::Kick, off);
        let notes = [
            (0, 36, 100),
            (0, 38, 19),
            (0, 38, 20),
            (2399, 38, 127),
            (2400, 38, 127),
            (2400, 42, 1),
        ];
        let mapped = keys(&map, &Shaping::default(), &notes);
        let expected = [None, None, Some(40), None, Some(40), Some(42)];
        assert_eq!(mapped, expected.map(|key| key.map(|key| (key, false))));
    }

    #[test]
    fn only_the_main_stroke_of_a_flam_remains() {
        let map = NoteMapField::default();
        let shaping = Shaping {
            no_flams: true,
            ..Shaping::default()
        };
        let notes = [(0, 38, 40), (1500, 38, 100), (6000, 38, 90), (7500, 38, 50)];
        let mapped = keys(&map, &shaping, &notes);
        assert_eq!(
            mapped,
            [Some((38, false)), Some((38, true)), Some((38, false)), None]
        );
        let both = keys(&map, &Shaping::default(), &notes);
        assert!(both.iter().all(|note| *note == Some((38, false))));
    }

    #[test]
    fn the_pedal_controller_precedes_each_hi_hat_note() {
        let map = NoteMapField::default();
        let mut mapper = NoteMapper::new(48_000.0);
        let shaping = Shaping {
            hat_pedal: true,
            ..Shaping::default()
        };
        let mut pre_message_of = |key| {
            let mapped = mapper.map(
                &map,
                &shaping,
                &drum(u64::from(key) * 10_000, key, 90),
                false,
            );
            mapped.and_then(|mapped| mapped.pre_message)
        };
        assert_eq!(pre_message_of(42), Some(PreMessage::Control(4, 127)));
        assert_eq!(pre_message_of(44), Some(PreMessage::Control(4, 127)));
        assert_eq!(pre_message_of(46), Some(PreMessage::Control(4, 0)));
        assert_eq!(pre_message_of(38), None);
    }

    #[test]
    fn the_pedal_controller_follows_the_openness() {
        let down = |class, openness| match pedal_message(class, openness) {
            Some(PreMessage::Control(PEDAL_CONTROLLER, down)) => Some(down),
            _ => None,
        };
        let open =
            [0, 30, 63, 64, 100, MAX_OPENNESS, 255].map(|o| down(DrumClass::OpenHat, Some(o)));
        assert!(open.is_sorted_by(|a, b| a >= b), "{open:?}");
        assert_eq!([open[0], open[5], open[6]], [Some(127), Some(0), Some(0)]);
        assert_eq!(down(DrumClass::ClosedHat, Some(63)), Some(63));
        assert_eq!(down(DrumClass::PedalHat, Some(63)), Some(127));
        assert_eq!(down(DrumClass::Ride, Some(63)), None);
    }

    #[test]
    fn each_program_gets_a_channel_other_than_the_drum_channel() {
        let map = NoteMapField::default();
        let mut mapper = NoteMapper::new(48_000.0);
        let mut play = |program| {
            let note = PlacedNote {
                is_drum: false,
                program,
                ..drum(0, 60, 90)
            };
            let mapped = mapper.map(&map, &Shaping::default(), &note, false);
            mapped.map(|mapped| (mapped.destination.channel, mapped.pre_message))
        };
        assert_eq!(play(33), Some((0, Some(PreMessage::Program(33)))));
        assert_eq!(play(0), Some((1, Some(PreMessage::Program(0)))));
        assert_eq!(play(33), Some((0, None)));
        let channels: Vec<_> = (40..60)
            .filter_map(play)
            .map(|(channel, _)| channel)
            .collect();
        assert!(!channels.contains(&DRUM_CHANNEL));
        assert_eq!(channels.last(), Some(&15));
    }
}
