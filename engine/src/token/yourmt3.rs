//! The vocabulary of YourMT3's multi-channel model: one token stream per channel and segment.

use std::collections::BTreeMap;

use super::{SegmentTokens, StateProbability};

/// Id of padding and of the start of a sequence.
pub const PAD_ID: i32 = 0;
/// Id of the end of a sequence.
pub const EOS_ID: i32 = 1;
/// Number of model ids.
pub const VOCABULARY_SIZE: usize = 596;
/// Number of token streams per segment.
pub const CHANNELS: usize = 13;
/// Largest shift in steps of 10 ms that has a token.
pub const MAX_SHIFT_STEPS: i32 = 205;
/// Steps of time per second.
pub const STEPS_PER_SECOND: f64 = 100.0;
/// Program number that stands for drums in YourMT3's notes.
pub const DRUM_PROGRAM: u8 = 128;

/// One event of the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Padding.
    Pad,
    /// End of the sequence.
    Eos,
    /// Unknown.
    Unknown,
    /// Time since the start of the segment in steps of 10 ms, 0..=205.
    Shift(i32),
    /// Pitch 0..=127.
    Pitch(u8),
    /// 0 = offsets follow, 1 = onsets.
    Velocity(u8),
    /// End of the section of tied notes.
    Tie,
    /// Program 0..=127; 100 and 101 are singing voice and choir.
    Program(u8),
    /// Percussion key 0..=127.
    Drum(u8),
}

impl Event {
    /// The event of a model id, if there is one.
    pub fn from_id(id: i32) -> Option<Self> {
        Some(match id {
            0 => Self::Pad,
            1 => Self::Eos,
            2 => Self::Unknown,
            3..=208 => Self::Shift(id - 3),
            209..=336 => Self::Pitch((id - 209) as u8),
            337..=338 => Self::Velocity((id - 337) as u8),
            339 => Self::Tie,
            340..=467 => Self::Program((id - 340) as u8),
            468..=595 => Self::Drum((id - 468) as u8),
            _ => return None,
        })
    }

    /// The model id of this event. Shifts outside 0..=205 are clamped.
    pub fn id(self) -> i32 {
        match self {
            Self::Pad => PAD_ID,
            Self::Eos => EOS_ID,
            Self::Unknown => 2,
            Self::Shift(steps) => 3 + steps.clamp(0, MAX_SHIFT_STEPS),
            Self::Pitch(pitch) => 209 + i32::from(pitch & 127),
            Self::Velocity(bin) => 337 + i32::from(bin.min(1)),
            Self::Tie => 339,
            Self::Program(program) => 340 + i32::from(program & 127),
            Self::Drum(pitch) => 468 + i32::from(pitch & 127),
        }
    }
}

/// Ways in which a token stream, or the notes made from it, can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A segment without the end of its tie section.
    MissingTie,
    /// A tied pitch before any program.
    MissingProgramInTie,
    /// A pitch before any program.
    MissingProgram,
    /// A pitch before any velocity.
    MissingVelocity,
    /// A shift of zero.
    ShiftOutOfRange,
    /// An offset of a note that does not sound.
    NoteOffWithoutNoteOn,
    /// A second tie token straight after the tie section, or before any time has passed.
    SecondTieAtStart,
    /// A second tie token later.
    SecondTieLater,
    /// An id outside the vocabulary.
    UnknownId,
    /// An offset for which no onset was found when notes were put together.
    OnsetNotFound,
    /// A note that was neither ended nor tied at a segment border; it ends there.
    MissingTieAtBorder,
    /// A note of more than 10 s; it was cut to 10 ms.
    LongNote,
}

impl Fault {
    /// Name as upstream counts it.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingTie => "Err/Missing tie",
            Self::MissingProgramInTie => "Err/Missing prg in tie",
            Self::MissingProgram => "Err/Missing prg",
            Self::MissingVelocity => "Err/Missing vel",
            Self::ShiftOutOfRange => "Err/Shift out of range",
            Self::NoteOffWithoutNoteOn => "Err/Note off without note on",
            Self::SecondTieAtStart => "Err/Multi-tie type 1",
            Self::SecondTieLater => "Err/Multi-tie type 2",
            Self::UnknownId => "Err/Unknown id",
            Self::OnsetNotFound => "Err/onset not found",
            Self::MissingTieAtBorder => "Err/merging segment tie",
            Self::LongNote => "Err/long note > 10s",
        }
    }
}

/// How often each fault occurred.
pub type Faults = BTreeMap<Fault, usize>;

/// Adds one to the count of `fault`.
pub(crate) fn count(faults: &mut Faults, fault: Fault) {
    *faults.entry(fault).or_default() += 1;
}

/// An onset, an offset or a drum hit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoteEvent {
    /// Seconds from the start of the audio.
    pub seconds: f64,
    /// Whether `pitch` is a percussion key.
    pub is_drum: bool,
    /// Program 0..=127, or [`DRUM_PROGRAM`].
    pub program: u8,
    /// Onset or drum hit (true), or offset.
    pub is_onset: bool,
    /// MIDI key 0..=127.
    pub pitch: u8,
    /// Joint probability of the tokens that say it.
    pub confidence: f32,
}

/// What one token stream says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecodedSegment {
    /// Start of the segment in seconds.
    pub start_seconds: f64,
    /// Sorted by time, drums last, program, offsets first, pitch.
    pub events: Vec<NoteEvent>,
    /// (program, pitch) of the notes that go on from the segment before.
    pub ties: Vec<(u8, u8)>,
    /// (program, pitch) of the notes that sound at the end; a note can occur twice.
    pub last_activity: Vec<(u8, u8)>,
}

/// Reads the token stream of one channel and segment. Faults are added to `faults`.
pub fn decode_segment(segment: &SegmentTokens, faults: &mut Faults) -> DecodedSegment {
    let mut out = DecodedSegment {
        start_seconds: segment.start_seconds,
        ..Default::default()
    };
    let mut probability = StateProbability::CERTAIN;
    let mut program = None;

    let Some(tie_position) = tie_section(segment, &mut out, &mut program, &mut probability, faults)
    else {
        count(faults, Fault::MissingTie);
        return DecodedSegment {
            start_seconds: segment.start_seconds,
            ..Default::default()
        };
    };
    out.last_activity = out.ties.clone();

    let start_tick = (segment.start_seconds * STEPS_PER_SECOND).round_ties_even();
    let mut tick = start_tick;
    let mut velocity = None;
    for (position, &id) in segment.ids.iter().enumerate().skip(tie_position + 1) {
        let token_probability = segment.probability(position);
        let seconds = tick / STEPS_PER_SECOND;
        let Some(event) = Event::from_id(id) else {
            count(faults, Fault::UnknownId);
            continue;
        };
        match event {
            Event::Eos => break,
            Event::Pad | Event::Unknown => {}
            Event::Tie if tick == start_tick => count(faults, Fault::SecondTieAtStart),
            Event::Tie => count(faults, Fault::SecondTieLater),
            Event::Shift(0) => count(faults, Fault::ShiftOutOfRange),
            Event::Shift(steps) => {
                tick = start_tick + f64::from(steps);
                probability.shift = token_probability;
            }
            Event::Program(value) => {
                program = Some(value);
                probability.program = token_probability;
            }
            Event::Velocity(value) => {
                velocity = Some(value);
                probability.velocity = token_probability;
            }
            Event::Drum(pitch) => out.events.push(NoteEvent {
                seconds,
                is_drum: true,
                program: DRUM_PROGRAM,
                is_onset: true,
                pitch,
                confidence: probability.drum(token_probability),
            }),
            Event::Pitch(pitch) => {
                let (program, velocity) = match (program, velocity) {
                    (None, _) => {
                        count(faults, Fault::MissingProgram);
                        continue;
                    }
                    (_, None) => {
                        count(faults, Fault::MissingVelocity);
                        continue;
                    }
                    (Some(program), Some(velocity)) => (program, velocity),
                };
                let key = (program, pitch);
                if velocity == 0 {
                    let Some(found) = out.last_activity.iter().position(|&active| active == key)
                    else {
                        count(faults, Fault::NoteOffWithoutNoteOn);
                        continue;
                    };
                    out.last_activity.remove(found);
                } else {
                    out.last_activity.push(key);
                }
                out.events.push(NoteEvent {
                    seconds,
                    is_drum: false,
                    program,
                    is_onset: velocity != 0,
                    pitch,
                    confidence: probability.pitched(token_probability),
                });
            }
        }
    }
    out.events.sort_by(|a, b| {
        let key = |e: &NoteEvent| (e.is_drum, e.program, e.is_onset, e.pitch);
        a.seconds
            .total_cmp(&b.seconds)
            .then_with(|| key(a).cmp(&key(b)))
    });
    out
}

/// Reads up to the tie token and returns its position; `None` if a shift or the end comes first.
/// The end-of-sequence id does not stop it.
fn tie_section(
    segment: &SegmentTokens,
    out: &mut DecodedSegment,
    program: &mut Option<u8>,
    probability: &mut StateProbability,
    faults: &mut Faults,
) -> Option<usize> {
    for (position, &id) in segment.ids.iter().enumerate() {
        match Event::from_id(id) {
            Some(Event::Tie) => return Some(position),
            Some(Event::Shift(_)) => return None,
            Some(Event::Program(value)) => {
                *program = Some(value);
                probability.program = segment.probability(position);
            }
            Some(Event::Pitch(pitch)) => match *program {
                Some(program) => out.ties.push((program, pitch)),
                None => count(faults, Fault::MissingProgramInTie),
            },
            None => count(faults, Fault::UnknownId),
            _ => {}
        }
    }
    None
}
