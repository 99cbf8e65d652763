//! What can be checked without the golden packs: a tiny MT3 whose expected values come from
//! `benches/mt3_torch.py`, and the formats of checkpoints. Made by `data/mt3_family/make_tiny.py`.

use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ;
use hitscribe_models::device::{Cpu, Device};
use hitscribe_models::generate::allowed::AllowedNotes;
use hitscribe_models::generate::greedy::{GreedyOptions, greedy, teacher_forced};
use hitscribe_models::generate::{Family, LoadOptions, TokenOptions, Transcriber};
use hitscribe_models::mt3_family::hyperparameters::Settings;
use hitscribe_models::mt3_family::mt3::{Mt3, Mt3Config};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/mt3_family")
        .join(name)
}

fn two_heads() -> Settings {
    Settings {
        heads: Some(2),
        ..Settings::default()
    }
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

fn tiny() -> Mt3<Cpu> {
    let checkpoint = Checkpoint::open(&data("tiny.pth")).unwrap();
    let config = Mt3Config::of(&checkpoint, "", &two_heads()).unwrap();
    let (model, report) = Mt3::load(&checkpoint, "", config, &Default::default()).unwrap();
    assert!(report.unused.is_empty(), "{:?}", report.unused);
    model
}

#[test]
fn the_tiny_network_equals_its_pytorch_twin() {
    let model = tiny();
    let expected = Checkpoint::open(&data("expected.safetensors")).unwrap();
    let get = |name: &str| expected.read_f32(name).unwrap();
    let shape: [usize; 3] = expected.shape("features").unwrap().try_into().unwrap();
    let features =
        Tensor::<Cpu, 3>::from_data(TensorData::new(get("features"), shape), &Default::default());
    let encoded = model.encode(features);
    let host: Vec<f32> = encoded.clone().into_data().to_vec().unwrap();
    assert!(difference(&host, &get("encoder_out")) < 2e-5);

    let ids: Vec<i32> = get("tf_ids").iter().map(|&id| id as i32).collect();
    let logits = teacher_forced(model.decoder(), encoded.clone(), &ids).concat();
    // Every sixteenth was kept.
    let logits: Vec<f32> = logits
        .chunks(1536)
        .flat_map(|all| all.iter().copied().step_by(16))
        .collect();
    assert!(difference(&logits, &get("tf_logits")) < 2e-5);

    let length = expected.shape("greedy_ids").unwrap()[1];
    let options = GreedyOptions {
        max_ids: length,
        first_id_can_end: true,
        constraint: None,
    };
    let sequences = greedy(model.decoder(), encoded, options);
    for (sequence, want) in sequences.iter().zip(get("greedy_ids").chunks(length)) {
        let want: Vec<i32> = want
            .iter()
            .map(|&id| id as i32)
            .take_while(|&id| id >= 0)
            .collect();
        assert_eq!(sequence.ids, want);
        assert_eq!(sequence.ended, want.last() == Some(&1));
        assert!(sequence.probabilities.iter().all(|p| *p > 0.0 && *p <= 1.0));
    }
}

#[test]
fn legacy_files_with_views_and_other_types_are_read() {
    let file = Checkpoint::open(&data("legacy.pth")).unwrap();
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
fn lightning_files_with_unknown_classes_give_their_tensors_and_settings() {
    let file = Checkpoint::open(&data("lightning.ckpt")).unwrap();
    assert_eq!(file.keys().collect::<Vec<_>>(), ["model.a", "model.b"]);
    assert_eq!(
        file.read_f32("model.b").unwrap(),
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    );
    let settings = Settings::find(&file, None).unwrap();
    assert_eq!((settings.heads, settings.head_size), (Some(3), Some(16)));
}

#[test]
fn a_safetensors_header_of_any_length_is_no_pickle() {
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
fn what_does_not_fit_is_named() {
    let file = Checkpoint::open(&data("tiny.pth")).unwrap();
    let mut config = Mt3Config::of(&file, "", &two_heads()).unwrap();
    config.decoder_layers += 1;
    config.blocks.feed_forward_size += 1;
    let error = Mt3::<Cpu>::load(&file, "", config, &Default::default())
        .unwrap_err()
        .to_string();
    for part in [
        "tensors are missing: decoder.block.1.",
        "have another shape: encoder.block.0.",
        "instead of [25, 16]",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let error = Checkpoint::open(&data("make_tiny.py"))
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("is no checkpoint: neither PyTorch's (zip or legacy) nor SafeTensors"),
        "{error}"
    );
    // Without settings nobody can know the number of heads.
    let error = Mt3Config::of(&file, "", &Settings::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("config.json"), "{error}");
}

#[test]
fn a_source_keeps_everything_else_out() {
    let options = LoadOptions {
        settings: two_heads(),
        ..LoadOptions::default()
    };
    let (transcriber, _) = Transcriber::load(&data("tiny.pth"), &options, Device::Cpu).unwrap();
    assert_eq!(transcriber.family(), Family::Mt3);
    let seconds = 9;
    let noise: Vec<f32> = (0..SAMPLE_RATE_HZ * seconds)
        .map(|n| ((n * n % 1013) as f32 / 1013.0 - 0.5) * 0.4)
        .collect();
    let heard = |source: &str| {
        let source: AllowedNotes = source.parse().unwrap();
        let options = TokenOptions {
            source,
            max_ids: Some(200),
            ..TokenOptions::default()
        };
        // The tiny network seldom ends a sequence: decode what there is.
        let mut heard = transcriber.transcribe(&noise, &options, |_| true).unwrap();
        heard
            .sequences
            .iter_mut()
            .flatten()
            .for_each(|sequence| sequence.ended = true);
        transcriber.notes(heard.starts_seconds, heard.sequences)
    };
    let drums = heard("drums");
    assert!(!drums.notes.is_empty() && drums.notes.iter().all(|note| note.is_drum));
    assert!(
        drums
            .notes
            .iter()
            .all(|note| note.confidence > 0.0 && note.confidence <= 1.0)
    );
    let kick = heard("drums:36");
    assert!(
        kick.notes
            .iter()
            .all(|note| note.is_drum && note.pitch == 36)
    );
    let bass = heard("bass");
    assert!(
        bass.notes
            .iter()
            .all(|note| !note.is_drum && (32..=39).contains(&note.program))
    );
    assert_eq!(heard("mix"), heard("mix"), "the same sound twice");
}

#[test]
fn the_batch_size_changes_nothing() {
    let options = LoadOptions {
        settings: two_heads(),
        ..LoadOptions::default()
    };
    let (transcriber, _) = Transcriber::load(&data("tiny.pth"), &options, Device::Cpu).unwrap();
    let sound: Vec<f32> = (0..SAMPLE_RATE_HZ * 7)
        .map(|n| (n as f32 * 0.11).sin() * 0.3)
        .collect();
    let ids = |batch_segments: usize| {
        let options = TokenOptions {
            batch_segments,
            max_ids: Some(80),
            ..TokenOptions::default()
        };
        let heard = transcriber.transcribe(&sound, &options, |_| true).unwrap();
        heard
            .sequences
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
