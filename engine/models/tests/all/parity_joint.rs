//! The drum network that decides jointly, in burn against PyTorch, on the tensor pack that
//! `train/hitscribe_train/drums/parity.py` writes.

use hitscribe_models::device::Device;
use hitscribe_models::frame::FrameStep;
use hitscribe_models::frame::drums::{DrumNet, DrumWeights};
use hitscribe_models::frame::weights_file::NetworkConfig as _;

use super::parity;

const PACK: &[u8] = include_bytes!("../data/joint_parity.safetensors");

#[test]
fn features_equal_pytorch() {
    let weights = DrumWeights::parse(PACK).unwrap();
    parity::check_features(&weights, &parity::joined_features(&weights));
}

#[test]
fn outputs_equal_pytorch_whatever_the_step() {
    outputs_equal_pytorch(Device::Cpu);
}

/// The last frames of the pack are left out: there PyTorch has nothing more, the engine silence.
pub fn outputs_equal_pytorch(device: Device) {
    let weights = DrumWeights::parse(PACK).unwrap();
    let net = DrumNet::load(PACK, device).unwrap();
    let row = net.config().outputs();
    let expected = parity::tensor(&weights, "check.outputs", &[row]);
    let tail = net.config().front_end().tail_frames * row;
    let expected = &expected[..expected.len() - tail];
    let hops = [256, 4, 8, 32, 100, 400];
    let features = parity::joined_features(&weights);
    parity::check_outputs(net.frames(), &features, expected, row, &hops);
}

#[test]
fn frames_come_in_whole_steps() {
    let net = DrumNet::load(PACK, Device::Cpu).unwrap();
    assert_eq!(
        (net.frames().step_frames(), net.frames().delay_frames()),
        (4, 14)
    );
    let frame_len = net.frames().front_end().config().frame_len();
    let mut state = net.frames().new_state().unwrap();
    let error = net.frames().run(&mut [FrameStep {
        state: &mut state,
        features: &vec![0.0; 3 * frame_len],
        total_frames: None,
    }]);
    assert!(error.unwrap_err().to_string().contains("in multiples of 4"));
}

#[test]
fn damaged_weights_are_errors() {
    let load = |bytes: &[u8]| DrumNet::load(bytes, Device::Cpu).map(|_| ());
    parity::damage_is_an_error(load, PACK, "project.weight");
}
