//! The user's choice of a precision.

use std::fmt;
use std::str::FromStr;

use hitscribe_core::error::{Error, Result};

use crate::compact::Format;

/// In how many bits the CPU computes with the weights of a model of the MT3 family. On a GPU it is
/// always [`Precision::F32`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// [`Precision::F32`], until the others are measured on trained weights.
    #[default]
    Auto,
    /// 32-bit floats: the reference.
    F32,
    /// The decoder's weights in 16-bit floats; everything else in 32.
    F16,
    /// Weights in 8-bit integers with a scale for each output, and their inputs in 8-bit integers
    /// with a scale for every 64 of them.
    Int8,
}

impl Precision {
    /// Its name, which [`FromStr`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        }
    }

    /// The format of a decoder's linear maps; `None` for full precision.
    pub(crate) fn of_decoder(self) -> Option<Format> {
        match self {
            Self::Auto | Self::F32 => None,
            Self::F16 => Some(Format::F16),
            Self::Int8 => Some(Format::Int8),
        }
    }

    /// The same for an encoder, whose many rows make 16-bit weights no faster.
    pub(crate) fn of_encoder(self) -> Option<Format> {
        (self == Self::Int8).then_some(Format::Int8)
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::Auto, Self::F32, Self::F16, Self::Int8];
        let found = all.into_iter().find(|precision| precision.name() == text);
        found.ok_or_else(|| Error::Setting {
            name: "precision",
            value: text.to_owned(),
            reason: "use auto, f32, f16 or int8".to_owned(),
        })
    }
}
