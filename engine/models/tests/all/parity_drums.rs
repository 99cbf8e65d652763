//! The drum network in burn against PyTorch, on the tensor pack that
//! `train/hitscribe_train/drums/independent/parity.py` writes.

use hitscribe_core::DrumClass;
use hitscribe_models::device::Device;
use hitscribe_models::frame::drums::{
    DRUM_WEIGHTS, DrumConfig, DrumNet, DrumWeights, INDEPENDENT_DRUM_WEIGHTS, VALUES_PER_CLASS,
};

use super::parity;

const PACK: &[u8] = include_bytes!("../data/builtin_parity.safetensors");

#[test]
fn features_equal_pytorch() {
    parity::features_equal::<DrumConfig>(PACK);
}

#[test]
fn outputs_equal_pytorch_whatever_the_step() {
    outputs_equal_pytorch(Device::Cpu);
}

pub fn outputs_equal_pytorch(device: Device) {
    let net = DrumNet::load(PACK, device).unwrap();
    let row = [VALUES_PER_CLASS, DrumClass::ALL.len()];
    parity::outputs_equal::<DrumConfig>(net.frames(), PACK, &row);
}

#[test]
fn damaged_weights_are_errors() {
    let load = |bytes: &[u8]| DrumNet::load(bytes, Device::Cpu).map(|_| ());
    parity::damage_is_an_error(load, PACK, "project.weight");
}

#[test]
fn weights_in_8_bits_have_a_factor_for_each_output() {
    let name = b"head.weight.scale";
    for bytes in [DRUM_WEIGHTS, INDEPENDENT_DRUM_WEIGHTS] {
        let weights = DrumWeights::parse(bytes).unwrap();
        let shape = weights.shape("head.weight").unwrap();
        let values = weights.tensor("head.weight", &shape).unwrap();
        let factors = weights.tensor("head.weight.scale", &shape[1..]).unwrap();
        for (output, factor) in factors.iter().enumerate() {
            let own = values.iter().skip(output).step_by(shape[1]);
            // Of each output the largest weight has the largest integer.
            let largest = own.fold(0.0f32, |most, value| most.max(value.abs()));
            assert!((largest / factor - 127.0).abs() < 1e-3, "output {output}");
        }
        let mut changed = bytes.to_vec();
        let at = changed.windows(name.len()).position(|w| w == name).unwrap();
        changed[at] = b'H';
        let error = DrumNet::load(&changed, Device::Cpu).err().unwrap();
        let expected = "tensor head.weight.scale is missing";
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}
