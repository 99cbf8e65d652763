//! MT3 tokens to notes, by either of two sets of rules.
//!
//! MT3-PyTorch follows Magenta's rules. The MR-MT3 adapter of mt3-infer has its own: a drum sounds
//! until it is ended.

use std::collections::HashSet;

use crate::note::Note;
use crate::tokens::segment::{SegmentTokens, StateProbability};
use crate::tokens::vocabulary::{
    EOS_ID, Event, PAD_ID, SPECIAL_IDS, STEPS_PER_SECOND, UNKNOWN_ID, Vocabulary,
};

/// Shortest note in seconds.
pub const MIN_NOTE_SECONDS: f64 = 0.01;
/// Velocity before the first velocity token.
const INITIAL_VELOCITY: u8 = 100;
/// Program number that the MR-MT3 adapter gives to sounding drums.
const DRUM_KEY_PROGRAM: u8 = 9;

/// The rules that turn tokens into notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseRules {
    /// Magenta's rules: segment starts are rounded down to 10 ms, drum hits last 10 ms, and tokens
    /// beyond the start of the next segment are dropped.
    Mt3,
    /// The rules of the MR-MT3 adapter: exact segment starts, and drums sound until they are ended.
    MrMt3,
}

/// Notes, and the number of tokens that could not be used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedNotes {
    /// Notes in order of their ends. The velocity is 0..=127: a note can have velocity 0.
    pub notes: Vec<Note>,
    /// Tokens that are not an event, and events that are invalid at their position.
    pub invalid_events: usize,
    /// Tokens beyond the start of the next segment.
    pub dropped_events: usize,
}

/// Generated model ids as indices of MT3's codec, which has no special ids.
///
/// A leading start id is skipped. The result ends before the first EOS or unknown id: upstream maps
/// both to -1.
pub fn codec_indices(ids: &[i32]) -> Vec<i32> {
    let ids = ids.strip_prefix(&[PAD_ID]).unwrap_or(ids);
    ids.iter()
        .map_while(|&id| (id != EOS_ID && id != UNKNOWN_ID).then_some(id - SPECIAL_IDS))
        .collect()
}

/// Parses the segments of one recording, given in any order, into notes.
///
/// `ids` are model ids. All of them are parsed, so truncate them at EOS first.
pub fn parse(segments: &[SegmentTokens], rules: ParseRules) -> ParsedNotes {
    let mut order: Vec<(f64, &SegmentTokens)> = segments
        .iter()
        .map(|segment| (rules.start_seconds(segment.start_seconds), segment))
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));

    let mut state = State::new(rules);
    for (position, &(start_seconds, segment)) in order.iter().enumerate() {
        let next_seconds = order.get(position + 1).map(|next| next.0);
        state.segment(start_seconds, segment, rules.limit_seconds(next_seconds));
    }
    state.finish();
    state.out
}

impl ParseRules {
    /// The time that the shifts of a segment count from.
    pub(super) fn start_seconds(self, exact_seconds: f64) -> f64 {
        match self {
            Self::Mt3 => exact_seconds - exact_seconds % (1.0 / STEPS_PER_SECOND),
            Self::MrMt3 => exact_seconds,
        }
    }

    /// The last valid time of a segment whose successor starts at `next_seconds`.
    pub(super) fn limit_seconds(self, next_seconds: Option<f64>) -> Option<f64> {
        next_seconds.filter(|&next| self == Self::Mt3 && next > 0.0)
    }
}

/// A sounding note.
#[derive(Clone, Copy)]
pub(super) struct Active {
    pitch: u8,
    program: u8,
    pub(super) onset_seconds: f64,
    velocity: u8,
    confidence: f32,
    /// Whether it was emitted before its end.
    pub(super) is_emitted: bool,
}

/// The state of the parser between two tokens.
pub(super) struct State {
    pub(super) rules: ParseRules,
    current_seconds: f64,
    velocity: u8,
    program: u8,
    probability: StateProbability,
    /// Sounding notes in order of onset.
    pub(super) active: Vec<Active>,
    tied: HashSet<(u8, u8)>,
    in_tie_section: bool,
    pub(super) out: ParsedNotes,
    /// Notes that were emitted before their end, with their final length.
    pub(super) ended: Vec<Note>,
}

impl State {
    pub(super) fn new(rules: ParseRules) -> Self {
        Self {
            rules,
            current_seconds: 0.0,
            velocity: INITIAL_VELOCITY,
            program: 0,
            probability: StateProbability::CERTAIN,
            active: Vec::new(),
            tied: HashSet::new(),
            in_tie_section: false,
            out: ParsedNotes::default(),
            ended: Vec::new(),
        }
    }

    pub(super) fn segment(
        &mut self,
        start_seconds: f64,
        segment: &SegmentTokens,
        limit_seconds: Option<f64>,
    ) {
        // The MR-MT3 adapter removes negative indices and skips a segment that has no others.
        if self.rules == ParseRules::MrMt3 && segment.ids.iter().all(|&id| id < SPECIAL_IDS) {
            return;
        }
        self.tied.clear();
        self.in_tie_section = true;
        let mut shift_steps = 0_i64;
        let mut time_seconds = start_seconds;
        for (position, &id) in segment.ids.iter().enumerate() {
            if self.rules == ParseRules::MrMt3 && id < SPECIAL_IDS {
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

    /// Applies an event; `None` if it is invalid here.
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
        match self.rules {
            ParseRules::Mt3 => {
                if self.velocity == 0 {
                    return None;
                }
                let hit = Active {
                    pitch,
                    program: 0,
                    onset_seconds: time_seconds,
                    velocity: self.velocity,
                    confidence,
                    is_emitted: false,
                };
                self.emit(hit, time_seconds, true, 0);
            }
            ParseRules::MrMt3 => {
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
        self.rules == ParseRules::MrMt3 && program == DRUM_KEY_PROGRAM
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
            is_emitted: false,
        });
    }

    fn end(&mut self, position: usize, end_seconds: f64, is_drum: bool, program: u8) {
        let note = self.active.remove(position);
        self.emit(note, end_seconds, is_drum, program);
    }

    /// Emits the notes that began at `before_seconds` or earlier, with the length
    /// `max_note_seconds`.
    pub(super) fn cut(&mut self, before_seconds: f64, max_note_seconds: f64) {
        let mut notes = std::mem::take(&mut self.active);
        for note in notes.iter_mut().filter(|note| !note.is_emitted) {
            if note.onset_seconds <= before_seconds {
                let drum = self.is_drum_key(note.program);
                let end_seconds = note.onset_seconds + max_note_seconds;
                self.emit(*note, end_seconds, drum, note.program);
                note.is_emitted = true;
            }
        }
        self.active = notes;
    }

    fn emit(&mut self, note: Active, end_seconds: f64, is_drum: bool, program: u8) {
        let out = if note.is_emitted {
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

    pub(super) fn finish(&mut self) {
        if self.rules == ParseRules::Mt3 {
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
