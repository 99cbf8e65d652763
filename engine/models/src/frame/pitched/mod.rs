//! The network for pitched notes: onset, activity, velocity and time shift for each key in each
//! frame.
//!
//! Its PyTorch definition is `train/hitscribe_train/pitched/model.py`; `export.py` beside it
//! writes the weights file. Sizes, taps and harmonics come from that file's metadata and are
//! checked against its tensors.

mod config;
mod network;

use burn_tensor::backend::Backend;
use hitscribe_core::error::Result;

use crate::device::{BackendTask, Device};
use crate::frame::network::{AnyLayers, FrameModel};
use network::Network;

pub use config::{KeyBlockConfig, PitchConfig, PitchWeights, VALUES_PER_KEY};

/// The built-in weights, a SafeTensors file.
pub static PITCH_WEIGHTS: &[u8] = include_bytes!("../../../weights/builtin_pitch.safetensors");

/// The network for pitched notes. Outputs of a frame: [`VALUES_PER_KEY`] values for each key.
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
