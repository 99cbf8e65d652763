//! The pitched network in burn against PyTorch, on the tensor pack that
//! `train/hitscribe_train/pitched/harmonic/parity.py` writes.

use hitscribe_models::device::Device;
use hitscribe_models::frame::pitched::{PitchNet, PitchWeights, VALUES_BEFORE_FAMILIES};
use hitscribe_models::frame::weights_file::NetworkConfig as _;

use super::parity;

const PACK: &[u8] = include_bytes!("../data/pitched_parity.safetensors");

/// The outputs of the pack as frames of the engine: the families of a step in both of its frames.
fn outputs(weights: &PitchWeights<'_>) -> Vec<f32> {
    let (model, values) = (&weights.config, VALUES_BEFORE_FAMILIES);
    let (keys, families) = (model.keys, model.families.len());
    let outputs = parity::tensor(weights, "check.outputs", &[keys, values]);
    let of_steps = parity::tensor(weights, "check.family", &[keys, families]);
    let frames = outputs.chunks(keys * values).enumerate();
    let values = frames.flat_map(|(frame, outputs)| {
        let of_step = &of_steps[frame / model.pair * keys * families..][..keys * families];
        let of_keys = outputs.chunks(values).zip(of_step.chunks(families));
        of_keys
            .flat_map(|(a, b)| [a, b].concat())
            .collect::<Vec<_>>()
    });
    values.collect()
}

#[test]
fn features_equal_pytorch() {
    let weights = PitchWeights::parse(PACK).unwrap();
    parity::check_features(&weights, &parity::joined_features(&weights));
}

#[test]
fn outputs_equal_pytorch_whatever_the_step() {
    outputs_equal_pytorch(Device::Cpu);
}

/// The last frames of the pack are left out: there PyTorch has nothing more, the engine silence.
pub fn outputs_equal_pytorch(device: Device) {
    let weights = PitchWeights::parse(PACK).unwrap();
    let net = PitchNet::load(PACK, device).unwrap();
    let row = weights.config.keys * weights.config.values_per_key();
    let expected = outputs(&weights);
    let tail = net.config().front_end().tail_frames * row;
    let expected = &expected[..expected.len() - tail];
    let hops = [256, 2, 4, 32, 100, 400];
    let features = parity::joined_features(&weights);
    parity::check_outputs(net.frames(), &features, expected, row, &hops);
}

#[test]
fn a_step_is_two_frames_and_the_look_ahead_that_of_training() {
    let weights = PitchWeights::parse(PACK).unwrap();
    let net = PitchNet::load(PACK, Device::Cpu).unwrap();
    let (step, delay) = (net.frames().step_frames(), net.frames().delay_frames());
    assert_eq!((step, delay), (2, 10));
    assert_eq!(weights.config.future_frames, delay + step - 1);
}

#[test]
fn damaged_weights_are_errors() {
    let load = |bytes: &[u8]| PitchNet::load(bytes, Device::Cpu).map(|_| ());
    parity::damage_is_an_error(load, PACK, "stem.weight");
}
