//! The drum network in burn against PyTorch, on the tensor pack that
//! `train/hitscribe_train/drums/independent/parity.py` writes.

use hitscribe_core::DrumClass;
use hitscribe_models::device::Device;
use hitscribe_models::frame::drums::{DrumConfig, DrumNet, VALUES_PER_CLASS};

use super::parity;

const PACK: &[u8] = include_bytes!("../data/builtin_parity.safetensors");

#[test]
fn features_equal_pytorch() {
    parity::features_equal::<DrumConfig>(PACK);
}

#[test]
fn outputs_equal_pytorch_whatever_the_step() {
    let net = DrumNet::load(PACK, Device::Cpu).unwrap();
    let row = [VALUES_PER_CLASS, DrumClass::ALL.len()];
    parity::outputs_equal::<DrumConfig>(net.frames(), PACK, &row);
}

#[test]
fn damaged_weights_are_errors() {
    let load = |bytes: &[u8]| DrumNet::load(bytes, Device::Cpu).map(|_| ());
    parity::damage_is_an_error(load, PACK, "project.weight");
}
