//! The notes that a signal can contain, and the sensitivity of decoding.

use std::fmt;
use std::str::FromStr;

use hitscribe_core::DrumClass;
use hitscribe_core::tokens::yourmt3;

/// The programs and drum keys that can occur in a signal.
#[derive(Clone, PartialEq, Eq)]
pub struct AllowedNotes {
    programs: [bool; 128],
    drums: [bool; 128],
}

impl fmt::Debug for AllowedNotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |set: &[bool]| set.iter().filter(|&&allowed| allowed).count();
        write!(
            f,
            "AllowedNotes({} programs, {} drum keys)",
            count(&self.programs),
            count(&self.drums)
        )
    }
}

impl Default for AllowedNotes {
    fn default() -> Self {
        Self::everything()
    }
}

impl AllowedNotes {
    /// A full mix: nothing is excluded.
    pub fn everything() -> Self {
        Self {
            programs: [true; 128],
            drums: [true; 128],
        }
    }

    /// All drums, nothing pitched.
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

    /// The program for notes of a model that does not recognise instruments: the usual one of the
    /// first allowed family, else the lowest allowed one.
    pub fn usual_program(&self) -> Option<u8> {
        // Piano, finger bass, steel guitar, strings, brass section, alto saxophone, flute, lead,
        // choir.
        const USUAL: [u8; 9] = [0, 33, 25, 48, 61, 65, 73, 81, 52];
        let possible = |program: &u8| self.allows_program(*program);
        USUAL
            .into_iter()
            .find(possible)
            .or_else(|| (0..128).find(possible))
    }

    /// Whether nothing is excluded.
    pub fn is_everything(&self) -> bool {
        !self.programs.contains(&false) && !self.drums.contains(&false)
    }

    /// The channels of YourMT3 that can contain an allowed note.
    pub fn yourmt3_channels(&self) -> Vec<usize> {
        use hitscribe_core::tokens::yourmt3::channel_of_program;
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

impl FromStr for AllowedNotes {
    type Err = String;

    /// Parses a name (`mix`, `drums`, `kick`, `bass`, `keys`, `guitar`, `strings`, `brass`, `reed`,
    /// `pipe`, `synth`, `voice`), `programs:0-7,33` or `drums:36,38`, or several joined by `+`.
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
                            "unknown source {other}: use mix, drums, kick, bass, keys, guitar, \
                             strings, brass, reed, pipe, synth, voice, programs:0-7 or drums:36,38"
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

/// Parses a list such as `0-7,33`.
fn numbers(list: &str) -> Result<Vec<u8>, String> {
    let number = |text: &str| match text.trim().parse::<u8>() {
        Ok(number) if number < 128 => Ok(number),
        _ => Err(format!("{text} is not a number from 0 to 127")),
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

/// Nats that sensitivity 1 adds to the logits of notes, and sensitivity 0 subtracts.
const SENSITIVITY_RANGE_NATS: f32 = 4.0;

/// Biases of the logits of notes: above 0 more notes are found, below 0 fewer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogitBias {
    /// Bias of each drum class in nats; 0 for classes not listed.
    pub drums: Vec<(DrumClass, f32)>,
    /// Bias of pitched notes in nats.
    pub pitched: f32,
}

impl LogitBias {
    /// From sensitivities between 0 and 1, where 0.5 is neutral: `overall`, plus `by_class` for
    /// drums.
    pub fn from_sensitivity(overall: f32, by_class: impl Fn(DrumClass) -> f32) -> Self {
        let nats = |share: f32| (share.clamp(0.0, 1.0) - 0.5) * 2.0 * SENSITIVITY_RANGE_NATS;
        let drums = DrumClass::ALL.map(|class| (class, nats(overall + by_class(class))));
        Self {
            drums: drums.into_iter().filter(|(_, nats)| *nats != 0.0).collect(),
            pitched: nats(overall),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_parse_and_join() {
        let source: AllowedNotes = "drums:36,38 + programs:32-39".parse().unwrap();
        assert!(source.allows_drum(36) && !source.allows_drum(42));
        assert!(source.allows_program(33) && !source.allows_program(0));
        assert!("mix".parse::<AllowedNotes>().unwrap().is_everything());
        for wrong in ["", "banjo", "programs:1-300", "drums:x"] {
            assert!(wrong.parse::<AllowedNotes>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn half_sensitivity_changes_nothing() {
        assert_eq!(
            LogitBias::from_sensitivity(0.5, |_| 0.0),
            LogitBias::default()
        );
        let more_snare = |class| f32::from(u8::from(class == DrumClass::Snare)) / 4.0;
        let snare = LogitBias::from_sensitivity(0.5, more_snare);
        assert_eq!(
            (snare.drums, snare.pitched),
            (vec![(DrumClass::Snare, 2.0)], 0.0)
        );
        let none = LogitBias::from_sensitivity(0.0, |_| 0.0);
        assert_eq!(
            (none.drums.len(), none.pitched),
            (DrumClass::ALL.len(), -4.0)
        );
    }

    #[test]
    fn yourmt3_decodes_only_the_channels_of_the_source() {
        assert_eq!(AllowedNotes::drums().yourmt3_channels(), [12]);
        assert_eq!(
            "bass".parse::<AllowedNotes>().unwrap().yourmt3_channels(),
            [4]
        );
        assert_eq!(AllowedNotes::everything().yourmt3_channels().len(), 13);
    }
}
