//! Checkpoint formats and the token model on a tiny MT3, made by `data/mt3_family/make_tiny.py`.

use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ;
use hitscribe_models::Hyperparameters;
use hitscribe_models::device::Device;
use hitscribe_models::generate::{AllowedNotes, Family, LoadOptions, TokenModel, TokenOptions};
use hitscribe_testing::golden::tiny_model;

fn two_heads() -> Hyperparameters {
    Hyperparameters {
        heads: Some(2),
        ..Hyperparameters::default()
    }
}

#[test]
fn legacy_files_with_views_and_other_types_are_read() {
    let file = Checkpoint::open(&tiny_model("legacy.pth")).unwrap();
    let whole: Vec<f32> = (0..24).map(|n| n as f32).collect();
    assert_eq!(file.read_f32("whole").unwrap(), whole);
    assert_eq!(file.shape("turned"), Some(&[6, 4][..]));
    assert_eq!(
        file.read_f32("turned").unwrap()[..5],
        [0.0, 6.0, 12.0, 18.0, 1.0]
    );
    assert_eq!(
        file.read_f32("part").unwrap(),
        [8.0, 9.0, 10.0, 14.0, 15.0, 16.0]
    );
    assert_eq!(file.read_f32("scalar").unwrap(), [7.5]);
    assert_eq!(file.read_f32("half").unwrap(), [1.5, -2.0]);
    assert_eq!(file.read_f32("long").unwrap(), [1.0, -2.0, 3.0]);
    assert!(file.read_f32("absent").is_err());
}

#[test]
fn lightning_files_with_unknown_classes_give_their_tensors_and_hyperparameters() {
    let file = Checkpoint::open(&tiny_model("lightning.ckpt")).unwrap();
    assert_eq!(file.keys().collect::<Vec<_>>(), ["model.a", "model.b"]);
    assert_eq!(
        file.read_f32("model.b").unwrap(),
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    );
    let settings = Hyperparameters::find(&file, None).unwrap();
    assert_eq!((settings.heads, settings.head_size), (Some(3), Some(16)));
}

#[test]
fn a_safetensors_header_of_any_length_is_not_taken_for_a_pickle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.safetensors");
    let header = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    for length in header.len()..header.len() + 256 {
        let mut bytes = (length as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(format!("{header:<length$}").as_bytes());
        bytes.extend_from_slice(&2.5_f32.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        let file = Checkpoint::open(&path).unwrap();
        assert_eq!(
            file.read_f32("a").unwrap(),
            [2.5],
            "header of {length} bytes"
        );
    }
}

#[test]
fn a_file_of_another_kind_is_an_error() {
    let error = Checkpoint::open(&tiny_model("make_tiny.py"))
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("is not a checkpoint: neither PyTorch (zip or legacy) nor SafeTensors"),
        "{error}"
    );
}

#[test]
fn a_source_excludes_all_other_notes() {
    let options = LoadOptions {
        hyperparameters: two_heads(),
        ..LoadOptions::default()
    };
    let (model, _) = TokenModel::load(&tiny_model("tiny.pth"), &options, Device::Cpu).unwrap();
    assert_eq!(model.family(), Family::Mt3);
    let seconds = 9;
    let noise: Vec<f32> = (0..SAMPLE_RATE_HZ * seconds)
        .map(|n| ((n * n % 1013) as f32 / 1013.0 - 0.5) * 0.4)
        .collect();
    let transcribe = |source: &str| {
        let source: AllowedNotes = source.parse().unwrap();
        let options = TokenOptions {
            source,
            max_ids: Some(200),
            ..TokenOptions::default()
        };
        // The tiny network seldom ends a sequence: decode what there is.
        let mut out = model.transcribe(&noise, &options, |_| true).unwrap();
        out.sequences
            .iter_mut()
            .flatten()
            .for_each(|sequence| sequence.ended = true);
        model.notes(out.starts_seconds, out.sequences)
    };
    let drums = transcribe("drums");
    assert!(!drums.notes.is_empty() && drums.notes.iter().all(|note| note.is_drum));
    assert!(
        drums
            .notes
            .iter()
            .all(|note| note.confidence > 0.0 && note.confidence <= 1.0)
    );
    let kick = transcribe("drums:36");
    assert!(
        kick.notes
            .iter()
            .all(|note| note.is_drum && note.pitch == 36)
    );
    let bass = transcribe("bass");
    assert!(
        bass.notes
            .iter()
            .all(|note| !note.is_drum && (32..=39).contains(&note.program))
    );
    assert_eq!(
        transcribe("mix"),
        transcribe("mix"),
        "the same samples twice"
    );
}

#[test]
fn the_batch_size_changes_nothing() {
    let options = LoadOptions {
        hyperparameters: two_heads(),
        ..LoadOptions::default()
    };
    let (model, _) = TokenModel::load(&tiny_model("tiny.pth"), &options, Device::Cpu).unwrap();
    let sound: Vec<f32> = (0..SAMPLE_RATE_HZ * 7)
        .map(|n| (n as f32 * 0.11).sin() * 0.3)
        .collect();
    let ids = |batch_segments: usize| {
        let options = TokenOptions {
            batch_segments,
            max_ids: Some(80),
            ..TokenOptions::default()
        };
        let out = model.transcribe(&sound, &options, |_| true).unwrap();
        out.sequences
            .into_iter()
            .flatten()
            .map(|sequence| sequence.ids)
            .collect::<Vec<_>>()
    };
    let alone = ids(1);
    assert_eq!(alone.len(), 4);
    assert_eq!(alone, ids(3));
    assert_eq!(alone, ids(100));
}
