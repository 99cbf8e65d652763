//! What a track contains, and therefore what may be heard on it.

use serde::{Deserialize, Serialize};

use crate::event::DrumClass;

/// What the user says the track is. Hits of drums that cannot be on it are bleed and are not
/// transcribed.
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
    /// Cymbal or overhead microphones used for cymbals only.
    Cymbals,
    /// Hand percussion.
    Percussion,
    /// Drums together with other instruments.
    FullMix,
}

impl Source {
    /// Whether drums are all there is, so that a pitched note can only be leakage.
    pub const fn is_drums_only(self) -> bool {
        !matches!(self, Self::FullMix)
    }

    /// Whether hits of `class` can be on such a track.
    pub const fn allows(self, class: DrumClass) -> bool {
        use DrumClass::*;
        match self {
            Self::DrumBus | Self::FullMix => true,
            Self::Kick => matches!(class, Kick),
            Self::Snare => matches!(class, Snare | SideStick | Clap),
            Self::Toms => matches!(class, HighTom | MidTom | LowTom | FloorTom),
            Self::Hats => matches!(class, ClosedHat | PedalHat | OpenHat),
            Self::Cymbals => matches!(class, Crash | Ride | RideBell | China | Splash),
            Self::Percussion => matches!(class, Clap | SideStick | Cowbell | Tambourine | Shaker),
        }
    }

    /// Whether a note with this MIDI key can be on such a track at all. Pitched notes pass: whether
    /// they are leakage is the filter's question, not the microphone's.
    pub fn admits(self, is_drum: bool, key: u8) -> bool {
        !is_drum || DrumClass::from_gm_note(key).is_none_or(|class| self.allows(class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_a_source_of_its_own() {
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
        }
        assert!(!Source::Kick.allows(DrumClass::Snare));
    }
}
