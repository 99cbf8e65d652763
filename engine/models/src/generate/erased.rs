//! Token networks without their backend in the type, so that only this crate compiles the backend's
//! code.

use std::any::Any;

use burn_tensor::backend::Backend;
use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::error::Result;
use hitscribe_core::features::mt3_family::Features;

use crate::compact::Precision;
use crate::device::{BackendTask, Device};
use crate::generate::family::Family;
use crate::generate::greedy::Sequence;
use crate::generate::network::{Network, SegmentTask, TokenOptions, batch};
use crate::generate::timing;
use crate::generate::trace::{NamedTensor, TraceRequest, trace};
use crate::mt3_family::hyperparameters::{Hyperparameters, MemoryVariant};
use crate::mt3_family::load::LoadReport;

/// A [`Network`] on any backend.
pub(super) trait TokenNetwork: Send + Sync {
    fn family(&self) -> Family;

    /// Features per frame.
    fn bands(&self) -> usize;

    /// See [`Network::usual_batch`].
    fn usual_batch(&self, frames: usize) -> usize;

    /// See [`Network::memory`].
    fn memory(&self) -> Option<MemoryVariant>;

    /// See [`Network::decode_all`].
    fn decode_all(
        &self,
        features: &Features,
        options: &TokenOptions,
        on_segments: &mut dyn FnMut(usize) -> bool,
    ) -> Vec<Vec<Sequence>>;

    /// See [`Network::decode`]; one segment of features for each task.
    fn decode(
        &self,
        features: &Features,
        tasks: &[SegmentTask<'_>],
        keep_going: &dyn Fn() -> bool,
    ) -> Vec<Vec<Sequence>>;

    /// See [`trace`].
    fn trace(&self, features: &Features, request: &TraceRequest) -> Result<Vec<NamedTensor>>;

    /// See [`timing::encode`].
    fn encode(&self, features: &Features) -> Box<dyn Any>;

    /// See [`timing::decode_steps`].
    fn decode_steps(&self, contexts: &dyn Any, copies: usize, steps: usize);
}

/// A network and the device that its tensors are on.
struct Resident<B: Backend> {
    network: Network<B>,
    device: burn_tensor::Device<B>,
}

impl<B: Backend> TokenNetwork for Resident<B> {
    fn family(&self) -> Family {
        self.network.family()
    }

    fn bands(&self) -> usize {
        self.network.bands()
    }

    fn usual_batch(&self, frames: usize) -> usize {
        self.network.usual_batch(frames)
    }

    fn memory(&self) -> Option<MemoryVariant> {
        self.network.memory()
    }

    fn decode_all(
        &self,
        features: &Features,
        options: &TokenOptions,
        on_segments: &mut dyn FnMut(usize) -> bool,
    ) -> Vec<Vec<Sequence>> {
        self.network
            .decode_all(features, options, &self.device, on_segments)
    }

    fn decode(
        &self,
        features: &Features,
        tasks: &[SegmentTask<'_>],
        keep_going: &dyn Fn() -> bool,
    ) -> Vec<Vec<Sequence>> {
        let features = batch(features, 0, tasks.len(), &self.device);
        self.network.decode(features, tasks, None, keep_going)
    }

    fn trace(&self, features: &Features, request: &TraceRequest) -> Result<Vec<NamedTensor>> {
        trace(&self.network, features, request, &self.device)
    }

    fn encode(&self, features: &Features) -> Box<dyn Any> {
        Box::new(timing::encode(&self.network, features, &self.device))
    }

    fn decode_steps(&self, contexts: &dyn Any, copies: usize, steps: usize) {
        if let Some(contexts) = contexts.downcast_ref() {
            timing::decode_steps(&self.network, contexts, copies, steps);
        }
    }
}

/// Loads the network of a checkpoint onto a device.
///
/// # Errors
/// [`hitscribe_core::Error::Model`] if it does not fit, [`hitscribe_core::Error::Device`] when the
/// GPU fails.
pub(super) fn load(
    checkpoint: &Checkpoint,
    hyperparameters: &Hyperparameters,
    precision: Precision,
    device: Device,
) -> Result<(Box<dyn TokenNetwork>, LoadReport)> {
    device.run(Load {
        checkpoint,
        hyperparameters,
        precision,
    })?
}

struct Load<'a> {
    checkpoint: &'a Checkpoint,
    hyperparameters: &'a Hyperparameters,
    precision: Precision,
}

impl BackendTask for Load<'_> {
    type Output = Result<(Box<dyn TokenNetwork>, LoadReport)>;

    fn run<B: Backend>(self, device: &burn_tensor::Device<B>) -> Self::Output {
        let (network, report) = Network::<B>::load(
            self.checkpoint,
            self.hyperparameters,
            self.precision,
            device,
        )?;
        let device = device.clone();
        Ok((Box::new(Resident { network, device }), report))
    }
}
