//! The network for pitched notes: onset, activity, velocity and time shift for each key in each
//! frame.
//!
//! Its PyTorch definition is `train/hitscribe_train/pitch_model.py`; `pitch_export.py` beside it
//! writes the weights file. Sizes, taps and harmonics come from that file's metadata and are
//! checked against its tensors.

mod config;
mod network;

use burn_tensor::backend::Backend;
use hitscribe_core::error::Result;

use crate::device::{BackendTask, Device};
use crate::frame::network::{AnyLayers, FrameNet};
use network::Network;

pub use config::{KeyBlockConfig, PitchConfig, PitchWeights, VALUES_PER_KEY};

/// The built-in weights, a SafeTensors file.
pub static PITCH_WEIGHTS: &[u8] = include_bytes!("../../../weights/builtin_pitch.safetensors");

/// The network for pitched notes on one device, for any number of sources. `Send` and `Sync`.
///
/// Outputs of a frame: [`VALUES_PER_KEY`] values for each key.
pub struct PitchNet {
    config: PitchConfig,
    frames: FrameNet,
}

impl PitchNet {
    /// Loads a weights file, such as [`PITCH_WEIGHTS`], onto a device.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Model`] for a damaged file or that of another network,
    /// [`hitscribe_core::Error::Device`] when the GPU fails.
    pub fn load(bytes: &[u8], device: Device) -> Result<Self> {
        let weights = PitchWeights::parse(bytes)?;
        let layers = device.run(Load(&weights))??;
        Ok(Self {
            frames: FrameNet::new(layers, device, &weights.config)?,
            config: weights.config,
        })
    }

    /// The configuration in the weights file.
    pub fn config(&self) -> &PitchConfig {
        &self.config
    }

    /// The network as frames in, frames out.
    pub fn frames(&self) -> &FrameNet {
        &self.frames
    }
}

struct Load<'a>(&'a PitchWeights<'a>);

impl BackendTask for Load<'_> {
    type Output = Result<Box<dyn AnyLayers>>;

    fn run<B: Backend>(self, device: &burn_tensor::Device<B>) -> Self::Output {
        Ok(Box::new(Network::<B>::load(self.0, device)?))
    }
}
