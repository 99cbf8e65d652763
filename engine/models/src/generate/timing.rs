//! The parts of the work that `benches/mt3_family.rs` measures one by one.

use burn_tensor::backend::Backend;
use burn_tensor::{Device, Tensor};
use hitscribe_core::features::mt3_family::Features;

use crate::generate::network::{Network, batch};
use crate::mt3_family::mt3;

/// Runs the encoder on the first segment, waits for the device, and returns the decoder's contexts
/// `[channels, rows, model]`.
pub(super) fn encode<B: Backend>(
    network: &Network<B>,
    features: &Features,
    device: &Device<B>,
) -> Tensor<B, 3> {
    let input = batch(features, 0, 1, device);
    let contexts = match network {
        Network::Mt3(model) => {
            let encoded = model.encode(input);
            match model.memory(&mt3::first_memory_ids(model.memory_variant())) {
                Some(memory) => Tensor::cat(vec![encoded, memory], 1),
                None => encoded,
            }
        }
        Network::YourMt3(model) => {
            let channels: Vec<usize> = (0..network.channels()).collect();
            model.contexts(model.encode(input, None), &channels)
        }
    };
    // An error of the device shows in the next call.
    let _ = B::sync(device);
    contexts
}

/// Decodes `steps` ids of each of `copies` copies of the contexts, whether or not they end.
pub(super) fn decode_steps<B: Backend>(
    network: &Network<B>,
    contexts: &Tensor<B, 3>,
    copies: usize,
    steps: usize,
) {
    let contexts = contexts.clone().repeat_dim(0, copies);
    let mut ids = vec![0; contexts.dims()[0]];
    let decoder = network.decoder();
    let mut state = decoder.start(contexts);
    for _ in 0..steps {
        let best = decoder.step(&ids, &mut state).argmax(1).into_data();
        ids = best.iter::<i32>().collect();
    }
}
