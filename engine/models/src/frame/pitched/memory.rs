//! A recurrence for each key, whose gates see the input alone.

use burn_tensor::Tensor;
use burn_tensor::activation::{sigmoid, tanh};
use burn_tensor::backend::Backend;
use hitscribe_core::error::Result;

use crate::frame::layers::{Dense, Edges};
use crate::frame::network::Step;
use crate::frame::pitched::config::{PitchConfig, PitchWeights};

/// Gates in the order keep, new.
pub(super) struct Memory<B: Backend> {
    gates: Dense<B>,
    width: usize,
}

impl<B: Backend> Memory<B> {
    /// Reads `memory`.
    pub(super) fn load(
        weights: &PitchWeights<'_>,
        config: &PitchConfig,
        device: &B::Device,
    ) -> Result<Self> {
        let width = config.memory_channels;
        Ok(Self {
            gates: Dense::load(weights, "memory", config.channels, 2 * width, device)?,
            width,
        })
    }

    pub(super) fn new_state(&self, keys: usize, device: &B::Device) -> Tensor<B, 4> {
        Tensor::zeros([1, 1, keys, self.width], device)
    }

    /// The state after each of the next steps, `[batch, steps, keys, width]`. It stays zero before a
    /// passage begins.
    pub(super) fn run<S>(
        &self,
        steps: &mut [Step<'_, S>],
        mut kept: impl FnMut(&mut S) -> &mut Tensor<B, 4>,
        x: Tensor<B, 4>,
        edges: &Edges,
    ) -> Tensor<B, 4> {
        let (width, count) = (self.width, x.dims()[1]);
        let states = steps.iter_mut().map(|s| kept(s.state).clone()).collect();
        let mut state: Tensor<B, 4> = Tensor::cat(states, 0);
        let gates = self.gates.on_keys(x);
        let keep = sigmoid(gates.clone().slice_dim(3, 0..width));
        // Zeros before a passage keep a state of zeros.
        let new = edges.clear(tanh(gates.slice_dim(3, width..2 * width)), 1);
        let mut all = Vec::with_capacity(count);
        for row in 0..count {
            let keep = keep.clone().slice_dim(1, row..row + 1);
            let new = new.clone().slice_dim(1, row..row + 1);
            state = (state - new.clone()) * keep + new;
            all.push(state.clone());
        }
        for (index, step) in steps.iter_mut().enumerate() {
            *kept(step.state) = state.clone().slice_dim(0, index..index + 1);
        }
        Tensor::cat(all, 1)
    }
}
