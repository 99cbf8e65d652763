//! A gated recurrent unit.

use burn_tensor::Tensor;
use burn_tensor::activation::{sigmoid, tanh};
use burn_tensor::backend::Backend;
use hitscribe_core::error::Result;

use crate::frame::layers::{Dense, Edges};
use crate::frame::network::Step;
use crate::frame::weights_file::{NetworkConfig, WeightsFile};

/// Gates in the order reset, update, new.
pub(in crate::frame) struct Gru<B: Backend> {
    input: Dense<B>,
    hidden: Dense<B>,
    width: usize,
}

impl<B: Backend> Gru<B> {
    /// Reads `gru.input` and `gru.hidden`.
    pub(in crate::frame) fn load<C: NetworkConfig>(
        weights: &WeightsFile<'_, C>,
        width: usize,
        device: &B::Device,
    ) -> Result<Self> {
        Ok(Self {
            input: Dense::load(weights, "gru.input", width, 3 * width, device)?,
            hidden: Dense::load(weights, "gru.hidden", width, 3 * width, device)?,
            width,
        })
    }

    pub(in crate::frame) fn new_state(&self, device: &B::Device) -> Tensor<B, 3> {
        Tensor::zeros([1, 1, self.width], device)
    }

    /// The state after each of the next rows, `[batch, rows, width]`. It stays zero before a passage
    /// begins.
    pub(in crate::frame) fn run<S>(
        &self,
        steps: &mut [Step<'_, S>],
        mut kept: impl FnMut(&mut S) -> &mut Tensor<B, 3>,
        x: Tensor<B, 3>,
        edges: &Edges,
    ) -> Tensor<B, 3> {
        let (width, rows) = (self.width, x.dims()[1]);
        let states = steps.iter_mut().map(|s| kept(s.state).clone()).collect();
        let mut state: Tensor<B, 3> = Tensor::cat(states, 0);
        let of_input = self.input.forward(x);
        let mut all = Vec::with_capacity(rows);
        for row in 0..rows {
            let a = of_input.clone().slice_dim(1, row..row + 1);
            let b = self.hidden.forward(state.clone());
            let both = |x: &Tensor<B, 3>| x.clone().slice_dim(2, 0..2 * width);
            let new = |x: &Tensor<B, 3>| x.clone().slice_dim(2, 2 * width..3 * width);
            let gates = sigmoid(both(&a) + both(&b));
            let reset = gates.clone().slice_dim(2, 0..width);
            let update = gates.slice_dim(2, width..2 * width);
            let next = tanh(new(&a) + reset * new(&b));
            state = edges
                .row(row)
                .clear(update * (state - next.clone()) + next, 1);
            all.push(state.clone());
        }
        for (index, step) in steps.iter_mut().enumerate() {
            *kept(step.state) = state.clone().slice_dim(0, index..index + 1);
        }
        Tensor::cat(all, 1)
    }
}
