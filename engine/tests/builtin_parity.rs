//! The built-in model in burn against PyTorch, on the tensor pack that
//! `train/hitscribe_train/parity.py` writes.

use std::sync::Arc;

use hitscribe_engine::audio::mel::{FeatureStream, FrontEnd};
use hitscribe_engine::device::Device;
use hitscribe_engine::model::builtin::{
    BuiltinModel, BuiltinStep, BuiltinWeights, VALUES_PER_CLASS,
};

const PACK: &[u8] = include_bytes!("data/builtin_parity.safetensors");

/// Largest difference allowed between outputs, in 32-bit floats on both sides.
const OUTPUT_TOLERANCE: f32 = 1e-5;

/// The same for features: bands far below a loud one carry the rounding of the transform.
const FEATURE_TOLERANCE: f32 = 5e-4;

fn tensor(weights: &BuiltinWeights<'_>, name: &str, row: &[usize]) -> Vec<f32> {
    let shape = weights.shape(name).unwrap();
    assert_eq!(&shape[1..], row);
    weights.tensor(name, &shape).unwrap()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

#[test]
fn features_equal_pytorch() {
    let weights = BuiltinWeights::parse(PACK).unwrap();
    let front_end = Arc::new(FrontEnd::new(weights.config.front_end.clone()));
    let audio = tensor(&weights, "check.audio", &[]);
    let expected = tensor(
        &weights,
        "check.features",
        &[
            weights.config.front_end.bands,
            weights.config.front_end.fft_sizes.len(),
        ],
    );
    let mut features = Vec::new();
    let mut stream = FeatureStream::new(front_end);
    stream.push(&audio, &mut features);
    stream.finish(&mut features);
    let difference = largest_difference(&features, &expected);
    eprintln!("features: largest difference {difference:e}");
    assert!(difference < FEATURE_TOLERANCE, "{difference}");
}

/// Outputs of the whole passage, run in steps of `hop` frames.
fn outputs(model: &BuiltinModel, features: &[f32], hop: usize) -> Vec<f32> {
    let config = model.config();
    let frame_len = config.front_end.frame_len();
    let frames = features.len() / frame_len;
    let mut padded = features.to_vec();
    let steps = (frames + config.future_frames()).div_ceil(hop);
    padded.resize(steps * hop * frame_len, 0.0);
    let mut state = model.new_state().unwrap();
    let mut all = Vec::new();
    for features in padded.chunks(hop * frame_len) {
        let total_frames = Some(frames as u64);
        let mut steps = [BuiltinStep {
            state: &mut state,
            features,
            total_frames,
        }];
        all.append(&mut model.run(&mut steps).unwrap()[0]);
    }
    let first = config.future_frames() * config.outputs();
    all[first..first + frames * config.outputs()].to_vec()
}

#[test]
fn outputs_equal_pytorch_whatever_the_step() {
    let weights = BuiltinWeights::parse(PACK).unwrap();
    let model = BuiltinModel::load(PACK, Device::Cpu).unwrap();
    let config = &weights.config;
    let features = tensor(
        &weights,
        "check.features",
        &[config.front_end.bands, config.front_end.fft_sizes.len()],
    );
    let expected = tensor(
        &weights,
        "check.outputs",
        &[VALUES_PER_CLASS, config.classes.len()],
    );
    let whole = outputs(&model, &features, 256);
    let difference = largest_difference(&whole, &expected);
    eprintln!("outputs: largest difference {difference:e}");
    assert!(difference < OUTPUT_TOLERANCE, "{difference}");
    for hop in [7, 32, 64, 100, 400] {
        let difference = largest_difference(&outputs(&model, &features, hop), &whole);
        eprintln!("steps of {hop} frames: largest difference {difference:e}");
        assert!(difference < OUTPUT_TOLERANCE, "{difference}");
    }
}

#[test]
fn damaged_weights_are_errors() {
    let load = |bytes: &[u8]| BuiltinModel::load(bytes, Device::Cpu).map(|_| ());
    for length in [0, 7, 8, 100, PACK.len() / 2, PACK.len() - 1] {
        assert!(load(&PACK[..length]).is_err(), "cut to {length} bytes");
    }
    let mut changed = PACK.to_vec();
    let key = br#"\"channels\": "#;
    let at = changed.windows(key.len()).position(|w| w == key).unwrap() + key.len();
    changed[at..at + 2].copy_from_slice(b"99");
    let error = load(&changed).unwrap_err().to_string();
    assert!(
        error.starts_with("model built-in: tensor project.weight has shape"),
        "{error}"
    );
}
