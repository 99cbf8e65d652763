//! The pitched network in burn against PyTorch, on the tensor pack that
//! `train/hitscribe_train/pitched/parity.py` writes.

use hitscribe_models::device::Device;
use hitscribe_models::frame::pitched::{PitchConfig, PitchNet, VALUES_PER_KEY};

use super::parity;

const PACK: &[u8] = include_bytes!("../data/pitched_parity.safetensors");

/// Keys of the model, from the lowest to the highest of a piano.
const KEYS: usize = 88;

#[test]
fn features_equal_pytorch() {
    parity::features_equal::<PitchConfig>(PACK);
}

#[test]
fn outputs_equal_pytorch_whatever_the_step() {
    let net = PitchNet::load(PACK, Device::Cpu).unwrap();
    parity::outputs_equal::<PitchConfig>(net.frames(), PACK, &[KEYS, VALUES_PER_KEY]);
}

#[test]
fn damaged_weights_are_errors() {
    let load = |bytes: &[u8]| PitchNet::load(bytes, Device::Cpu).map(|_| ());
    parity::damage_is_an_error(load, PACK, "block.0.spread.weight");
}
