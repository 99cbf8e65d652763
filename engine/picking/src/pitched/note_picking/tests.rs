use super::*;

const PACK: &[u8] = include_bytes!("../../../../models/tests/data/pitched_parity.safetensors");

const KEYS: usize = 3;
const FAMILIES: usize = 2;
const VALUES: usize = VALUES_BEFORE_FAMILIES + FAMILIES;

/// The rules of the trained networks for few keys and families, every threshold a half.
fn model() -> PitchConfig {
    let mut model = PitchConfig::of_weights(PACK).unwrap();
    model.keys = KEYS;
    model.families.truncate(FAMILIES);
    let picking = &mut model.picking;
    (picking.onset, picking.sounding, picking.offset) = (0.5, 0.5, 0.5);
    model
}

/// Frames of one key with the given onset, sounding and end logits; the other keys are silent.
fn frames(key: usize, values: &[(f32, f32, f32)]) -> Vec<Vec<f32>> {
    let silent = [-8.0, -8.0, -8.0, 0.0, 0.0, 0.0, 0.0].repeat(KEYS);
    let frame = |&(onset, sounding, end): &(f32, f32, f32)| {
        let mut frame = silent.clone();
        frame[key * VALUES..][..3].copy_from_slice(&[onset, sounding, end]);
        frame
    };
    values.iter().map(frame).collect()
}

fn notes_of(mut picker: NotePicker, frames: &[Vec<f32>]) -> Vec<PickedNote> {
    let mut notes = Vec::new();
    for frame in frames {
        picker.push(frame, &mut notes);
    }
    picker.finish(&mut notes);
    notes
}

fn notes(frames: &[Vec<f32>]) -> Vec<PickedNote> {
    notes_of(NotePicker::new(&model(), 20, &[0, 1]), frames)
}

fn places(notes: &[PickedNote]) -> Vec<(usize, f64, f64)> {
    let place = |n: &PickedNote| (n.key, n.onset_frames, n.end_frames);
    notes.iter().map(place).collect()
}

const SILENCE: (f32, f32, f32) = (-8.0, -8.0, -8.0);
const ONSET: (f32, f32, f32) = (3.0, 4.0, -8.0);
const HELD: (f32, f32, f32) = (-5.0, 4.0, -8.0);

#[test]
fn a_note_lasts_from_its_onset_until_the_key_is_silent() {
    let mut curve = frames(1, &[SILENCE, ONSET, HELD, SILENCE, HELD, SILENCE, SILENCE]);
    curve[1][VALUES + SHIFT] = 0.25;
    let found = notes(&curve);
    assert_eq!(places(&found), [(1, 1.25, 5.0)]);
    assert_eq!(found[0].velocity, 0.5);
    assert!((found[0].confidence - 0.9526).abs() < 1e-4);
}

#[test]
fn a_note_ends_where_the_evidence_for_its_end_is_largest() {
    let end = |evidence: f32| (-5.0, 4.0, evidence);
    let curve = [ONSET, HELD, end(1.0), end(3.0), end(2.0), end(9.0), HELD];
    assert_eq!(places(&notes(&frames(0, &curve))), [(0, 0.0, 3.0)]);
    // Not with less than enough, and not before the shortest note.
    let curve = [ONSET, end(9.0), end(-0.1), HELD, HELD, HELD, HELD];
    assert_eq!(places(&notes(&frames(0, &curve))), [(0, 0.0, 7.0)]);
}

#[test]
fn a_key_that_is_struck_again_is_two_notes() {
    let curve = frames(0, &[ONSET, HELD, HELD, ONSET, HELD, HELD]);
    assert_eq!(places(&notes(&curve)), [(0, 0.0, 3.0), (0, 3.0, 6.0)]);
    // Its end was to be after the new onset.
    let end = |evidence: f32| (-5.0, 4.0, evidence);
    let mut curve = frames(
        0,
        &[ONSET, HELD, HELD, end(1.0), (3.0, 4.0, 2.0), HELD, HELD],
    );
    curve[4][SHIFT] = -0.5;
    assert_eq!(places(&notes(&curve)), [(0, 0.0, 3.5), (0, 3.5, 7.0)]);
}

#[test]
fn short_notes_need_a_surer_onset() {
    let count = |onset: f32, frames_held: usize, sensitivity: f32| {
        let mut curve = vec![SILENCE, (onset, 4.0, -8.0)];
        curve.resize(2 + frames_held, HELD);
        curve.resize(20, SILENCE);
        let mut picker = NotePicker::new(&model(), 20, &[]);
        picker.set_sensitivity(sensitivity);
        notes_of(picker, &frames(0, &curve)).len()
    };
    assert_eq!(count(1.7, 3, 0.5), 0);
    assert_eq!(count(1.9, 3, 0.5), 1);
    assert_eq!(count(0.1, 4, 0.5), 1);
    // The sensitivity moves both thresholds.
    assert_eq!(count(-1.0, 3, 1.0), 1);
    assert_eq!(count(-2.0, 3, 1.0), 0);
    // A note that the end of the passage cuts may be of any length.
    let cut = frames(0, &[SILENCE, (0.1, 4.0, -8.0), HELD]);
    assert_eq!(places(&notes(&cut)), [(0, 1.0, 3.0)]);
}

#[test]
fn long_notes_are_cut() {
    let mut long = vec![ONSET];
    long.extend([HELD; 30]);
    assert_eq!(places(&notes(&frames(2, &long))), [(2, 0.0, 20.0)]);
}

#[test]
fn the_family_is_that_of_the_first_steps_and_a_possible_one() {
    let mut curve = frames(
        1,
        &[
            SILENCE, ONSET, HELD, SILENCE, SILENCE, SILENCE, SILENCE, SILENCE,
        ],
    );
    curve.extend(frames(1, &[SILENCE; 4]));
    for (frame, values) in curve.iter_mut().enumerate() {
        let evidence = if frame < 8 { [0.0, 0.1] } else { [9.0, 0.0] };
        values[VALUES + VALUES_BEFORE_FAMILIES..][..2].copy_from_slice(&evidence);
    }
    let family = |families: &[usize]| {
        let picker = NotePicker::new(&model(), 20, families);
        notes_of(picker, &curve)[0].family
    };
    assert_eq!(family(&[0, 1]), Some(1));
    assert_eq!(family(&[0]), Some(0));
    assert_eq!(family(&[]), None);
    assert_eq!(notes(&curve[..4])[0].family, Some(1));
}

#[test]
fn every_note_before_the_settled_position_is_appended() {
    let curve = [
        SILENCE, ONSET, HELD, SILENCE, SILENCE, SILENCE, SILENCE, SILENCE, SILENCE,
    ];
    for (families, known) in [(&[0usize, 1][..], 8), (&[], 6)] {
        let mut picker = NotePicker::new(&model(), 100, families);
        let mut out = Vec::new();
        for (frame, values) in frames(1, &curve).iter().enumerate() {
            picker.push(values, &mut out);
            assert_eq!(out.len(), usize::from(frame + 1 >= known), "{frame}");
            assert!(picker.settled_frames() <= 1.0 || !out.is_empty());
        }
        picker.finish(&mut out);
        assert_eq!(out.len(), 1);
        assert_eq!(picker.settled_frames(), 8.0);
    }
}

#[test]
fn sensitivity_moves_the_threshold_and_nan_is_no_note() {
    let weak = frames(0, &[(-1.0, 4.0, -8.0), HELD, HELD, HELD]);
    let count = |sensitivity: f32, frames: &[Vec<f32>]| {
        let mut picker = NotePicker::new(&model(), 20, &[]);
        picker.set_sensitivity(sensitivity);
        notes_of(picker, frames).len()
    };
    assert_eq!(count(0.5, &weak), 0);
    assert_eq!(count(1.0, &weak), 1);
    let broken = vec![vec![f32::NAN; KEYS * VALUES], Vec::new()];
    assert_eq!(count(1.0, &broken), 0);
}
