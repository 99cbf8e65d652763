use super::*;

use DrumClass::*;

use crate::drums::candidate::Sensitivity;
use crate::drums::selection::{Rules, standing};
use hitscribe_models::frame::drums::DrumConfig;

const PACK: &[u8] = include_bytes!("../../../../models/tests/data/joint_parity.safetensors");

/// The classes and groups of the trained networks, every threshold a half.
fn model() -> JointConfig {
    let DrumConfig::Joint(mut model) = DrumConfig::of_weights(PACK).unwrap() else {
        panic!("it is the pack of another network");
    };
    model.picking.classes.fill(0.5);
    model.picking.groups.fill(0.5);
    model
}

/// Outputs of a frame with so many strokes of the first group and these shares of its classes; the
/// second group has none.
fn frame(model: &JointConfig, strokes: f32, shares: &[(&str, f32)]) -> Vec<f32> {
    let mut outputs = vec![0.0; model.outputs.total()];
    outputs[..model.outputs.counts].fill(-20.0);
    for (count, output) in outputs[..model.max_strokes].iter_mut().enumerate() {
        let p = (strokes - count as f32).clamp(1e-6, 1.0 - 1e-6);
        *output = (p / (1.0 - p)).ln();
    }
    outputs[model.outputs.counts..][..model.classes.len()].fill(-20.0);
    for (key, share) in shares {
        let class = model.classes.iter().position(|other| other == key).unwrap();
        outputs[model.outputs.counts + class] = share.ln();
    }
    outputs
}

/// The hits in these frames.
fn picks(model: &JointConfig, frames: &[Vec<f32>], sensitivity: f32) -> Vec<PlacedPeak> {
    let sensitivity = Sensitivity::from(sensitivity);
    let mut picker = JointPicker::new(model);
    picker.set_floors(|class| -sensitivity.reach_logits(class));
    let mut peaks = Vec::new();
    for outputs in frames {
        picker.push(outputs, &mut peaks);
    }
    picker.finish(&mut peaks);
    assert_eq!(picker.next_frame(), frames.len() as u64);
    let rules = Rules::Joint {
        reach_frames: model.picking.reach_frames as u64,
        slack: model.picking.slack,
    };
    let mut hits = standing(peaks, rules, sensitivity, frames.len());
    hits.retain(|hit| hit.peak.class.is_some());
    hits
}

fn names(hits: &[PlacedPeak]) -> Vec<(DrumClass, u64)> {
    let place = |hit: &PlacedPeak| (hit.peak.class.unwrap(), hit.position_frames as u64);
    hits.iter().map(place).collect()
}

/// A stroke at the middle of five frames.
fn stroke(model: &JointConfig, strokes: f32, shares: &[(&str, f32)]) -> Vec<Vec<f32>> {
    let at = |strokes: f32| frame(model, strokes, shares);
    vec![
        at(0.0),
        at(0.2 * strokes),
        at(strokes),
        at(0.2 * strokes),
        at(0.0),
    ]
}

#[test]
fn one_stroke_is_one_hit_and_two_strokes_are_two() {
    let model = model();
    let shares = [("kick", 0.5), ("floor_tom", 0.5)];
    let one = stroke(&model, 1.0, &[("kick", 0.9), ("floor_tom", 0.1)]);
    assert_eq!(names(&picks(&model, &one, 0.5)), [(Kick, 2)]);
    assert_eq!(
        names(&picks(&model, &stroke(&model, 2.0, &shares), 0.5)),
        [(Kick, 2), (FloorTom, 2)]
    );
    // More sensitive, the second is likely enough, but there is no second stroke.
    let one = stroke(&model, 1.0, &[("kick", 0.7), ("floor_tom", 0.3)]);
    assert_eq!(names(&picks(&model, &one, 0.8)), [(Kick, 2)]);
}

#[test]
fn a_stroke_that_no_class_can_claim_goes_to_the_likeliest() {
    let model = model();
    let toms = [("high_tom", 0.3), ("mid_tom", 0.4), ("low_tom", 0.3)];
    let hits = picks(&model, &stroke(&model, 0.9, &toms), 0.5);
    assert_eq!(names(&hits), [(MidTom, 2)]);
    assert!((hits[0].peak.confidence - 0.9).abs() < 1e-3);
    assert_eq!(picks(&model, &stroke(&model, 0.4, &toms), 0.5), []);
    assert_eq!(picks(&model, &stroke(&model, 0.4, &toms), 0.7).len(), 1);
}

#[test]
fn other_percussion_is_neither_written_nor_a_kit_drum() {
    let model = model();
    let shares = [("other_percussion", 0.55), ("snare", 0.45)];
    assert_eq!(picks(&model, &stroke(&model, 1.0, &shares), 0.5), []);
}

#[test]
fn hits_do_not_depend_on_silence_before_them_and_broken_outputs_are_no_hits() {
    let model = model();
    let shares = [("snare", 0.95), ("clap", 0.05)];
    let mut frames = stroke(&model, 1.0, &shares);
    frames.splice(0..0, vec![frame(&model, 0.0, &[]); 40]);
    assert_eq!(names(&picks(&model, &frames, 0.5)), [(Snare, 42)]);
    let nan = vec![f32::NAN; model.outputs.total()];
    assert_eq!(picks(&model, &[nan, Vec::new()], 1.0), []);
}

#[test]
fn more_sensitivity_only_adds_strokes() {
    let model = model();
    let mut state = 5u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let frames: Vec<_> = (0..600)
        .map(|_| {
            let shares = [
                ("kick", random()),
                ("snare", random()),
                ("mid_tom", random()),
            ];
            frame(&model, 2.0 * random() * random(), &shares)
        })
        .collect();
    let counts = [0.2, 0.4, 0.6, 0.8].map(|s| picks(&model, &frames, s).len());
    assert!(counts.is_sorted() && counts[3] > counts[0], "{counts:?}");
}

#[test]
fn the_mean_is_of_logits_above_the_thresholds_and_shares_them_in_the_counts() {
    use hitscribe_models::frame::drums::INDEPENDENT_DRUM_WEIGHTS;
    let model = model();
    let weights = DrumConfig::of_weights(INDEPENDENT_DRUM_WEIGHTS).unwrap();
    let DrumConfig::Independent(mut independent) = weights else {
        panic!("it is the other network");
    };
    independent.thresholds.fill(0.8);
    let kicks = stroke(&model, 1.0, &[("kick", 1.0)]);
    let outputs = frame(&model, 0.3, &[("kick", 1.0)]);
    let mut picker = JointPicker::averaging(&model, &independent);
    let mut others = [-20.0; DrumClass::ALL.len()];
    for (other, expected) in [
        // At its threshold: nothing but the own distance is left.
        (logit(0.8), sigmoid((1.0 - INDEPENDENT_SHARE) * logit(0.3))),
        (
            logit(0.8) + 5.0,
            sigmoid((1.0 - INDEPENDENT_SHARE) * logit(0.3) + 5.0 * INDEPENDENT_SHARE),
        ),
        // No evidence leaves the own.
        (f32::NAN, 0.3),
    ] {
        others[Kick.index()] = other;
        let mixed = picker.frame(&outputs, &others);
        let kick = model.classes.iter().position(|key| key == "kick").unwrap();
        assert!((mixed.activations[kick] - expected).abs() < 1e-4, "{other}");
        assert!((mixed.strokes[0] - expected).abs() < 1e-3, "{other}");
    }
    // What only one of both is sure of is no hit.
    let mut peaks = Vec::new();
    picker.set_floors(|_| 0.0);
    for outputs in &kicks {
        picker.push_both(outputs, &[-60.0; DrumClass::ALL.len()], &mut peaks);
    }
    picker.finish(&mut peaks);
    assert!(peaks.is_empty(), "{peaks:?}");
}
