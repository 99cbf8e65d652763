//! The drum network in burn against PyTorch, on the tensor pack that `train/hitscribe_train/parity.py`
//! writes.

use super::parity;
use hitscribe_core::DrumClass;
use hitscribe_models::frame::drums::{DrumConfig, Drums, VALUES_PER_CLASS};

const PACK: &[u8] = include_bytes!("../data/builtin_parity.safetensors");

#[test]
fn features_equal_pytorch() {
    parity::features_equal::<DrumConfig>(PACK);
}

#[test]
fn outputs_equal_pytorch_whatever_the_step() {
    parity::outputs_equal::<Drums>(PACK, &[VALUES_PER_CLASS, DrumClass::ALL.len()]);
}

#[test]
fn damaged_weights_are_errors() {
    parity::damage_is_an_error::<Drums>(PACK, "project.weight");
}
