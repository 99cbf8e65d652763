//! The pitched network in burn against PyTorch, on the tensor pack that
//! `train/hitscribe_train/parity.py --pitched` writes.

use super::parity;
use hitscribe_models::frame::pitched::{Pitched, PitchedConfig, VALUES_PER_KEY};

const PACK: &[u8] = include_bytes!("../data/pitched_parity.safetensors");

/// Keys of the model, from the lowest to the highest of a piano.
const KEYS: usize = 88;

#[test]
fn features_equal_pytorch() {
    parity::features_equal::<PitchedConfig>(PACK);
}

#[test]
fn outputs_equal_pytorch_whatever_the_step() {
    parity::outputs_equal::<Pitched>(PACK, &[KEYS, VALUES_PER_KEY]);
}

#[test]
fn damaged_weights_are_errors() {
    parity::damage_is_an_error::<Pitched>(PACK, "block.0.spread.weight");
}
