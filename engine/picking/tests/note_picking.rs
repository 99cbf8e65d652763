#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
//! Notes of the pitched network, against those that the training code picks from the same outputs
//! (`train/hitscribe_train/pitched/harmonic/parity.py`).

use hitscribe_models::frame::pitched::PitchWeights;
use hitscribe_picking::pitched::note_picking::{NotePicker, PickedNote};

const PACK: &[u8] = include_bytes!("../../models/tests/data/pitched_parity.safetensors");

#[test]
fn notes_equal_those_of_the_training_code() {
    let weights = PitchWeights::parse(PACK).unwrap();
    let model = &weights.config;
    let tensor = |name: &str| weights.tensor(name, &weights.shape(name).unwrap()).unwrap();
    let (outputs, families) = (tensor("check.outputs"), tensor("check.family"));
    let values = outputs.len() / weights.shape("check.outputs").unwrap()[0] / model.keys;
    let all: Vec<usize> = (0..model.families.len()).collect();
    let mut picker = NotePicker::new(model, u64::MAX, &all);
    let mut found = Vec::new();
    for (frame, outputs) in outputs.chunks(model.keys * values).enumerate() {
        let of_step = model.keys * all.len();
        let families = &families[frame / model.pair * of_step..][..of_step];
        let keys = outputs.chunks(values).zip(families.chunks(all.len()));
        let values: Vec<f32> = keys.flat_map(|(a, b)| [a, b].concat()).collect();
        picker.push(&values, &mut found);
    }
    picker.finish(&mut found);
    // Onset and end in frames, key, velocity, family, probability.
    let expected = tensor("check.notes");
    let expected: Vec<_> = expected.chunks(6).collect();
    assert!(expected.len() > 100);
    assert_eq!(found.len(), expected.len());
    for expected in expected {
        let near = |a: f64, b: f32| (a - f64::from(b)).abs() < 1e-4;
        let is_same = |note: &&PickedNote| {
            usize::from(model.lowest_key) + note.key == expected[2] as usize
                && near(note.onset_frames, expected[0])
        };
        let note = found.iter().find(is_same).unwrap();
        assert!(near(note.end_frames, expected[1]), "{note:?} {expected:?}");
        assert!(near(f64::from(note.velocity), expected[3]));
        assert_eq!(note.family, Some(expected[4] as usize));
        assert!(near(f64::from(note.confidence), expected[5]));
    }
}
