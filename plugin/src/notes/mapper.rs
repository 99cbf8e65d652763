//! What becomes of each note that the engine has found: its channel and key, its velocity, what is
//! sent before it, and which notes are left out.
//!
//! One [`Performer`] for live play and a new one for each export, so that both give the same.

use hitscribe_core::DrumClass;
use hitscribe_core::note::MAX_OPENNESS;

use crate::notes::note_map::NoteMapField;
use crate::notes::velocity_curve::VelocityCurve;

/// Number of classes.
const CLASSES: usize = DrumClass::ALL.len();
/// Channel of drums, counted from 0.
const DRUM_CHANNEL: u8 = 9;
/// Two hits of one drum within this time are the two strokes of a flam.
pub const FLAM_SECONDS: f64 = 0.06;
/// The foot controller, which samplers take for the hi-hat's pedal.
const PEDAL_CONTROLLER: u8 = 4;

/// Where a note goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// MIDI channel 0..=15.
    pub channel: u8,
    /// MIDI key 0..=127.
    pub key: u8,
}

/// What is sent on a note's channel right before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreMessage {
    /// A controller and its value, 0..=127 both.
    Control(u8, u8),
    /// A change to this program, 0..=127.
    Program(u8),
}

/// A note as it is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Performed {
    /// Channel and key.
    pub to: Destination,
    /// 1..=127.
    pub velocity: u8,
    /// What goes before it.
    pub prelude: Option<PreMessage>,
    /// Whether the last note for the same place was the grace note of this one, and is not played.
    pub replaces_grace: bool,
}

/// A note of the engine, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Onset in frames.
    pub position_frames: u64,
    /// Whether `key` is a percussion key.
    pub is_drum: bool,
    /// How open a hi-hat was, 0 to [`MAX_OPENNESS`], where it was measured.
    pub openness: Option<u8>,
    /// MIDI key.
    pub key: u8,
    /// MIDI velocity.
    pub velocity: u8,
    /// General MIDI program of a pitched note.
    pub program: u8,
}

/// What the user asks for beside the note map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shaping {
    /// Velocities.
    pub velocity: VelocityCurve,
    /// Send the hi-hat's pedal as a controller before each of its notes.
    pub hat_pedal: bool,
    /// Play the main stroke of a flam only.
    pub no_flams: bool,
}

/// Decides for each note, in the order in which notes come.
#[derive(Clone, Debug)]
pub struct Performer {
    sample_rate_hz: f64,
    /// Position and velocity of the last hit of each class that was played.
    last: [Option<(u64, u8)>; CLASSES],
    /// The program of each channel.
    programs: [Option<u8>; 16],
}

impl Performer {
    /// A performer that has seen no note.
    pub fn new(sample_rate_hz: f64) -> Self {
        Self {
            sample_rate_hz,
            last: [None; CLASSES],
            programs: [None; 16],
        }
    }

    /// Forgets which programs the channels have, so that each is told again: after everything has ended.
    pub fn forget_programs(&mut self) {
        self.programs = [None; 16];
    }

    /// How a note is played; none if it is left out. Drums without a class go to channel 10 as they
    /// are, pitched notes to a channel for each program. Real-time safe.
    pub fn perform(
        &mut self,
        map: &NoteMapField,
        shaping: &Shaping,
        note: Found,
    ) -> Option<Performed> {
        let velocity = shaping.velocity.apply(note.velocity);
        if !note.is_drum {
            let (channel, prelude) = self.channel_of(note.program);
            return Some(Performed {
                to: Destination {
                    channel,
                    key: note.key,
                },
                velocity,
                prelude,
                replaces_grace: false,
            });
        }
        let Some(class) = DrumClass::from_gm_note(note.key) else {
            return Some(Performed {
                to: Destination {
                    channel: DRUM_CHANNEL,
                    key: note.key,
                },
                velocity,
                prelude: None,
                replaces_grace: false,
            });
        };
        let entry = map.class(class);
        if !entry.on || note.velocity < entry.min_velocity {
            return None;
        }
        let last = &mut self.last[class.index()];
        let mut replaces_grace = false;
        if let Some((last_frames, last_velocity)) = *last {
            let seconds = note.position_frames.abs_diff(last_frames) as f64 / self.sample_rate_hz;
            if shaping.no_flams && seconds < FLAM_SECONDS {
                if note.velocity <= last_velocity {
                    return None;
                }
                replaces_grace = true;
            } else if seconds < f64::from(entry.retrigger_ms) / 1000.0 {
                return None;
            }
        }
        *last = Some((note.position_frames, note.velocity));
        Some(Performed {
            to: Destination {
                channel: entry.channel - 1,
                key: entry.key,
            },
            velocity,
            prelude: pedal(class, note.openness).filter(|_| shaping.hat_pedal),
            replaces_grace,
        })
    }

    /// The channel of a program, and the change to it when the channel is new. Programs beyond the
    /// fifteenth share the last channel.
    fn channel_of(&mut self, program: u8) -> (u8, Option<PreMessage>) {
        let is_free = |channel: &u8| {
            *channel != DRUM_CHANNEL
                && self.programs[usize::from(*channel)].is_none_or(|other| other == program)
        };
        let channel = (0..16).find(is_free).unwrap_or(15);
        let known = self.programs[usize::from(channel)].replace(program);
        let change = (known != Some(program)).then_some(PreMessage::Program(program));
        (channel, change)
    }
}

/// How far the pedal is down when a class sounds: as it was measured, or all the way or not at all.
fn pedal(class: DrumClass, openness: Option<u8>) -> Option<PreMessage> {
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
    use crate::notes::note_map::ClassMap;

    fn drum(position_frames: u64, key: u8, velocity: u8) -> Found {
        Found {
            position_frames,
            is_drum: true,
            openness: None,
            key,
            velocity,
            program: 0,
        }
    }

    fn keys(
        map: &NoteMapField,
        shaping: &Shaping,
        notes: &[(u64, u8, u8)],
    ) -> Vec<Option<(u8, bool)>> {
        let mut performer = Performer::new(48_000.0);
        let mut perform = |&(at, key, velocity): &(u64, u8, u8)| {
            let played = performer.perform(map, shaping, drum(at, key, velocity))?;
            Some((played.to.key, played.replaces_grace))
        };
        notes.iter().map(&mut perform).collect()
    }

    #[test]
    fn hits_are_left_out_by_class_by_velocity_and_by_time() {
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
        let played = keys(&map, &Shaping::default(), &notes);
        let expected = [None, None, Some(40), None, Some(40), Some(42)];
        assert_eq!(played, expected.map(|key| key.map(|key| (key, false))));
    }

    #[test]
    fn of_a_flam_the_main_stroke_stays_whichever_comes_first() {
        let map = NoteMapField::default();
        let shaping = Shaping {
            no_flams: true,
            ..Shaping::default()
        };
        let notes = [(0, 38, 40), (1500, 38, 100), (6000, 38, 90), (7500, 38, 50)];
        let played = keys(&map, &shaping, &notes);
        assert_eq!(
            played,
            [Some((38, false)), Some((38, true)), Some((38, false)), None]
        );
        let both = keys(&map, &Shaping::default(), &notes);
        assert!(both.iter().all(|note| *note == Some((38, false))));
    }

    #[test]
    fn the_pedal_goes_before_each_hat() {
        let map = NoteMapField::default();
        let mut performer = Performer::new(48_000.0);
        let shaping = Shaping {
            hat_pedal: true,
            ..Shaping::default()
        };
        let mut prelude = |key| {
            let played = performer.perform(&map, &shaping, drum(u64::from(key) * 10_000, key, 90));
            played.and_then(|played| played.prelude)
        };
        assert_eq!(prelude(42), Some(PreMessage::Control(4, 127)));
        assert_eq!(prelude(44), Some(PreMessage::Control(4, 127)));
        assert_eq!(prelude(46), Some(PreMessage::Control(4, 0)));
        assert_eq!(prelude(38), None);
    }

    #[test]
    fn the_pedal_follows_how_open_the_hat_was() {
        let down = |class, openness| match pedal(class, openness) {
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
    fn each_program_has_a_channel_that_is_not_the_drums() {
        let map = NoteMapField::default();
        let mut performer = Performer::new(48_000.0);
        let mut play = |program| {
            let note = Found {
                is_drum: false,
                program,
                ..drum(0, 60, 90)
            };
            let played = performer.perform(&map, &Shaping::default(), note);
            played.map(|played| (played.to.channel, played.prelude))
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

    #[test]
    fn velocities_follow_the_curve() {
        let straight = VelocityCurve::default();
        assert!((1..=127).all(|velocity| straight.apply(velocity) == velocity));
        let learnt = VelocityCurve {
            in_low: 40,
            in_high: 100,
            out_low: 20,
            ..straight
        };
        assert_eq!(
            [0, 40, 100, 127].map(|v| learnt.apply(v)),
            [20, 20, 127, 127]
        );
        let lifted = VelocityCurve {
            bend_percent: 50,
            ..straight
        };
        assert!(lifted.apply(32) > 50 && lifted.apply(127) == 127 && lifted.apply(1) == 1);
        let flat = VelocityCurve {
            in_low: 90,
            in_high: 90,
            ..straight
        };
        assert_eq!([89, 90].map(|v| flat.apply(v)), [1, 127]);
        assert_eq!(
            VelocityCurve::learnt_range((1..=100).collect()),
            Some((5, 95))
        );
        assert_eq!(VelocityCurve::learnt_range(Vec::new()), None);
        assert_eq!(VelocityCurve::learnt_range(vec![64; 9]), None);
    }
}
