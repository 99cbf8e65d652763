//! The frame networks behind what guards a GPU, and wrong input.

use hitscribe_core::error::Result;

use crate::device::Device;
use crate::frame::drums::DRUM_WEIGHTS;
use crate::frame::pitched::PITCH_WEIGHTS;
use crate::frame::{DrumNet, FrameNet, FrameState, FrameStep, PitchNet};

const FRAMES: usize = 16;

fn features(net: &FrameNet, seed: usize) -> Vec<f32> {
    let values = FRAMES * net.front_end().config().frame_len();
    let value = |n: usize| ((n * (n + seed) % 1009) as f32 / 1009.0 - 0.5) * 2.0;
    (0..values).map(value).collect()
}

/// The outputs of several sources, each with its own features, run as one batch.
fn outputs(net: &FrameNet, seeds: &[usize]) -> Vec<Vec<f32>> {
    let inputs: Vec<Vec<f32>> = seeds.iter().map(|&seed| features(net, seed)).collect();
    let mut states: Vec<_> = seeds.iter().map(|_| net.new_state().unwrap()).collect();
    let mut steps: Vec<FrameStep<'_>> = states
        .iter_mut()
        .zip(&inputs)
        .map(|(state, features)| FrameStep {
            state,
            features,
            total_frames: None,
        })
        .collect();
    net.run(&mut steps).unwrap()
}

#[test]
fn a_batch_on_a_gpu_equals_single_sources_on_the_cpu() {
    let on_cpu = DrumNet::load(DRUM_WEIGHTS, Device::Cpu).unwrap();
    let on_gpu = DrumNet::load(DRUM_WEIGHTS, Device::TestGpu).unwrap();
    let batch = outputs(on_gpu.frames(), &[1, 2, 3]);
    for (seed, batched) in [1, 2, 3].into_iter().zip(batch) {
        let alone = outputs(on_cpu.frames(), &[seed]).remove(0);
        assert_eq!(alone.len(), FRAMES * on_cpu.config().outputs());
        let differences = alone.iter().zip(&batched).map(|(a, b)| (a - b).abs());
        assert!(differences.fold(0.0, f32::max) < 1e-5, "source {seed}");
    }
}

/// One step of one source.
fn run(net: &FrameNet, state: &mut FrameState, features: &[f32]) -> Result<Vec<Vec<f32>>> {
    net.run(&mut [FrameStep {
        state,
        features,
        total_frames: None,
    }])
}

#[test]
fn states_of_another_network_and_broken_features_are_errors() {
    let drums = DrumNet::load(DRUM_WEIGHTS, Device::Cpu).unwrap();
    let pitch = PitchNet::load(PITCH_WEIGHTS, Device::Cpu).unwrap();
    let features = features(drums.frames(), 1);
    let run = |state: &mut FrameState, features: &[f32]| run(drums.frames(), state, features);
    let foreign = run(&mut pitch.frames().new_state().unwrap(), &features);
    assert!(foreign.unwrap_err().to_string().contains("another network"));
    let mut state = drums.frames().new_state().unwrap();
    let partial = run(&mut state, &features[1..]);
    assert!(partial.unwrap_err().to_string().contains("whole frames"));
    assert_eq!(run(&mut state, &[]).unwrap(), [Vec::<f32>::new()]);
    assert_eq!(run(&mut state, &features).unwrap().len(), 1);
}
