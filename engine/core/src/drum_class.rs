//! The drum classes of the built-in model.

use serde::{Deserialize, Serialize};

macro_rules! drum_classes {
    ($($variant:ident, $note:literal, $key:literal, $label:literal;)*) => {
        /// A drum class of the built-in model, in the order of its output channels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum DrumClass {
            $(#[doc = $label] $variant,)*
        }

        impl DrumClass {
            /// Every class, in the order of the model's output channels.
            pub const ALL: [Self; [$($note),*].len()] = [$(Self::$variant),*];

            /// The General MIDI percussion key of this class in MIDI output.
            pub const fn gm_note(self) -> u8 {
                match self { $(Self::$variant => $note,)* }
            }

            /// Stable identifier in files and parameters.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$variant => $key,)* }
            }

            /// Display name.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }
        }
    };
}

drum_classes! {
    Kick, 36, "kick", "Kick";
    Snare, 38, "snare", "Snare";
    SideStick, 37, "side_stick", "Side stick";
    Clap, 39, "clap", "Clap";
    HighTom, 50, "high_tom", "High tom";
    MidTom, 47, "mid_tom", "Mid tom";
    LowTom, 45, "low_tom", "Low tom";
    FloorTom, 41, "floor_tom", "Floor tom";
    ClosedHat, 42, "closed_hat", "Closed hi-hat";
    PedalHat, 44, "pedal_hat", "Pedal hi-hat";
    OpenHat, 46, "open_hat", "Open hi-hat";
    Crash, 49, "crash", "Crash";
    Ride, 51, "ride", "Ride";
    RideBell, 53, "ride_bell", "Ride bell";
    China, 52, "china", "China";
    Splash, 55, "splash", "Splash";
    Cowbell, 56, "cowbell", "Cowbell";
    Tambourine, 54, "tambourine", "Tambourine";
    Shaker, 70, "shaker", "Shaker";
}

impl DrumClass {
    /// Index of this class in [`DrumClass::ALL`], which is its output channel.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether this is a tom.
    pub const fn is_tom(self) -> bool {
        matches!(
            self,
            Self::HighTom | Self::MidTom | Self::LowTom | Self::FloorTom
        )
    }

    /// The class of a General MIDI percussion key; `None` if no class covers it.
    pub const fn from_gm_note(note: u8) -> Option<Self> {
        Some(match note {
            35 | 36 => Self::Kick,
            38 | 40 => Self::Snare,
            37 => Self::SideStick,
            39 => Self::Clap,
            48 | 50 => Self::HighTom,
            47 => Self::MidTom,
            45 => Self::LowTom,
            41 | 43 => Self::FloorTom,
            42 => Self::ClosedHat,
            44 => Self::PedalHat,
            46 => Self::OpenHat,
            49 | 57 => Self::Crash,
            51 | 59 => Self::Ride,
            53 => Self::RideBell,
            52 => Self::China,
            55 => Self::Splash,
            56 => Self::Cowbell,
            54 => Self::Tambourine,
            69 | 70 | 82 => Self::Shaker,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_maps_to_its_own_gm_note_and_back() {
        for (index, class) in DrumClass::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), index);
            assert_eq!(DrumClass::from_gm_note(class.gm_note()), Some(class));
        }
    }
}
