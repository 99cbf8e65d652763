//! What a signal can contain, and the mask over tokens that follows from it.

use std::fmt;
use std::str::FromStr;

use crate::event::DrumClass;
use crate::token::{mt3, yourmt3};

/// The programs and drum keys that can occur in a signal.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    programs: [bool; 128],
    drums: [bool; 128],
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |set: &[bool]| set.iter().filter(|&&allowed| allowed).count();
        write!(
            f,
            "Source({} programs, {} drum keys)",
            count(&self.programs),
            count(&self.drums)
        )
    }
}

impl Default for Source {
    fn default() -> Self {
        Self::everything()
    }
}

impl Source {
    /// A full mix: nothing is excluded.
    pub fn everything() -> Self {
        Self {
            programs: [true; 128],
            drums: [true; 128],
        }
    }

    /// Drums of any kind, nothing pitched.
    pub fn drums() -> Self {
        Self {
            programs: [false; 128],
            drums: [true; 128],
        }
    }

    /// The given programs, no drums.
    pub fn programs(programs: impl IntoIterator<Item = u8>) -> Self {
        Self {
            programs: set(programs),
            drums: [false; 128],
        }
    }

    /// The given percussion keys, nothing pitched.
    pub fn drum_keys(keys: impl IntoIterator<Item = u8>) -> Self {
        Self {
            programs: [false; 128],
            drums: set(keys),
        }
    }

    /// Whether a pitched note of `program` is possible.
    pub fn allows_program(&self, program: u8) -> bool {
        self.programs
            .get(usize::from(program))
            .copied()
            .unwrap_or(false)
    }

    /// Whether a hit of the percussion key `key` is possible.
    pub fn allows_drum(&self, key: u8) -> bool {
        self.drums.get(usize::from(key)).copied().unwrap_or(false)
    }

    /// Whether any pitched note is possible.
    pub fn allows_pitched(&self) -> bool {
        self.programs.contains(&true)
    }

    /// Whether any drum is possible.
    pub fn allows_drums(&self) -> bool {
        self.drums.contains(&true)
    }

    /// Whether nothing is excluded.
    pub fn is_everything(&self) -> bool {
        !self.programs.contains(&false) && !self.drums.contains(&false)
    }

    /// Channels of YourMT3 in which something of this source is decoded.
    pub fn yourmt3_channels(&self) -> Vec<usize> {
        use crate::token::yourmt3_programs::channel_of_program;
        let mut channels: Vec<usize> = (0..128_u8)
            .filter(|&program| self.allows_program(program))
            .filter_map(channel_of_program)
            .collect();
        if self.allows_drums() {
            channels.push(yourmt3::CHANNELS - 1);
        }
        channels.sort_unstable();
        channels.dedup();
        channels
    }
}

fn set(members: impl IntoIterator<Item = u8>) -> [bool; 128] {
    let mut out = [false; 128];
    for member in members {
        if let Some(slot) = out.get_mut(usize::from(member)) {
            *slot = true;
        }
    }
    out
}

impl FromStr for Source {
    type Err = String;

    /// A name (`mix`, `drums`, `kick`, `bass`, `keys`, `guitar`, `strings`, `brass`, `reed`, `pipe`,
    /// `synth`, `voice`), `programs:0-7,33` or `drums:36,38`; several joined by `+`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut out = Self {
            programs: [false; 128],
            drums: [false; 128],
        };
        for part in text.split('+') {
            let one = match part.trim() {
                "mix" | "full-mix" | "any" => Self::everything(),
                "drums" => Self::drums(),
                "kick" => Self::drum_keys([35, 36]),
                "bass" => Self::programs(32..=39),
                "keys" => Self::programs((0..=7).chain(16..=23)),
                "guitar" => Self::programs(24..=31),
                "strings" => Self::programs(40..=55),
                "brass" => Self::programs(56..=63),
                "reed" => Self::programs(64..=71),
                "pipe" => Self::programs(72..=79),
                "synth" => Self::programs(80..=95),
                "voice" => Self::programs([52, 53, 54, 85, 91, 100, 101]),
                other => match other.split_once(':') {
                    Some(("programs", list)) => Self::programs(numbers(list)?),
                    Some(("drums", list)) => Self::drum_keys(numbers(list)?),
                    _ => {
                        return Err(format!(
                            "no source {other}: use mix, drums, kick, bass, keys, guitar, strings, brass, reed, pipe, \
                             synth, voice, programs:0-7 or drums:36,38"
                        ));
                    }
                },
            };
            let join = |own: &mut [bool; 128], other: &[bool; 128]| {
                own.iter_mut()
                    .zip(other)
                    .for_each(|(own, other)| *own |= other);
            };
            join(&mut out.programs, &one.programs);
            join(&mut out.drums, &one.drums);
        }
        Ok(out)
    }
}

/// `0-7,33` to the numbers.
fn numbers(list: &str) -> Result<Vec<u8>, String> {
    let number = |text: &str| match text.trim().parse::<u8>() {
        Ok(number) if number < 128 => Ok(number),
        _ => Err(format!("{text} is no number from 0 to 127")),
    };
    let mut out = Vec::new();
    for part in list.split(',') {
        match part.split_once('-') {
            Some((first, last)) => out.extend(number(first)?..=number(last)?),
            None => out.push(number(part)?),
        }
    }
    Ok(out)
}

/// Added to the logits of each class of event: more than 0 finds more, less finds less.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sensitivity {
    /// For each drum class, in nats.
    pub drums: Vec<(DrumClass, f32)>,
    /// For pitched notes, in nats.
    pub pitched: f32,
}

/// The vocabulary that a constraint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// MT3's, also of MR-MT3.
    Mt3,
    /// YourMT3's.
    YourMt3,
}

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
        source: &Source,
        sensitivity: &Sensitivity,
    ) -> Option<Self> {
        if source.is_everything() && *sensitivity == Sensitivity::default() {
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
    match vocabulary {
        Vocabulary::Mt3 => match mt3::Event::from_index(id - mt3::SPECIAL_IDS) {
            _ if id == mt3::EOS_ID => Meaning::Neutral,
            Some(mt3::Event::Shift(_) | mt3::Event::Tie | mt3::Event::Velocity(1..)) => {
                Meaning::Neutral
            }
            Some(mt3::Event::Velocity(0)) => Meaning::Offsets,
            Some(mt3::Event::Pitch(_)) => Meaning::Pitch,
            Some(mt3::Event::Program(program)) => Meaning::Program(program),
            Some(mt3::Event::Drum(key)) => Meaning::Drum(key),
            None => Meaning::None,
        },
        Vocabulary::YourMt3 => match yourmt3::Event::from_id(id) {
            Some(
                yourmt3::Event::Eos
                | yourmt3::Event::Shift(_)
                | yourmt3::Event::Tie
                | yourmt3::Event::Velocity(1..),
            ) => Meaning::Neutral,
            Some(yourmt3::Event::Velocity(0)) => Meaning::Offsets,
            Some(yourmt3::Event::Pitch(_)) => Meaning::Pitch,
            Some(yourmt3::Event::Program(program)) => Meaning::Program(program),
            Some(yourmt3::Event::Drum(key)) => Meaning::Drum(key),
            Some(yourmt3::Event::Pad | yourmt3::Event::Unknown) | None => Meaning::None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_parse_and_join() {
        let source: Source = "drums:36,38 + programs:32-39".parse().unwrap();
        assert!(source.allows_drum(36) && !source.allows_drum(42));
        assert!(source.allows_program(33) && !source.allows_program(0));
        assert!("mix".parse::<Source>().unwrap().is_everything());
        for wrong in ["", "banjo", "programs:1-300", "drums:x"] {
            assert!(wrong.parse::<Source>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_drum_source_leaves_no_pitched_token() {
        let none = Sensitivity::default();
        let constraint = Constraint::new(
            Vocabulary::Mt3,
            mt3::VOCABULARY_SIZE,
            &Source::drums(),
            &none,
        )
        .unwrap();
        let mut logits = vec![0.0; mt3::VOCABULARY_SIZE];
        constraint.apply(&mut logits, true);
        for (id, logit) in logits.into_iter().enumerate() {
            use mt3::Event::*;
            let event = mt3::Event::from_index(id as i32 - mt3::SPECIAL_IDS);
            let possible = id == 1 || matches!(event, Some(Shift(_) | Tie | Velocity(1) | Drum(_)));
            assert_eq!(logit == 0.0, possible, "id {id}");
        }
    }

    #[test]
    fn a_pitch_needs_a_program_of_the_source() {
        let none = Sensitivity::default();
        let bass: Source = "bass".parse().unwrap();
        let constraint =
            Constraint::new(Vocabulary::Mt3, mt3::VOCABULARY_SIZE, &bass, &none).unwrap();
        let pitch = mt3::Event::Pitch(40).id() as usize;
        for program_said in [false, true] {
            let mut logits = vec![0.0; mt3::VOCABULARY_SIZE];
            constraint.apply(&mut logits, program_said);
            assert_eq!(logits[pitch] == 0.0, program_said);
        }
        assert!(constraint.is_program(mt3::Event::Program(33).id()));
        assert!(!constraint.is_program(mt3::Event::Drum(36).id()));
    }

    #[test]
    fn sensitivity_moves_the_logits_of_its_class() {
        let sensitivity = Sensitivity {
            drums: vec![(DrumClass::Kick, 1.5)],
            pitched: -0.5,
        };
        let constraint = Constraint::new(
            Vocabulary::YourMt3,
            yourmt3::VOCABULARY_SIZE,
            &Source::everything(),
            &sensitivity,
        )
        .unwrap();
        let mut logits = vec![0.0; yourmt3::VOCABULARY_SIZE];
        constraint.apply(&mut logits, false);
        assert_eq!(logits[yourmt3::Event::Drum(36).id() as usize], 1.5);
        assert_eq!(logits[yourmt3::Event::Drum(38).id() as usize], 0.0);
        assert_eq!(logits[yourmt3::Event::Pitch(60).id() as usize], -0.5);
    }

    #[test]
    fn yourmt3_decodes_only_the_channels_of_the_source() {
        assert_eq!(Source::drums().yourmt3_channels(), [12]);
        assert_eq!("bass".parse::<Source>().unwrap().yourmt3_channels(), [4]);
        assert_eq!(Source::everything().yourmt3_channels().len(), 13);
    }
}
