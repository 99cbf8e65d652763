#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
//! Hits of the drum network that decides jointly, against those that the training code picks from
//! the same outputs (`train/hitscribe_train/drums/parity.py`).

use hitscribe_core::DrumClass;
use hitscribe_models::frame::drums::{DrumConfig, DrumWeights};
use hitscribe_picking::drums::candidate::Measured;
use hitscribe_picking::drums::joint_picking::JointPicker;
use hitscribe_picking::drums::selection::{Rules, Selection};

const PACK: &[u8] = include_bytes!("../../models/tests/data/joint_parity.safetensors");
const FRAME_SECONDS: f64 = 0.008;

#[test]
fn hits_equal_those_of_the_training_code() {
    let weights = DrumWeights::parse(PACK).unwrap();
    let DrumConfig::Joint(model) = &weights.config else {
        panic!("it is the pack of another network");
    };
    let tensor = |name: &str| weights.tensor(name, &weights.shape(name).unwrap()).unwrap();
    let mut picker = JointPicker::new(model);
    let mut selection = Selection::new(Rules::Joint {
        reach_frames: model.picking.reach_frames as u64,
        slack: model.picking.slack,
    });
    let mut peaks = Vec::new();
    for outputs in tensor("check.outputs").chunks(model.outputs.total()) {
        picker.push(outputs, &mut peaks);
    }
    picker.finish(&mut peaks);
    peaks.into_iter().for_each(|peak| selection.push(peak));
    let mut found = Vec::new();
    while let Some(standing) = selection.next(picker.next_frame(), true) {
        let decision = selection.decide(&standing, &Measured::default());
        let placed = standing.placed;
        if let Some(class) = placed.peak.class.filter(|_| decision.is_hit) {
            let seconds = placed.position_frames * FRAME_SECONDS;
            found.push((seconds, class.index(), placed.peak.confidence));
        }
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Seconds, class, activation, frame. What has no drum class is not written.
    let expected = tensor("check.hits");
    let written = |hit: &&[f32]| (hit[1] as usize) < DrumClass::ALL.len();
    let expected: Vec<_> = expected.chunks(4).filter(written).collect();
    assert!(expected.len() > 5);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.1, expected[1] as usize);
        assert!((found.0 - f64::from(expected[0])).abs() < 1e-5);
        assert!((found.2 - expected[2]).abs() < 1e-4);
    }
}
