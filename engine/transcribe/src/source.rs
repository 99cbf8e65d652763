//! What a track contains, and which notes can therefore be on it.

use hitscribe_core::DrumClass;
use hitscribe_models::generate::allowed::AllowedNotes;
use serde::{Deserialize, Serialize};

use crate::session_config::{Parts, Programs};

/// The content of a track. Hits of drums that cannot be on it are bleed and are not transcribed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The whole kit on one track.
    #[default]
    DrumBus,
    /// Kick microphone.
    Kick,
    /// Snare microphone.
    Snare,
    /// Tom microphones.
    Toms,
    /// Hi-hat microphone.
    Hats,
    /// Overhead or room microphones: the whole kit from a distance.
    Overheads,
    /// Cymbal microphones used for cymbals only.
    Cymbals,
    /// Hand percussion.
    Percussion,
    /// Bass, alone on its track.
    Bass,
    /// Guitar, alone on its track.
    Guitar,
    /// Keyboards, alone on their track.
    Keys,
    /// Drums together with other instruments.
    FullMix,
}

impl Source {
    /// Whether there are only drums, so that every pitched note is leakage.
    pub const fn is_drums_only(self) -> bool {
        !matches!(self, Self::FullMix) && !self.is_pitched_only()
    }

    /// Whether there are no drums.
    pub const fn is_pitched_only(self) -> bool {
        matches!(self, Self::Bass | Self::Guitar | Self::Keys)
    }

    /// What the built-in models transcribe on such a track.
    pub const fn parts(self) -> Parts {
        Parts {
            drums: !self.is_pitched_only(),
            pitched_program: match self {
                Self::Bass => Some(33),
                Self::Guitar => Some(25),
                Self::Keys | Self::FullMix => Some(0),
                _ => None,
            },
            programs: match self {
                Self::FullMix => Programs::ALL,
                _ => Programs::NONE,
            },
        }
    }

    /// The notes that a model of the MT3 family may decode on such a track.
    pub fn mask(self) -> AllowedNotes {
        match self {
            Self::FullMix => AllowedNotes::everything(),
            Self::DrumBus | Self::Overheads => AllowedNotes::drums(),
            Self::Bass => AllowedNotes::programs(32..=39),
            Self::Guitar => AllowedNotes::programs(24..=31),
            Self::Keys => AllowedNotes::programs((0..=7).chain(16..=23)),
            // Congas, whistles and the like belong to none of the classes.
            _ => AllowedNotes::drum_keys((0..128).filter(|&key| {
                match DrumClass::from_gm_note(key) {
                    Some(class) => self.allows(class),
                    None => self == Self::Percussion,
                }
            })),
        }
    }

    /// Whether hits of `class` can be on such a track.
    pub const fn allows(self, class: DrumClass) -> bool {
        use DrumClass::*;
        match self {
            Self::DrumBus | Self::Overheads | Self::FullMix => true,
            Self::Bass | Self::Guitar | Self::Keys => false,
            Self::Kick => matches!(class, Kick),
            Self::Snare => matches!(class, Snare | SideStick | Clap),
            Self::Toms => matches!(class, HighTom | MidTom | LowTom | FloorTom),
            Self::Hats => matches!(class, ClosedHat | PedalHat | OpenHat),
            Self::Cymbals => matches!(class, Crash | Ride | RideBell | China | Splash),
            Self::Percussion => matches!(class, Clap | SideStick | Cowbell | Tambourine | Shaker),
        }
    }

    /// Whether a note with this MIDI key can be on such a track. Pitched notes can: the leakage
    /// filter decides about them.
    pub fn admits(self, is_drum: bool, key: u8) -> bool {
        let allowed = || match DrumClass::from_gm_note(key) {
            Some(class) => self.allows(class),
            None => !self.is_pitched_only(),
        };
        !is_drum || allowed()
    }
}

impl From<Source> for AllowedNotes {
    fn from(source: Source) -> Self {
        source.mask()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_close_microphone() {
        let close = [
            Source::Kick,
            Source::Snare,
            Source::Toms,
            Source::Hats,
            Source::Cymbals,
            Source::Percussion,
        ];
        for class in DrumClass::ALL {
            assert!(close.iter().any(|source| source.allows(class)), "{class:?}");
            assert!(Source::DrumBus.allows(class));
            assert!(Source::Overheads.allows(class));
            assert!(!Source::Bass.admits(true, class.gm_note()));
        }
        assert!(Source::Keys.admits(false, 60) && !Source::Keys.is_drums_only());
        assert!(!Source::Kick.allows(DrumClass::Snare));
    }

    #[test]
    fn the_mask_for_imported_models_matches_the_source() {
        let is = |source: Source, text: &str| source.mask() == text.parse().unwrap();
        assert!(is(Source::DrumBus, "drums") && is(Source::FullMix, "mix"));
        assert!(is(Source::Bass, "bass") && is(Source::Guitar, "guitar"));
        assert!(is(Source::Keys, "keys"));
        let kick = Source::Kick.mask();
        assert!(kick.allows_drum(36) && !kick.allows_drum(38) && !kick.allows_drum(63));
        assert!(Source::Percussion.mask().allows_drum(63) && !kick.allows_pitched());
        assert!(
            Source::Bass
                .parts()
                .pitched_program
                .is_some_and(|program| { Source::Bass.mask().allows_program(program) })
        );
    }
}
