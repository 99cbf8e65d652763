//! Checkpoint formats and the token model on a tiny MT3, made by `data/mt3_family/make_tiny.py`.

use std::path::Path;

use hitscribe_core::checkpoint::{Checkpoint, StoredTensor, write_safetensors};
use hitscribe_core::features::mt3_family::{Features, SAMPLE_RATE_HZ};
use hitscribe_models::device::Device;
use hitscribe_models::generate::{
    AllowedNotes, Family, LoadOptions, NamedTensor, NamedValues, SegmentJob, TokenModel,
    TokenOptions, TraceRequest,
};
use hitscribe_models::{Hyperparameters, Precision};
use hitscribe_testing::golden::tiny_model;
use hitscribe_testing::tensors::assert_max;

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

/// A sine of seven seconds, four segments.
fn seven_seconds() -> Vec<f32> {
    (0..SAMPLE_RATE_HZ * 7)
        .map(|n| (n as f32 * 0.11).sin() * 0.3)
        .collect()
}

#[test]
fn the_batch_size_changes_nothing() {
    let options = LoadOptions {
        hyperparameters: two_heads(),
        ..LoadOptions::default()
    };
    let (model, _) = TokenModel::load(&tiny_model("tiny.pth"), &options, Device::Cpu).unwrap();
    let sound = seven_seconds();
    let ids = |batch_segments: usize| {
        let options = TokenOptions {
            batch_segments: Some(batch_segments),
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

/// An MR-MT3 with memory in `folder`: `tiny.pth` and the layers of `memory.safetensors`.
fn with_memory(folder: &Path, config: &str) -> TokenModel {
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for name in ["tiny.pth", "memory.safetensors"] {
        let file = Checkpoint::open(&tiny_model(name)).unwrap();
        for key in file.keys().filter(|key| !key.starts_with("v2")) {
            let values = file.read_f32(key).unwrap();
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            let shape = file.shape(key).unwrap().to_vec();
            tensors.push((key.to_owned(), shape, bytes.collect()));
        }
    }
    let stored = tensors.iter().map(|(name, shape, bytes)| StoredTensor {
        name,
        shape,
        is_int: false,
        bytes: bytes.clone(),
    });
    let path = folder.join("memory.safetensors");
    write_safetensors(&path, &stored.collect::<Vec<_>>()).unwrap();
    std::fs::write(folder.join("config.json"), config).unwrap();
    let (model, report) = TokenModel::load(&path, &LoadOptions::default(), Device::Cpu).unwrap();
    assert_eq!(report.unused, Vec::<String>::new());
    model
}

#[test]
fn both_variants_of_the_memory_equal_their_pytorch_twins() {
    let expected = Checkpoint::open(&tiny_model("memory.safetensors")).unwrap();
    let inputs = Checkpoint::open(&tiny_model("expected.safetensors")).unwrap();
    let shape = inputs.shape("features").unwrap();
    let features = Features {
        values: inputs.read_f32("features").unwrap(),
        frames: shape[1],
        bands: shape[2],
        starts_seconds: (0..shape[0]).map(|n| n as f64).collect(),
    };
    let request = TraceRequest {
        max_ids: Some(60),
        ..TraceRequest::default()
    };
    for (variant, class) in [
        ("v2-with-prev", "T5ForConditionalGeneration"),
        ("v2", "T5SegMemV2"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config =
            format!(r#"{{"num_heads": 2, "segmem_length": 8, "architectures": ["{class}"]}}"#);
        let model = with_memory(folder.path(), &config);
        assert_eq!(model.family(), Family::MrMt3);
        let traced = model.trace(&features, &request).unwrap();
        let named = |name: &str| -> &NamedTensor {
            traced.iter().find(|tensor| tensor.name == name).unwrap()
        };
        for segment in 0..2 {
            let NamedValues::F32(memory) = &named(&format!("memory_seg{segment}")).values else {
                panic!("a memory of floats")
            };
            let want = expected.read_f32(&format!("{variant}.memory{segment}"));
            assert_max(variant, memory, &want.unwrap(), 2e-5);
        }
        let NamedValues::I32(ids) = &named("generated_ids").values else {
            panic!("ids are integers")
        };
        for (segment, ids) in ids.chunks(1024).enumerate() {
            let want = expected
                .read_f32(&format!("{variant}.ids{segment}"))
                .unwrap();
            let mut want: Vec<i32> = want.into_iter().map(|id| id as i32).collect();
            want.resize(1024, 0);
            assert_eq!(ids, want, "{variant}, segment {segment}");
        }
    }
}

#[test]
fn segments_one_by_one_have_the_memory_of_the_recording() {
    let transcribe = |variant: &str| {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(r#"{{"num_heads": 2, "memory_variant": "{variant}"}}"#);
        let model = with_memory(folder.path(), &config);
        let length = model.form().segment_samples;
        let sound: Vec<f32> = (0..3 * length - 1000)
            .map(|n| (n as f32 * 0.11).sin() * 0.3)
            .collect();
        let options = TokenOptions::default();
        let whole = model.transcribe(&sound, &options, |_| true).unwrap();
        let mut memory_ids = model.form().memory_ids(None);
        for (segment, want) in sound.chunks(length).zip(&whole.sequences) {
            let job = SegmentJob {
                samples: segment.to_vec(),
                is_last: segment.len() < length,
                source: AllowedNotes::everything(),
                sensitivity: options.sensitivity.clone(),
                memory_ids,
            };
            let channels = model.decode_segments(&[&job], &|| true).unwrap().remove(0);
            assert_eq!(&channels, want, "{variant}");
            memory_ids = model.form().memory_ids(Some(&channels));
        }
        whole.sequences
    };
    assert_ne!(transcribe("v2"), transcribe("v2-with-prev"));
}

#[test]
fn fewer_bits_give_nearly_the_same_logits_whatever_the_batch() {
    let inputs = Checkpoint::open(&tiny_model("expected.safetensors")).unwrap();
    let shape = inputs.shape("features").unwrap();
    let features = Features {
        values: inputs.read_f32("features").unwrap(),
        frames: shape[1],
        bands: shape[2],
        starts_seconds: (0..shape[0]).map(|n| n as f64).collect(),
    };
    let ids = inputs.read_f32("tf_ids").unwrap();
    let request = TraceRequest {
        teacher_ids: vec![ids.into_iter().map(|id| id as i32).collect()],
        max_ids: Some(40),
        ..TraceRequest::default()
    };
    let load = |precision: Precision| {
        let options = LoadOptions {
            hyperparameters: two_heads(),
            precision,
            ..LoadOptions::default()
        };
        TokenModel::load(&tiny_model("tiny.pth"), &options, Device::Cpu)
            .unwrap()
            .0
    };
    let logits = |precision: Precision| {
        let traced = load(precision).trace(&features, &request).unwrap();
        let found = traced.into_iter().find(|tensor| tensor.name == "tf_logits");
        match found.unwrap().values {
            NamedValues::F32(values) => values,
            NamedValues::I32(_) => panic!("logits are floats"),
        }
    };
    let full = logits(Precision::F32);
    assert_eq!(logits(Precision::Auto), full);
    let size = |values: &[f32]| values.iter().map(|x| x * x).sum::<f32>().sqrt();
    for (precision, most) in [(Precision::F16, 0.002), (Precision::Int8, 0.05)] {
        let fewer = logits(precision);
        let error: Vec<f32> = fewer.iter().zip(&full).map(|(a, b)| a - b).collect();
        let share = size(&error) / size(&full);
        assert!(share > 1e-5 && share < most, "{precision}: {share}");

        let model = load(precision);
        let sound = seven_seconds();
        let transcribe = |batch_segments: usize| {
            let options = TokenOptions {
                batch_segments: Some(batch_segments),
                max_ids: Some(60),
                ..TokenOptions::default()
            };
            model.transcribe(&sound, &options, |_| true).unwrap()
        };
        assert_eq!(transcribe(1), transcribe(3), "{precision}");
    }
}

#[test]
fn precisions_have_names() {
    for name in ["auto", "f32", "f16", "int8"] {
        assert_eq!(name.parse::<Precision>().unwrap().to_string(), name);
    }
    let error = "int4".parse::<Precision>().unwrap_err().to_string();
    assert!(error.contains("auto, f32, f16 or int8"), "{error}");
}
