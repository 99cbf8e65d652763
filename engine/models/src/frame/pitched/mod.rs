//! The network for pitched notes: evidence for onsets, sounding keys and more for each key in each
//! frame. Every block compares each key with its harmonics and sub-harmonics.
//!
//! `train/HARMONIC.md` specifies it; `train/hitscribe_train/pitched/harmonic/export.py` writes the
//! weights file. Sizes, taps and harmonics come from that file's metadata and are checked against
//! its tensors.

mod block;
mod config;
mod memory;
mod network;

use burn_tensor::backend::Backend;
use hitscribe_core::error::Result;

use crate::device::{BackendTask, Device};
use crate::frame::network::{AnyLayers, FrameModel};
use network::Network;

pub use config::{
    Family, NotePicking, PitchConfig, PitchWeights, StemShape, VALUES_BEFORE_FAMILIES,
};

/// The built-in weights, a SafeTensors file.
pub static PITCH_WEIGHTS: &[u8] = include_bytes!("../../../weights/builtin_pitch.safetensors");

/// The network for pitched notes.
pub type PitchNet = FrameModel<PitchConfig>;

impl PitchNet {
    /// Loads a weights file, such as [`PITCH_WEIGHTS`], onto a device.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Model`] for a damaged file or that of another network,
    /// [`hitscribe_core::Error::Device`] when the GPU fails.
    pub fn load(bytes: &[u8], device: Device) -> Result<Self> {
        let weights = PitchWeights::parse(bytes)?;
        let layers = device.run(Load(&weights))??;
        Self::new(weights.config, layers, device)
    }
}

struct Load<'a>(&'a PitchWeights<'a>);

impl BackendTask for Load<'_> {
    type Output = Result<Box<dyn AnyLayers>>;

    fn run<B: Backend>(self, device: &burn_tensor::Device<B>) -> Self::Output {
        Ok(Box::new(Network::<B>::load(self.0, device)?))
    }
}
