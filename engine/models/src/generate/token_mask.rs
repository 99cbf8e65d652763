//! The mask over tokens that follows from a source.

use crate::generate::allowed::{AllowedNotes, LogitBias};
use hitscribe_core::DrumClass;
use hitscribe_core::tokens::vocabulary::{EOS_ID, Event, Vocabulary};

/// What tokens mean to a constraint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Ends, ties, shifts, velocity 1.
    Neutral,
    /// Velocity 0: offsets follow.
    Offsets,
    Pitch,
    Program(u8),
    Drum(u8),
    /// Padding and ids without event.
    None,
}

/// A mask over the tokens of a vocabulary, with a bias for each token.
///
/// Programs and drums outside the source are never chosen. A pitch is possible only once a program
/// of the source was said in the segment, so that no earlier or default program can slip in.
#[derive(Clone, Debug)]
pub struct Constraint {
    tokens: Vec<TokenRule>,
    /// Whether a pitch must wait for a program.
    program_needed: bool,
}

#[derive(Clone, Copy, Debug)]
struct TokenRule {
    bias: f32,
    is_pitch: bool,
    is_program: bool,
}

impl Constraint {
    /// The mask for `source` in a vocabulary of `size` ids. `None` if it would change nothing.
    pub fn new(
        vocabulary: Vocabulary,
        size: usize,
        source: &AllowedNotes,
        sensitivity: &LogitBias,
    ) -> Option<Self> {
        if source.is_everything() && *sensitivity == LogitBias::default() {
            return None;
        }
        let pitched = source.allows_pitched();
        let tokens = (0..size).map(|id| {
            let meaning = meaning(vocabulary, id as i32);
            let bias = match meaning {
                Meaning::Neutral => 0.0,
                Meaning::Offsets | Meaning::Pitch if !pitched => f32::NEG_INFINITY,
                Meaning::Offsets => 0.0,
                Meaning::Pitch => sensitivity.pitched,
                Meaning::Program(program) if source.allows_program(program) => 0.0,
                Meaning::Drum(key) if source.allows_drum(key) => {
                    let class = DrumClass::from_gm_note(key);
                    let own = sensitivity
                        .drums
                        .iter()
                        .find(|(other, _)| Some(*other) == class);
                    own.map_or(0.0, |(_, bias)| *bias)
                }
                Meaning::Program(_) | Meaning::Drum(_) | Meaning::None => f32::NEG_INFINITY,
            };
            TokenRule {
                bias,
                is_pitch: meaning == Meaning::Pitch,
                is_program: matches!(meaning, Meaning::Program(_)),
            }
        });
        Some(Self {
            tokens: tokens.collect(),
            program_needed: !source.is_everything(),
        })
    }

    /// Adds the bias to the logits of one sequence. `program_said` is whether one of its ids so far
    /// was a program.
    pub fn apply(&self, logits: &mut [f32], program_said: bool) {
        let pitches = program_said || !self.program_needed;
        for (logit, token) in logits.iter_mut().zip(&self.tokens) {
            *logit += if token.is_pitch && !pitches {
                f32::NEG_INFINITY
            } else {
                token.bias
            };
        }
    }

    /// Whether `id` says a program.
    pub fn is_program(&self, id: i32) -> bool {
        usize::try_from(id)
            .ok()
            .and_then(|id| self.tokens.get(id))
            .is_some_and(|token| token.is_program)
    }
}

fn meaning(vocabulary: Vocabulary, id: i32) -> Meaning {
    match vocabulary.event(id) {
        _ if id == EOS_ID => Meaning::Neutral,
        Some(Event::Shift(_) | Event::Tie | Event::Velocity(1..)) => Meaning::Neutral,
        Some(Event::Velocity(0)) => Meaning::Offsets,
        Some(Event::Pitch(_)) => Meaning::Pitch,
        Some(Event::Program(program)) => Meaning::Program(program),
        Some(Event::Drum(key)) => Meaning::Drum(key),
        None => Meaning::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drum_source_leaves_no_pitched_token() {
        let none = LogitBias::default();
        let constraint = Constraint::new(
            Vocabulary::MT3,
            Vocabulary::MT3.size(),
            &AllowedNotes::drums(),
            &none,
        )
        .unwrap();
        let mut logits = vec![0.0; Vocabulary::MT3.size()];
        constraint.apply(&mut logits, true);
        for (id, logit) in logits.into_iter().enumerate() {
            use Event::*;
            let event = Vocabulary::MT3.event(id as i32);
            let possible = id == 1 || matches!(event, Some(Shift(_) | Tie | Velocity(1) | Drum(_)));
            assert_eq!(logit == 0.0, possible, "id {id}");
        }
    }

    #[test]
    fn a_pitch_needs_a_program_of_the_source() {
        let none = LogitBias::default();
        let bass: AllowedNotes = "bass".parse().unwrap();
        let constraint =
            Constraint::new(Vocabulary::MT3, Vocabulary::MT3.size(), &bass, &none).unwrap();
        let pitch = Vocabulary::MT3.id(Event::Pitch(40)) as usize;
        for program_said in [false, true] {
            let mut logits = vec![0.0; Vocabulary::MT3.size()];
            constraint.apply(&mut logits, program_said);
            assert_eq!(logits[pitch] == 0.0, program_said);
        }
        assert!(constraint.is_program(Vocabulary::MT3.id(Event::Program(33))));
        assert!(!constraint.is_program(Vocabulary::MT3.id(Event::Drum(36))));
    }

    #[test]
    fn sensitivity_moves_the_logits_of_its_class() {
        let sensitivity = LogitBias {
            drums: vec![(DrumClass::Kick, 1.5)],
            pitched: -0.5,
        };
        let constraint = Constraint::new(
            Vocabulary::YOURMT3,
            Vocabulary::YOURMT3.size(),
            &AllowedNotes::everything(),
            &sensitivity,
        )
        .unwrap();
        let mut logits = vec![0.0; Vocabulary::YOURMT3.size()];
        constraint.apply(&mut logits, false);
        assert_eq!(
            logits[Vocabulary::YOURMT3.id(Event::Drum(36)) as usize],
            1.5
        );
        assert_eq!(
            logits[Vocabulary::YOURMT3.id(Event::Drum(38)) as usize],
            0.0
        );
        assert_eq!(
            logits[Vocabulary::YOURMT3.id(Event::Pitch(60)) as usize],
            -0.5
        );
    }
}
