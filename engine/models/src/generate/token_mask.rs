//! The mask over tokens that keeps notes outside the source from being decoded.

use hitscribe_core::DrumClass;
use hitscribe_core::tokens::vocabulary::{EOS_ID, Event, Vocabulary};

use crate::generate::allowed::{AllowedNotes, LogitBias};

/// What is added to the logit of an id that cannot be chosen, where infinity would give no number.
pub(super) const EXCLUDED: f32 = -1e9;

/// Kinds of tokens that a mask treats alike.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    /// Ends, ties, shifts, velocity 1.
    Neutral,
    /// Velocity 0: note-offs follow.
    Offsets,
    Pitch,
    Program(u8),
    Drum(u8),
    /// Padding and ids without an event.
    None,
}

/// A mask over the tokens of a vocabulary, with a bias for each token.
///
/// Programs and drums outside the source are never chosen. A pitch needs a program of the source
/// before it in the segment, so that it cannot get an earlier or default program.
#[derive(Clone, Debug)]
pub(crate) struct TokenMask {
    tokens: Vec<TokenRule>,
    /// Whether a pitch needs a program before it.
    needs_program: bool,
}

#[derive(Clone, Copy, Debug)]
struct TokenRule {
    bias: f32,
    is_pitch: bool,
    is_program: bool,
}

impl TokenMask {
    /// The mask for `source` in a vocabulary of `size` ids; `None` if it would change nothing.
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
            let kind = kind_of(vocabulary, id as i32);
            let bias = match kind {
                TokenKind::Neutral => 0.0,
                TokenKind::Offsets | TokenKind::Pitch if !pitched => f32::NEG_INFINITY,
                TokenKind::Offsets => 0.0,
                TokenKind::Pitch => sensitivity.pitched,
                TokenKind::Program(program) if source.allows_program(program) => 0.0,
                TokenKind::Drum(key) if source.allows_drum(key) => {
                    let class = DrumClass::from_gm_note(key);
                    let own = sensitivity
                        .drums
                        .iter()
                        .find(|(other, _)| Some(*other) == class);
                    own.map_or(0.0, |(_, bias)| *bias)
                }
                TokenKind::Program(_) | TokenKind::Drum(_) | TokenKind::None => f32::NEG_INFINITY,
            };
            TokenRule {
                bias,
                is_pitch: kind == TokenKind::Pitch,
                is_program: matches!(kind, TokenKind::Program(_)),
            }
        });
        Some(Self {
            tokens: tokens.collect(),
            needs_program: !source.is_everything(),
        })
    }

    /// Adds the biases to the logits of one sequence. `has_program`: one of its ids so far is a
    /// program.
    pub fn apply(&self, logits: &mut [f32], has_program: bool) {
        let pitches = has_program || !self.needs_program;
        for (logit, token) in logits.iter_mut().zip(&self.tokens) {
            *logit += if token.is_pitch && !pitches {
                f32::NEG_INFINITY
            } else {
                token.bias
            };
        }
    }

    /// Appends the biases of all tokens, those of pitches before a program, and 1 for programs.
    pub fn extend(&self, [bias, pitch_bias, programs]: &mut [Vec<f32>; 3]) {
        for token in &self.tokens {
            bias.push(token.bias.max(EXCLUDED));
            let waits = token.is_pitch && self.needs_program;
            pitch_bias.push(if waits { EXCLUDED } else { 0.0 });
            programs.push(f32::from(u8::from(token.is_program)));
        }
    }

    /// Whether `id` is a program token.
    pub fn is_program(&self, id: i32) -> bool {
        usize::try_from(id)
            .ok()
            .and_then(|id| self.tokens.get(id))
            .is_some_and(|token| token.is_program)
    }
}

fn kind_of(vocabulary: Vocabulary, id: i32) -> TokenKind {
    match vocabulary.event(id) {
        _ if id == EOS_ID => TokenKind::Neutral,
        Some(Event::Shift(_) | Event::Tie | Event::Velocity(1..)) => TokenKind::Neutral,
        Some(Event::Velocity(0)) => TokenKind::Offsets,
        Some(Event::Pitch(_)) => TokenKind::Pitch,
        Some(Event::Program(program)) => TokenKind::Program(program),
        Some(Event::Drum(key)) => TokenKind::Drum(key),
        None => TokenKind::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drum_source_leaves_no_pitched_token() {
        let none = LogitBias::default();
        let mask = TokenMask::new(
            Vocabulary::MT3,
            Vocabulary::MT3.size(),
            &AllowedNotes::drums(),
            &none,
        )
        .unwrap();
        let mut logits = vec![0.0; Vocabulary::MT3.size()];
        mask.apply(&mut logits, true);
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
        let mask = TokenMask::new(Vocabulary::MT3, Vocabulary::MT3.size(), &bass, &none).unwrap();
        let pitch = Vocabulary::MT3.id(Event::Pitch(40)) as usize;
        for has_program in [false, true] {
            let mut logits = vec![0.0; Vocabulary::MT3.size()];
            mask.apply(&mut logits, has_program);
            assert_eq!(logits[pitch] == 0.0, has_program);
        }
        assert!(mask.is_program(Vocabulary::MT3.id(Event::Program(33))));
        assert!(!mask.is_program(Vocabulary::MT3.id(Event::Drum(36))));
    }

    #[test]
    fn sensitivity_moves_the_logits_of_its_class() {
        let sensitivity = LogitBias {
            drums: vec![(DrumClass::Kick, 1.5)],
            pitched: -0.5,
        };
        let mask = TokenMask::new(
            Vocabulary::YOURMT3,
            Vocabulary::YOURMT3.size(),
            &AllowedNotes::everything(),
            &sensitivity,
        )
        .unwrap();
        let mut logits = vec![0.0; Vocabulary::YOURMT3.size()];
        mask.apply(&mut logits, false);
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
