//! What the parity tests of the built-in networks share: a tensor pack holds the network, and
//! audio, features and outputs as PyTorch computed them.

use std::sync::Arc;

use hitscribe_core::error::Result;
use hitscribe_core::features::log_bands::{FeatureStream, LogBands};
use hitscribe_models::device::Device;
use hitscribe_models::frame::weights_file::{NetworkConfig, WeightsFile};
use hitscribe_models::frame::{FrameNet, FrameStep};
use serde::de::DeserializeOwned;

/// Largest difference of outputs on the CPU, 32-bit floats on both sides.
const OUTPUT_TOLERANCE: f32 = 1e-5;

/// The same on GPUs.
const GPU_TOLERANCE: f32 = 1e-3;

/// Largest difference of features: bands far below a loud one have the transform's rounding errors.
const FEATURE_TOLERANCE: f32 = 5e-4;

/// A tensor of the pack whose shape is `[any, row...]`.
pub fn tensor<C: NetworkConfig>(
    weights: &WeightsFile<'_, C>,
    name: &str,
    row: &[usize],
) -> Vec<f32> {
    let shape = weights.shape(name).unwrap();
    assert_eq!(&shape[1..], row);
    weights.tensor(name, &shape).unwrap()
}

fn features_of<C: NetworkConfig>(weights: &WeightsFile<'_, C>) -> Vec<f32> {
    let front_end = weights.config.front_end();
    let row = [front_end.bands, front_end.fft_sizes.len()];
    tensor(weights, "check.features", &row)
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max)
}

/// The features of a pack with three channels and two scalars, in the front end's order.
pub fn joined_features<C: NetworkConfig>(weights: &WeightsFile<'_, C>) -> Vec<f32> {
    let bands = weights.config.front_end().bands;
    let channels = tensor(weights, "check.channels", &[bands, 3]);
    let scalars = tensor(weights, "check.scalars", &[2]);
    let frames = channels.chunks(bands * 3).zip(scalars.chunks(2));
    frames
        .flat_map(|(channels, scalars)| [channels, scalars].concat())
        .collect()
}

/// Checks the features of the pack's audio against PyTorch.
pub fn features_equal<C: NetworkConfig + DeserializeOwned>(pack: &[u8]) {
    let weights = WeightsFile::<C>::parse(pack).unwrap();
    check_features(&weights, &features_of(&weights));
}

/// Checks the features of the pack's audio against the first `expected` ones.
pub fn check_features<C: NetworkConfig>(weights: &WeightsFile<'_, C>, expected: &[f32]) {
    let front_end = Arc::new(LogBands::new(weights.config.front_end().clone()));
    let audio = tensor(weights, "check.audio", &[]);
    let mut features = Vec::new();
    let mut stream = FeatureStream::new(front_end);
    stream.push(&audio, &mut features);
    stream.finish(&mut features);
    let difference = largest_difference(&features, &expected[..features.len()]);
    eprintln!("features: largest difference {difference:e}");
    assert!(difference < FEATURE_TOLERANCE, "{difference}");
}

/// Outputs of the whole passage, `row` values per frame, in steps of `hop` frames.
fn outputs(net: &FrameNet, features: &[f32], hop: usize, row: usize) -> Vec<f32> {
    let frame_len = net.front_end().config().frame_len();
    let frames = features.len() / frame_len;
    let mut padded = features.to_vec();
    let steps = (frames + net.delay_frames()).div_ceil(hop);
    padded.resize(steps * hop * frame_len, 0.0);
    let mut state = net.new_state().unwrap();
    let mut all = Vec::new();
    for features in padded.chunks(hop * frame_len) {
        let total_frames = Some(frames as u64);
        let mut steps = [FrameStep {
            state: &mut state,
            features,
            total_frames,
        }];
        all.append(&mut net.run(&mut steps).unwrap()[0]);
    }
    let first = net.delay_frames() * row;
    all[first..first + frames * row].to_vec()
}

/// Outputs on the pack's features equal those of PyTorch, `[frames, row...]`, however many frames
/// are run at once.
pub fn outputs_equal<C: NetworkConfig + DeserializeOwned>(
    net: &FrameNet,
    pack: &[u8],
    row: &[usize],
) {
    let weights = WeightsFile::<C>::parse(pack).unwrap();
    let expected = tensor(&weights, "check.outputs", row);
    let (row, hops) = (row.iter().product(), [256, 7, 32, 64, 100, 400]);
    check_outputs(net, &features_of(&weights), &expected, row, &hops);
}

/// Outputs on some features, `row` values per frame, begin with the `expected` ones, in steps of
/// each of `hops` frames.
pub fn check_outputs(
    net: &FrameNet,
    features: &[f32],
    expected: &[f32],
    row: usize,
    hops: &[usize],
) {
    let tolerance = match net.device() == Device::Cpu {
        true => OUTPUT_TOLERANCE,
        false => GPU_TOLERANCE,
    };
    let largest = expected
        .iter()
        .fold(1.0f32, |largest, value| largest.max(value.abs()));
    for hop in hops {
        let outputs = outputs(net, features, *hop, row);
        let difference = largest_difference(&outputs[..expected.len()], expected);
        eprintln!("steps of {hop} frames: largest difference {difference:e} of {largest}");
        assert!(difference < tolerance * largest, "{difference}");
    }
}

/// Checks that a truncated pack is an error, and that one with narrower layers than configured is
/// an error that names the tensor `narrow`.
pub fn damage_is_an_error(load: impl Fn(&[u8]) -> Result<()>, pack: &[u8], narrow: &str) {
    for length in [0, 7, 8, 100, pack.len() / 2, pack.len() - 1] {
        assert!(load(&pack[..length]).is_err(), "cut to {length} bytes");
    }
    let mut changed = pack.to_vec();
    let key = br#"channels\": "#;
    let at = changed.windows(key.len()).position(|w| w == key).unwrap() + key.len();
    changed[at] = b'9';
    let error = load(&changed).unwrap_err().to_string();
    let expected = format!("model built-in: tensor {narrow} has shape");
    assert!(error.starts_with(&expected), "{error}");
}
