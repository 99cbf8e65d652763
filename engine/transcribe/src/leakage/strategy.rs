//! The strategies of the leakage filter.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How leaked notes are detected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// No filter.
    #[default]
    Off,
    /// The three rules of the MT3-PyTorch adapter on the shares of drums, bass and chromatic
    /// percussion.
    Auto,
    /// Removes every pitched note.
    DrumsOnly,
    /// Judges each pitched note by its evidence: simultaneous drums, length, repeated keys,
    /// dynamics, isolation.
    Smart,
    /// Removes pitched notes on one of the 21 keys of a drum kit among the 47 percussion keys of
    /// General MIDI.
    Pitch,
    /// Removes pitched notes with a confidence below a threshold.
    Confidence,
    /// Turns notes of chromatic percussion (programs 8 to 15) into drums.
    RemapChromatic,
}

impl Strategy {
    /// Every strategy in the order of menus.
    pub const ALL: [Self; 7] = [
        Self::Off,
        Self::Auto,
        Self::DrumsOnly,
        Self::Smart,
        Self::Pitch,
        Self::Confidence,
        Self::RemapChromatic,
    ];

    /// Stable name for command lines, files and parameters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Auto => "auto",
            Self::DrumsOnly => "drums-only",
            Self::Smart => "smart",
            Self::Pitch => "pitch",
            Self::Confidence => "confidence",
            Self::RemapChromatic => "remap-chromatic",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Strategy {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|s| s.name() == name)
            .ok_or_else(|| {
                let names: Vec<&str> = Self::ALL.iter().map(|s| s.name()).collect();
                format!("no leakage filter {name:?}; there are {}", names.join(", "))
            })
    }
}

/// A strategy with its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The strategy.
    pub strategy: Strategy,
    /// [`Strategy::Confidence`] removes pitched notes with a confidence below this, 0..=1.
    pub minimum_confidence: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            strategy: Strategy::Off,
            minimum_confidence: 0.5,
        }
    }
}

impl From<Strategy> for Settings {
    fn from(strategy: Strategy) -> Self {
        Self {
            strategy,
            ..Self::default()
        }
    }
}
