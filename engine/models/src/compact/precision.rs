//! The user's choice of a precision.

use std::fmt;
use std::str::FromStr;

use burn_tensor::backend::Backend;
use burn_tensor::{DType, Device};
use hitscribe_core::error::{Error, Result};

use crate::compact::Format;
use crate::device::is_cpu;

/// In how many bits a device computes with the weights of a model of the MT3 family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// [`Precision::F32`], until the others are measured on trained weights.
    #[default]
    Auto,
    /// 32-bit floats: the reference.
    F32,
    /// On the CPU the decoder's weights in 16-bit floats, everything else in 32. On a GPU weights,
    /// inputs, keys and values in 16-bit floats; norms, softmax, sums, logits and the maps whose
    /// outputs can be too large for 16 bits in 32. [`Precision::F32`] on a GPU that lacks them.
    F16,
    /// On the CPU weights in 8-bit integers with a scale for each output, and their inputs in 8-bit
    /// integers with a scale for every 64 of them. On a GPU [`Precision::F32`].
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

    /// The same for an encoder, whose many rows make 16-bit weights no faster on the CPU.
    pub(crate) fn of_encoder<B: Backend>(self) -> Option<Format> {
        self.of_decoder()
            .filter(|format| *format == Format::Int8 || !is_cpu::<B>())
    }

    /// The precision that the device computes in. Logs a warning if it is another than this.
    pub(crate) fn on<B: Backend>(self, device: &Device<B>) -> Self {
        let lack = match self {
            _ if is_cpu::<B>() => None,
            Self::Int8 => Some("8-bit products are for the CPU"),
            Self::F16 if !B::supports_dtype(device, DType::F16) => {
                Some("the driver offers no 16-bit floats")
            }
            _ => None,
        };
        match lack {
            None => self,
            Some(lack) => {
                log::warn!("the GPU computes in f32 instead of {self}: {lack}");
                Self::F32
            }
        }
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
