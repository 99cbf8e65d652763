//! The token streams of MT3, and the two ways in which they are turned into notes.
//!
//! Magenta's way (also that of MT3-PyTorch), and that of the MR-MT3 adapter of mt3-infer, which
//! keeps drums sounding until something ends them.

use std::collections::HashSet;

use crate::note::Note;
use crate::tokens::vocabulary::{
    EOS_ID, Event, PAD_ID, SPECIAL_IDS, STEPS_PER_SECOND, UNKNOWN_ID, Vocabulary,
};
use crate::tokens::{SegmentTokens, StateProbability};

/// No note is shorter than this.
pub const MIN_NOTE_SECONDS: f64 = 0.01;
/// Velocity that holds before any velocity token.
const INITIAL_VELOCITY: u8 = 100;
/// Program number under which the MR-MT3 adapter keeps sounding drums.
const DRUM_KEY_PROGRAM: u8 = 9;

/// How tokens become notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodePath {
    /// Magenta's: segment starts on the 10-ms grid, drums of 10 ms, a segment may not reach beyond
    /// the start of the next.
    Mt3,
    /// That of the MR-MT3 adapter: exact segment starts, drums sound until they are ended.
    MrMt3,
}

/// Notes, and how much of what the network said was nonsense.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecodedNotes {
    /// In order of completion; velocity 0..=127, so a note can have velocity 0.
    pub notes: Vec<Note>,
    /// Tokens that are no event, or an event that makes no sense where it stands.
    pub invalid_events: usize,
    /// Tokens beyond the start of the next segment.
    pub dropped_events: usize,
}

/// The codec indices of generated model ids: without the start id, up to the end of the sequence.
///
/// `ids` may begin with the start id. The unknown id ends a sequence like EOS does: both are
/// -1 once the special ids are taken off.
pub fn codec_indices(ids: &[i32]) -> Vec<i32> {
    let ids = ids.strip_prefix(&[PAD_ID]).unwrap_or(ids);
    ids.iter()
        .map_while(|&id| (id != EOS_ID && id != UNKNOWN_ID).then_some(id - SPECIAL_IDS))
        .collect()
}

/// Turns the segments of one recording into notes. `ids` of the segments are model ids; they are
/// read to the end, so cut them at EOS before. Segments may come in any order.
pub fn decode(segments: &[SegmentTokens], path: DecodePath) -> DecodedNotes {
    let mut order: Vec<(f64, &SegmentTokens)> = segments
        .iter()
        .map(|segment| (path.start_seconds(segment.start_seconds), segment))
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));

    let mut state = State::new(path);
    for (position, &(start_seconds, segment)) in order.iter().enumerate() {
        let next_seconds = order.get(position + 1).map(|next| next.0);
        state.segment(start_seconds, segment, path.limit_seconds(next_seconds));
    }
    state.finish();
    state.out
}

impl DecodePath {
    /// Where a segment counts from.
    fn start_seconds(self, exact_seconds: f64) -> f64 {
        match self {
            Self::Mt3 => exact_seconds - exact_seconds % (1.0 / STEPS_PER_SECOND),
            Self::MrMt3 => exact_seconds,
        }
    }

    /// How far a segment may reach when the next counts from `next_seconds`.
    fn limit_seconds(self, next_seconds: Option<f64>) -> Option<f64> {
        next_seconds.filter(|&next| self == Self::Mt3 && next > 0.0)
    }
}

/// The same notes as [`decode`] gives, segment by segment while they come in, in order.
pub struct RunningNotes {
    state: State,
    longest_seconds: f64,
    /// Nothing begins before this any more.
    known_seconds: f64,
}

impl RunningNotes {
    /// Before the first segment. Notes that sound for `longest_seconds` are given out with that length
    /// before they end.
    pub fn new(path: DecodePath, longest_seconds: f64) -> Self {
        Self {
            state: State::new(path),
            longest_seconds,
            known_seconds: 0.0,
        }
    }

    /// Takes the next segment, and where the one after it starts; none for the last.
    pub fn push(&mut self, segment: &SegmentTokens, next_seconds: Option<f64>) {
        let path = self.state.path;
        let start_seconds = path.start_seconds(segment.start_seconds);
        let next_seconds = next_seconds.map(|next| path.start_seconds(next));
        self.state
            .segment(start_seconds, segment, path.limit_seconds(next_seconds));
        if let Some(next_seconds) = next_seconds {
            self.known_seconds = next_seconds;
            let before_seconds = next_seconds - self.longest_seconds;
            self.state.cut(before_seconds, self.longest_seconds);
        }
    }

    /// Ends what sounds: there are no more segments.
    pub fn finish(&mut self) {
        self.state.finish();
    }

    /// Every note that begins before this is out.
    pub fn settled_seconds(&self) -> f64 {
        let sounding = self.state.active.iter().filter(|note| !note.is_out);
        sounding.fold(self.known_seconds, |settled, note| {
            settled.min(note.onset_seconds)
        })
    }

    /// Takes what has come out: notes, and notes that came out before they ended, as they were.
    pub fn take(&mut self) -> (Vec<Note>, Vec<Note>) {
        let notes = std::mem::take(&mut self.state.out.notes);
        (notes, std::mem::take(&mut self.state.ended))
    }
}

/// A sounding note.
#[derive(Clone, Copy)]
struct Active {
    pitch: u8,
    program: u8,
    onset_seconds: f64,
    velocity: u8,
    confidence: f32,
    /// It has been given out before it ended.
    is_out: bool,
}

struct State {
    path: DecodePath,
    current_seconds: f64,
    velocity: u8,
    program: u8,
    probability: StateProbability,
    /// In order of onset.
    active: Vec<Active>,
    tied: HashSet<(u8, u8)>,
    in_tie_section: bool,
    out: DecodedNotes,
    /// Notes that were given out before, as they ended.
    ended: Vec<Note>,
}

impl State {
    fn new(path: DecodePath) -> Self {
        Self {
            path,
            current_seconds: 0.0,
            velocity: INITIAL_VELOCITY,
            program: 0,
            probability: StateProbability::CERTAIN,
            active: Vec::new(),
            tied: HashSet::new(),
            in_tie_section: false,
            out: DecodedNotes::default(),
            ended: Vec::new(),
        }
    }

    fn segment(&mut self, start_seconds: f64, segment: &SegmentTokens, limit_seconds: Option<f64>) {
        // The MR-MT3 adapter filters negative values and then skips what is empty.
        if self.path == DecodePath::MrMt3 && segment.ids.iter().all(|&id| id < SPECIAL_IDS) {
            return;
        }
        self.tied.clear();
        self.in_tie_section = true;
        let mut shift_steps = 0_i64;
        let mut time_seconds = start_seconds;
        for (position, &id) in segment.ids.iter().enumerate() {
            if self.path == DecodePath::MrMt3 && id < SPECIAL_IDS {
                continue;
            }
            let probability = segment.probability(position);
            match Vocabulary::MT3.event(id) {
                None => self.out.invalid_events += 1,
                Some(Event::Shift(steps)) => {
                    shift_steps += i64::from(steps);
                    time_seconds = start_seconds + shift_steps as f64 / STEPS_PER_SECOND;
                    self.probability.shift = probability;
                    if limit_seconds.is_some_and(|limit| time_seconds > limit) {
                        self.out.dropped_events += segment.ids.len() - position;
                        return;
                    }
                }
                Some(event) => {
                    shift_steps = 0;
                    if self.event(time_seconds, event, probability).is_none() {
                        self.out.invalid_events += 1;
                    }
                }
            }
        }
    }

    /// Applies an event; `None` if it makes no sense here.
    fn event(&mut self, time_seconds: f64, event: Event, probability: f32) -> Option<()> {
        if time_seconds < self.current_seconds {
            return None;
        }
        self.current_seconds = time_seconds;
        match event {
            Event::Shift(_) => {}
            Event::Pitch(pitch) if self.in_tie_section => {
                let key = (pitch, self.program);
                self.position(key)?;
                if !self.tied.insert(key) {
                    return None;
                }
            }
            Event::Pitch(pitch) => {
                let key = (pitch, self.program);
                let sounding = self.position(key);
                if self.velocity == 0 {
                    self.end(sounding?, time_seconds, false, self.program);
                } else {
                    if let Some(position) = sounding {
                        self.end(position, time_seconds, false, self.program);
                    }
                    self.start(key, time_seconds, self.probability.pitched(probability));
                }
            }
            Event::Drum(pitch) => self.drum(time_seconds, pitch, probability)?,
            Event::Velocity(bin) => {
                self.velocity = bin * 127;
                self.probability.velocity = probability;
            }
            Event::Program(program) => {
                self.program = program;
                self.probability.program = probability;
            }
            Event::Tie => {
                if !self.in_tie_section {
                    return None;
                }
                self.in_tie_section = false;
                let mut position = 0;
                while let Some(active) = self.active.get(position) {
                    if self.tied.contains(&(active.pitch, active.program)) {
                        position += 1;
                        continue;
                    }
                    let drum = self.is_drum_key(active.program);
                    let program = if drum { 0 } else { active.program };
                    self.end(position, self.current_seconds, drum, program);
                }
            }
        }
        Some(())
    }

    fn drum(&mut self, time_seconds: f64, pitch: u8, probability: f32) -> Option<()> {
        let confidence = self.probability.drum(probability);
        match self.path {
            DecodePath::Mt3 => {
                if self.velocity == 0 {
                    return None;
                }
                let hit = Active {
                    pitch,
                    program: 0,
                    onset_seconds: time_seconds,
                    velocity: self.velocity,
                    confidence,
                    is_out: false,
                };
                self.emit(hit, time_seconds, true, 0);
            }
            DecodePath::MrMt3 => {
                let key = (pitch, DRUM_KEY_PROGRAM);
                let sounding = self.position(key);
                if self.velocity == 0 {
                    self.end(sounding?, time_seconds, true, 0);
                } else {
                    if let Some(position) = sounding {
                        self.end(position, time_seconds, true, 0);
                    }
                    self.start(key, time_seconds, confidence);
                }
            }
        }
        Some(())
    }

    fn is_drum_key(&self, program: u8) -> bool {
        self.path == DecodePath::MrMt3 && program == DRUM_KEY_PROGRAM
    }

    fn position(&self, (pitch, program): (u8, u8)) -> Option<usize> {
        self.active
            .iter()
            .position(|note| (note.pitch, note.program) == (pitch, program))
    }

    fn start(&mut self, (pitch, program): (u8, u8), onset_seconds: f64, confidence: f32) {
        self.active.push(Active {
            pitch,
            program,
            onset_seconds,
            velocity: self.velocity,
            confidence,
            is_out: false,
        });
    }

    fn end(&mut self, position: usize, end_seconds: f64, is_drum: bool, program: u8) {
        let note = self.active.remove(position);
        self.emit(note, end_seconds, is_drum, program);
    }

    /// Gives out what has sounded since `before_seconds` or longer, with the length `longest_seconds`.
    fn cut(&mut self, before_seconds: f64, longest_seconds: f64) {
        let mut notes = std::mem::take(&mut self.active);
        for note in notes.iter_mut().filter(|note| !note.is_out) {
            if note.onset_seconds <= before_seconds {
                let drum = self.is_drum_key(note.program);
                let end_seconds = note.onset_seconds + longest_seconds;
                self.emit(*note, end_seconds, drum, note.program);
                note.is_out = true;
            }
        }
        self.active = notes;
    }

    fn emit(&mut self, note: Active, end_seconds: f64, is_drum: bool, program: u8) {
        let out = if note.is_out {
            &mut self.ended
        } else {
            &mut self.out.notes
        };
        out.push(Note {
            onset_seconds: note.onset_seconds,
            offset_seconds: end_seconds.max(note.onset_seconds + MIN_NOTE_SECONDS),
            pitch: note.pitch,
            velocity: note.velocity,
            program,
            is_drum,
            openness: None,
            confidence: note.confidence,
        });
    }

    fn finish(&mut self) {
        if self.path == DecodePath::Mt3 {
            let last = self
                .active
                .iter()
                .map(|note| note.onset_seconds + MIN_NOTE_SECONDS);
            self.current_seconds = last.fold(self.current_seconds, f64::max);
        }
        for note in std::mem::take(&mut self.active) {
            let drum = self.is_drum_key(note.program);
            self.emit(note, self.current_seconds, drum, note.program);
        }
    }
}
