use super::*;

use crate::drums::candidate::Sensitivity;
use crate::drums::loudness_gate::MAX_BONUS;
use crate::drums::selection::{Rules, standing};

/// Outputs of a frame with the given onset logits; everything else is unlikely.
fn frame(onsets: &[(DrumClass, f32)]) -> Vec<f32> {
    let mut outputs = vec![0.0; VALUES_PER_CLASS * CLASSES];
    outputs[..CLASSES].fill(-8.0);
    for &(class, logit) in onsets {
        outputs[class.index()] = logit;
    }
    outputs
}

/// The peaks of these frames that are hits, apart from their loudness.
fn picks_of(
    thresholds: &[f32],
    frames: &[Vec<f32>],
    sensitivity: impl Into<Sensitivity>,
) -> Vec<PlacedPeak> {
    let sensitivity = sensitivity.into().limited();
    let mut picker = PeakPicker::new(thresholds, PickRules::default());
    picker.set_floors(|class| -sensitivity.reach_logits(Some(class)) - MAX_BONUS);
    let mut peaks = Vec::new();
    for outputs in frames {
        picker.push(outputs, &mut peaks);
    }
    picker.finish(&mut peaks);
    assert_eq!(picker.next_frame(), frames.len() as u64);
    standing(peaks, Rules::Independent, sensitivity, frames.len())
}

fn picks(frames: &[Vec<f32>], sensitivity: f32) -> Vec<PlacedPeak> {
    picks_of(&[0.5; CLASSES], frames, sensitivity)
}

fn names(hits: &[PlacedPeak]) -> Vec<(DrumClass, u64)> {
    hits.iter()
        .map(|h| (h.peak.class.unwrap(), h.position_frames as u64))
        .collect()
}

fn curve(class: DrumClass, logits: &[f32]) -> Vec<Vec<f32>> {
    logits
        .iter()
        .map(|&logit| frame(&[(class, logit)]))
        .collect()
}

#[test]
fn a_hit_is_one_peak_at_its_position() {
    let mut frames = curve(Snare, &[-5.0, -1.0, 2.0, 3.0, 2.9, -1.0, -5.0]);
    frames[3][CLASSES + Snare.index()] = -0.25;
    let hits = picks(&frames, 0.5);
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].position_frames, 2.75);
    assert!((hits[0].peak.confidence - 0.9526).abs() < 1e-4);
}

#[test]
fn flams_are_two_hits_and_double_triggers_one() {
    let flam = curve(Snare, &[3.0, 0.0, -2.0, 4.0, 0.0]);
    assert_eq!(names(&picks(&flam, 0.5)), [(Snare, 0), (Snare, 3)]);
    let double = curve(Snare, &[3.0, 0.0, 4.0, 0.0, 0.0]);
    assert_eq!(names(&picks(&double, 0.5)), [(Snare, 2)]);
    let kick = curve(Kick, &[3.0, 0.0, -2.0, 4.0, 0.0]);
    assert_eq!(names(&picks(&kick, 0.5)), [(Kick, 3)]);
    let plateau = curve(Kick, &[3.0, 3.0, 3.0]);
    assert_eq!(names(&picks(&plateau, 0.5)), [(Kick, 0)]);
}

#[test]
fn one_stroke_on_the_hats_is_one_hat() {
    let both = vec![frame(&[(ClosedHat, 2.0)]), frame(&[(OpenHat, 2.1)])];
    assert_eq!(names(&picks(&both, 0.5)), [(OpenHat, 1)]);
    let equal = vec![frame(&[(ClosedHat, 2.0), (OpenHat, 2.0)])];
    assert_eq!(names(&picks(&equal, 0.5)), [(ClosedHat, 0)]);
    // Two toms may sound together if the model is certain of both.
    let toms = vec![frame(&[(HighTom, 2.0), (MidTom, 2.5)])];
    assert_eq!(picks(&toms, 0.5).len(), 2);
    let doubtful = vec![frame(&[(HighTom, 0.5), (MidTom, 2.5)])];
    assert_eq!(names(&picks(&doubtful, 0.5)), [(MidTom, 0)]);
}

#[test]
fn uncertain_toms_add_up_to_one_certain_tom() {
    // Each .35: together .82.
    let doubtful = |class| (class, -0.62);
    let toms = [LowTom, HighTom, MidTom, FloorTom].map(doubtful);
    let found = |classes: &[(DrumClass, f32)]| {
        let mut hits = picks(&[frame(classes)], 0.5);
        hits.retain(|hit| hit.peak.excess >= 0.0);
        hits
    };
    let hits = found(&toms);
    assert_eq!(names(&hits), [(HighTom, 0)]);
    assert!((hits[0].peak.confidence - 0.82).abs() < 0.01);
    assert!(found(&toms[..1]).is_empty());
    // Snares and hats do not add up.
    let others = [Snare, SideStick, Clap, ClosedHat, OpenHat, PedalHat].map(doubtful);
    assert!(found(&others).is_empty());
    // One above its threshold adds nothing to another.
    let both = [(HighTom, 0.5), (MidTom, 0.6)];
    let confidence = found(&both).last().map(|hit| hit.peak.confidence);
    assert!(confidence.is_some_and(|p| (p - sigmoid(0.6)).abs() < 1e-3));
}

#[test]
fn sensitivity_only_adds_hits() {
    let mut state = 9u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let frames: Vec<Vec<f32>> = (0..500)
        .map(|_| {
            (0..VALUES_PER_CLASS * CLASSES)
                .map(|_| random() * 12.0 - 9.0)
                .collect()
        })
        .collect();
    let mut last = Vec::new();
    for step in 0..=20 {
        let hits = names(&picks(&frames, step as f32 / 20.0));
        assert!(
            last.iter().all(|hit| hits.contains(hit)),
            "sensitivity {step}/20"
        );
        last = hits;
    }
    assert!(last.len() > 300);
}

#[test]
fn sensitivity_of_a_class_moves_that_class_and_decides_between_rivals() {
    let frames = [frame(&[
        (Kick, -1.0),
        (Ride, -1.0),
        (ClosedHat, 1.0),
        (OpenHat, 1.2),
    ])];
    let found = |class: DrumClass, trim: f32| {
        let mut sensitivity = Sensitivity::default();
        sensitivity.by_class[class.index()] = trim;
        let hits = picks_of(&[0.5; CLASSES], &frames, sensitivity);
        hits.iter()
            .map(|hit| hit.peak.class.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(found(Kick, 0.0), [OpenHat]);
    assert_eq!(found(Kick, 0.4), [Kick, OpenHat]);
    assert_eq!(found(Kick, f32::NAN), [OpenHat]);
    assert_eq!(found(OpenHat, -0.5), [ClosedHat]);
    assert_eq!(found(ClosedHat, 9.0), [ClosedHat]);
}

#[test]
fn thresholds_are_by_class_and_nan_is_no_hit() {
    let mut thresholds = [0.5; CLASSES];
    thresholds[Kick.index()] = 0.9;
    let frames = [
        frame(&[(Kick, 1.2), (Snare, 2.0), (Clap, f32::NAN)]),
        vec![f32::NAN; VALUES_PER_CLASS * CLASSES],
        Vec::new(),
    ];
    let hits = picks_of(&thresholds, &frames, 0.5);
    assert_eq!(names(&hits), [(Snare, 0)]);
}
