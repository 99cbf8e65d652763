//! The networks for pitched notes: evidence for onsets, sounding keys and more for each key in each
//! frame.
//!
//! Their PyTorch definitions are in `train/hitscribe_train/pitched`, which writes the weights files.
//! Sizes, taps and harmonics come from that file's metadata and are checked against its tensors.
//! There are two, told apart by the file's format.

mod config;
mod harmonic;
mod windowed;

use burn_tensor::backend::Backend;
use hitscribe_core::error::Result;

use crate::device::{BackendTask, Device};
use crate::frame::network::{AnyLayers, FrameModel};

pub use config::{PitchConfig, PitchWeights};
pub use harmonic::config::{
    Family, HarmonicConfig, NotePicking, StemShape, VALUES_BEFORE_FAMILIES,
};
pub use windowed::config::{KeyBlockConfig, VALUES_PER_KEY, WindowedConfig};

/// The built-in weights, a SafeTensors file.
pub static PITCH_WEIGHTS: &[u8] = include_bytes!("../../../weights/builtin_pitch.safetensors");

/// A network for pitched notes.
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
        Ok(match &self.0.config {
            PitchConfig::Windowed(config) => Box::new(windowed::network::Network::<B>::load(
                config, self.0, device,
            )?),
            PitchConfig::Harmonic(config) => Box::new(harmonic::network::Network::<B>::load(
                config, self.0, device,
            )?),
        })
    }
}
