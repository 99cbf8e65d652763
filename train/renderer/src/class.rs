//! What can be struck: the drums that the engine writes, and hand percussion beside them.

use serde::{Deserialize, Serialize};

macro_rules! drum_classes {
    ($($variant:ident, $note:literal;)*) => {
        /// Drums in the order of the labels. The first ones are those of the engine.
        #[allow(missing_docs)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum DrumClass {
            $($variant,)*
        }

        impl DrumClass {
            /// Every class, in the order of the labels.
            pub const ALL: [Self; [$($note),*].len()] = [$(Self::$variant),*];

            /// The General MIDI percussion key that stands for the class.
            pub const fn gm_note(self) -> u8 {
                match self { $(Self::$variant => $note,)* }
            }
        }
    };
}

drum_classes! {
    Kick, 36;
    Snare, 38;
    SideStick, 37;
    Clap, 39;
    HighTom, 50;
    MidTom, 47;
    LowTom, 45;
    FloorTom, 41;
    ClosedHat, 42;
    PedalHat, 44;
    OpenHat, 46;
    Crash, 49;
    Ride, 51;
    RideBell, 53;
    China, 52;
    Splash, 55;
    Cowbell, 56;
    Tambourine, 54;
    Shaker, 70;
    HighConga, 63;
    LowConga, 64;
    Timbale, 65;
    Woodblock, 76;
    Triangle, 81;
    Cabasa, 69;
    OtherPercussion, 67;
}

impl DrumClass {
    /// Whether this is one of the toms.
    pub const fn is_tom(self) -> bool {
        matches!(
            self,
            Self::HighTom | Self::MidTom | Self::LowTom | Self::FloorTom
        )
    }

    /// Whether this belongs to a drum kit: everything up to the splash, without the clap.
    pub const fn is_kit(self) -> bool {
        (self as u8) <= Self::Splash as u8 && !matches!(self, Self::Clap)
    }

    /// Whether this rings like bronze: cymbals and hats.
    pub const fn is_metal(self) -> bool {
        use DrumClass::{China, ClosedHat, Crash, OpenHat, PedalHat, Ride, RideBell, Splash};
        matches!(
            self,
            China | ClosedHat | Crash | OpenHat | PedalHat | Ride | RideBell | Splash
        )
    }

    /// The class that a General MIDI percussion key belongs to: that of the engine, except for what
    /// the engine has no class of its own for.
    pub const fn from_gm_note(note: u8) -> Option<Self> {
        Some(match note {
            60 | 62 | 63 => Self::HighConga,
            61 | 64 => Self::LowConga,
            65 | 66 => Self::Timbale,
            75..=77 | 85 => Self::Woodblock,
            80 | 81 => Self::Triangle,
            69 | 73 | 74 => Self::Cabasa,
            67 | 68 | 58 => Self::OtherPercussion,
            _ => match hitscribe_core::DrumClass::from_gm_note(note) {
                Some(class) => Self::ALL[class.index()],
                None => return None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_begin_with_the_classes_of_the_engine() {
        for (ours, engines) in DrumClass::ALL.iter().zip(hitscribe_core::DrumClass::ALL) {
            assert_eq!(*ours as usize, engines.index());
            assert_eq!(ours.gm_note(), engines.gm_note());
        }
    }

    #[test]
    fn keys_lead_back_to_their_class() {
        for class in DrumClass::ALL {
            assert_eq!(DrumClass::from_gm_note(class.gm_note()), Some(class));
        }
    }
}
