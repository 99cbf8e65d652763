//! The published architectures, and which of them a checkpoint belongs to.

use std::path::Path;

use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::error::{Error, Result};
use hitscribe_core::features::mt3_family::FrontEndKind;

use crate::mt3_family::{mt3, yourmt3};

/// A published architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// MT3, as MT3-PyTorch and mt3-infer's MR-MT3 load it.
    Mt3,
    /// MR-MT3 with its memory of the previous segment.
    MrMt3,
    /// YourMT3, YPTF.MoE+Multi.
    YourMt3,
}

impl Family {
    /// Name for users.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mt3 => "MT3",
            Self::MrMt3 => "MR-MT3",
            Self::YourMt3 => "YourMT3",
        }
    }

    /// The front end that the published weights were trained with.
    pub fn front_end(self) -> FrontEndKind {
        match self {
            Self::Mt3 => FrontEndKind::Mt3,
            Self::MrMt3 => FrontEndKind::MrMt3Normalised,
            Self::YourMt3 => FrontEndKind::YourMt3,
        }
    }

    /// Whether networks of this family can use the features of `kind`.
    pub fn takes(self, kind: FrontEndKind) -> bool {
        (self == Self::YourMt3) == (kind == FrontEndKind::YourMt3)
    }
}

/// The family of a checkpoint, from the names of its tensors, without loading them.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Model`] if it is not a checkpoint of the
/// family.
pub fn family_of(path: &Path) -> Result<Family> {
    let checkpoint = Checkpoint::open(path)?;
    if let Some(prefix) = mt3::prefix_of(&checkpoint) {
        let memory = format!("{prefix}segmem_encoder.block.0.layer.0.layer_norm.weight");
        Ok(match checkpoint.contains(&memory) {
            true => Family::MrMt3,
            false => Family::Mt3,
        })
    } else if yourmt3::prefix_of(&checkpoint).is_some() {
        Ok(Family::YourMt3)
    } else {
        Err(unknown_family(&checkpoint))
    }
}

/// The error for a checkpoint of no known family.
pub(super) fn unknown_family(checkpoint: &Checkpoint) -> Error {
    Error::Model {
        model: checkpoint.path().display().to_string(),
        reason: "is neither MT3, MR-MT3 nor YourMT3: it has no proj.weight and no \
                 pre_decoder.0.linear.weight"
            .to_owned(),
    }
}
