//! The drum networks: audio features in, evidence for strokes of each drum class out.
//!
//! Their PyTorch definitions are in `train/hitscribe_train`, which writes the weights files. Sizes,
//! taps and classes come from that file's metadata and are checked against its tensors. There are
//! two, told apart by the file's format: one that decides jointly and needs little future, and one
//! with independent classes. Live sessions use the first, recordings the mean of both.

mod band_convolution;
mod block;
mod config;
mod independent;
mod joint;

use burn_tensor::backend::Backend;
use hitscribe_core::error::Result;

use crate::device::{BackendTask, Device};
use crate::frame::network::{AnyLayers, FrameModel};

pub use crate::frame::taps::BlockConfig;
pub use config::{DrumConfig, DrumWeights};
pub use independent::config::{IndependentConfig, StemLayer, VALUES_PER_CLASS};
pub use joint::config::{JointConfig, OutputCounts, Picking, StepLayer};

/// The built-in weights of the network that decides jointly, a SafeTensors file.
pub static DRUM_WEIGHTS: &[u8] = include_bytes!("../../../weights/builtin_joint.safetensors");

/// The built-in weights of the network with independent classes.
pub static INDEPENDENT_DRUM_WEIGHTS: &[u8] = include_bytes!("../../../weights/builtin.safetensors");

/// A drum network.
pub type DrumNet = FrameModel<DrumConfig>;

impl DrumNet {
    /// Loads a weights file, such as [`DRUM_WEIGHTS`], onto a device.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Model`] for a damaged file or that of another network,
    /// [`hitscribe_core::Error::Device`] when the GPU fails.
    pub fn load(bytes: &[u8], device: Device) -> Result<Self> {
        let weights = DrumWeights::parse(bytes)?;
        let layers = device.run(Load(&weights))??;
        Self::new(weights.config, layers, device)
    }
}

struct Load<'a>(&'a DrumWeights<'a>);

impl BackendTask for Load<'_> {
    type Output = Result<Box<dyn AnyLayers>>;

    fn run<B: Backend>(self, device: &burn_tensor::Device<B>) -> Self::Output {
        Ok(match &self.0.config {
            DrumConfig::Independent(config) => Box::new(independent::network::Network::<B>::load(
                config, self.0, device,
            )?),
            DrumConfig::Joint(config) => {
                Box::new(joint::network::Network::<B>::load(config, self.0, device)?)
            }
        })
    }
}
