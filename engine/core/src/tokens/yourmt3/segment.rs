//! YourMT3 tokens to note events: one token stream per channel and segment.

use std::collections::BTreeMap;

use crate::tokens::segment::{SegmentTokens, StateProbability};
use crate::tokens::vocabulary::{EOS_ID, Event, SPECIAL_IDS, STEPS_PER_SECOND, Vocabulary};

/// Number of channels: token streams per segment.
pub const CHANNELS: usize = 13;
/// Program number of drums in YourMT3's notes.
pub const DRUM_PROGRAM: u8 = 128;

/// What can be wrong with a token stream, or with the notes made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A segment without the tie token that ends its tie section.
    MissingTie,
    /// A tied pitch before any program.
    MissingProgramInTie,
    /// A pitch before any program.
    MissingProgram,
    /// A pitch before any velocity.
    MissingVelocity,
    /// A shift of zero.
    ShiftOutOfRange,
    /// An offset of a note that is not sounding.
    NoteOffWithoutNoteOn,
    /// A second tie token straight after the tie section, or before any time has passed.
    SecondTieAtStart,
    /// A second tie token later.
    SecondTieLater,
    /// An id outside the vocabulary.
    UnknownId,
    /// An offset without an onset, found when the notes were assembled.
    OnsetNotFound,
    /// A note that was neither ended nor tied at a segment border. It ends there.
    MissingTieAtBorder,
    /// A note of more than 10 s. It was shortened to 10 ms.
    LongNote,
}

impl Fault {
    /// The name of this fault in YourMT3.
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
pub(super) fn count(faults: &mut Faults, fault: Fault) {
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
    /// Joint probability 0..=1 of its tokens.
    pub confidence: f32,
}

/// The contents of one token stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedSegment {
    /// Start of the segment in seconds.
    pub start_seconds: f64,
    /// Sorted by time, then drums last, program, offsets first, pitch.
    pub events: Vec<NoteEvent>,
    /// (program, pitch) of the notes that continue from the previous segment.
    pub ties: Vec<(u8, u8)>,
    /// (program, pitch) of the notes that sound at the end. A note can occur twice.
    pub last_activity: Vec<(u8, u8)>,
}

/// Parses the token stream of one channel and segment, and adds its faults to `faults`.
pub fn parse_segment(segment: &SegmentTokens, faults: &mut Faults) -> ParsedSegment {
    let mut out = ParsedSegment {
        start_seconds: segment.start_seconds,
        ..Default::default()
    };
    let mut probability = StateProbability::CERTAIN;
    let mut program = None;

    let Some(tie_position) = tie_section(segment, &mut out, &mut program, &mut probability, faults)
    else {
        count(faults, Fault::MissingTie);
        return ParsedSegment {
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
        if id == EOS_ID {
            break;
        }
        let Some(event) = event(id, faults) else {
            continue;
        };
        match event {
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

/// Parses up to the tie token and returns its position; `None` if a shift or the end comes first.
/// An end-of-sequence id is skipped here.
fn tie_section(
    segment: &SegmentTokens,
    out: &mut ParsedSegment,
    program: &mut Option<u8>,
    probability: &mut StateProbability,
    faults: &mut Faults,
) -> Option<usize> {
    for (position, &id) in segment.ids.iter().enumerate() {
        match event(id, faults) {
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
            _ => {}
        }
    }
    None
}

/// The event of `id`. An id outside the vocabulary is a fault, a special id is ignored.
fn event(id: i32, faults: &mut Faults) -> Option<Event> {
    let event = Vocabulary::YOURMT3.event(id);
    if event.is_none() && !(0..SPECIAL_IDS).contains(&id) {
        count(faults, Fault::UnknownId);
    }
    event
}
