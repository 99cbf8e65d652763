//! MT3 and MR-MT3 against the golden packs: encoder, logits, tokens, notes, MIDI.

use std::path::{Path, PathBuf};

use burn_tensor::backend::Backend;
use burn_tensor::{Tensor, TensorData};
use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::features::mt3_family::{FrontEnd, FrontEndKind};
use hitscribe_core::midi::reference_writers;
use hitscribe_core::tokens::SegmentTokens;
use hitscribe_core::tokens::mt3::{ParseRules, codec_indices, parse};
use hitscribe_testing::golden::{golden, golden_json};
use hitscribe_testing::midi::{assert_midi, midi_events};
use hitscribe_testing::notes::{assert_notes, mt3_note};
use hitscribe_testing::tensors::{Pack, Values, assert_max};
use serde_json::Value;

use crate::compact::Precision;
use crate::generate::greedy::{GreedyOptions, greedy, teacher_forced};
use crate::mt3_family::hyperparameters::Hyperparameters;
use crate::mt3_family::mt3::{
    MAX_NEW_IDS, MEMORY_IDS, Mt3, Mt3Config, first_memory_ids, prefix_of,
};

use super::on::On;

fn load<B: Backend>(on: &On<B>, checkpoint: &Path, config: &Path) -> Mt3<B> {
    let checkpoint = Checkpoint::open(checkpoint).expect("the checkpoint opens");
    let hyperparameters =
        Hyperparameters::find(&checkpoint, Some(config)).expect("the configuration is readable");
    let prefix = prefix_of(&checkpoint).expect("an MT3 checkpoint");
    let config = Mt3Config::of(&checkpoint, prefix, &hyperparameters).expect("the sizes are plain");
    let (model, report) = Mt3::load(&checkpoint, prefix, config, Precision::F32, &on.device)
        .expect("the weights fit");
    assert_eq!(report.unused, Vec::<String>::new());
    model
}

fn tensor<B: Backend>(on: &On<B>, values: &[f32], shape: [usize; 3]) -> Tensor<B, 3> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &on.device)
}

fn all<B: Backend>(on: &On<B>, values: &Values) -> Tensor<B, 3> {
    tensor(
        on,
        &values.values,
        values.shape.clone().try_into().expect("three dimensions"),
    )
}

fn row<B: Backend>(on: &On<B>, values: &Values, index: usize) -> Tensor<B, 3> {
    tensor(on, values.row(index), [1, values.shape[1], values.shape[2]])
}

fn host<B: Backend>(x: Tensor<B, 3>) -> Vec<f32> {
    x.into_data().to_vec().expect("f32")
}

const OPTIONS: GreedyOptions<'static> = GreedyOptions {
    max_ids: MAX_NEW_IDS,
    first_id_can_end: true,
    mask: None,
};

/// The golden ids of one row without padding and start id.
fn golden_ids(values: &Values, row: usize) -> Vec<i32> {
    let ids: Vec<i32> = values.row(row).iter().map(|&id| id as i32).collect();
    assert_eq!(ids[0], 0);
    ids[1..].iter().copied().take_while(|&id| id >= 0).collect()
}

fn check_notes(pack: &str, json: &Value, segments: &[SegmentTokens], path: ParseRules) {
    let segments: Vec<SegmentTokens> = segments
        .iter()
        .map(|segment| {
            let ids = codec_indices(&segment.ids)
                .into_iter()
                .map(|index| index + 3)
                .collect();
            SegmentTokens::certain(segment.start_seconds, ids)
        })
        .collect();
    let got = parse(&segments, path);
    let want: Vec<_> = json["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(mt3_note)
        .collect();
    assert_notes(pack, &got.notes, &want);
    assert_eq!(
        got.invalid_events as u64,
        json["invalid_events"].as_u64().unwrap(),
        "{pack}"
    );
    assert_eq!(
        got.dropped_events as u64,
        json["dropped_events"].as_u64().unwrap(),
        "{pack}"
    );
    let (midi, key) = match path {
        ParseRules::Mt3 => (
            reference_writers::mt3_pytorch(&got.notes),
            "midi_unfiltered_b64",
        ),
        ParseRules::MrMt3 => (reference_writers::mr_mt3(&got.notes), "midi_b64"),
    };
    let want = base64(json[key].as_str().unwrap());
    assert_midi(pack, &midi, &midi_events(&want));
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<u32> = text
        .bytes()
        .filter_map(|b| DIGITS.iter().position(|&d| d == b))
        .map(|d| d as u32)
        .collect();
    let mut out = Vec::new();
    for chunk in digits.chunks(4) {
        let bits = chunk
            .iter()
            .enumerate()
            .fold(0, |bits, (i, digit)| bits | digit << (18 - 6 * i));
        out.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    out
}

fn check_tiny<B: Backend>(on: &On<B>, pack: &str, kind: FrontEndKind, path: ParseRules) {
    let Some(folder) = golden(pack) else { return };
    let model = load(
        on,
        &golden("mt3_pytorch/tiny/mt3.pth").unwrap(),
        &folder.join("config.json"),
    );
    let json: Value = golden_json(&format!("{pack}/pack.json")).unwrap();
    let tensors = Pack::open(&folder.join("pack.safetensors"));
    let features = tensors.get("features");
    let encoded = model.encode(all(on, &features));
    assert_max(
        &format!("{pack}, encoder"),
        &host(encoded.clone()),
        &tensors.get("encoder_out").values,
        on.tolerance(2e-4),
    );

    let logits = tensors.get("tf_logits");
    for (index, segment) in json["tf_segments"].as_array().unwrap().iter().enumerate() {
        let segment = segment.as_u64().unwrap() as usize;
        let context = model.encode(row(on, &features, segment));
        let got = teacher_forced(model.decoder(), context, &tensors.get("tf_ids").ids());
        assert_max(
            &format!("{pack}, logits of segment {segment}"),
            &got[0],
            logits.row(index),
            on.tolerance(1e-4),
        );
    }

    let want = tensors.get("greedy_ids");
    let sequences = greedy(model.decoder(), encoded, OPTIONS);
    for (index, sequence) in sequences.iter().enumerate() {
        assert_eq!(
            sequence.ids,
            golden_ids(&want, index),
            "{pack}, segment {index}"
        );
        let alone = greedy(
            model.decoder(),
            model.encode(row(on, &features, index)),
            OPTIONS,
        );
        assert_eq!(
            sequence.ids, alone[0].ids,
            "{pack}, segment {index}: depends on the batch"
        );
    }

    // Now from the sound, with our own features.
    let own = FrontEnd::new(kind, features.shape[2]).features(&tensors.get("wav").values);
    let own_features = tensor(on, &own.values, [own.segments(), own.frames, own.bands]);
    let from_sound = greedy(model.decoder(), model.encode(own_features), OPTIONS);
    let segments: Vec<SegmentTokens> = own
        .starts_seconds
        .iter()
        .zip(&from_sound)
        .map(|(&start, sequence)| SegmentTokens::certain(start, sequence.ids.clone()))
        .collect();
    for (index, (a, b)) in from_sound.iter().zip(&sequences).enumerate() {
        assert_eq!(a.ids, b.ids, "{pack}, segment {index}, from the sound");
    }
    check_notes(pack, &json, &segments, path);
}

/// The small models.
pub(super) fn tiny<B: Backend>(on: &On<B>) {
    check_tiny(
        on,
        "mt3_pytorch/tiny",
        FrontEndKind::Mt3Pytorch,
        ParseRules::Mt3,
    );
    check_tiny(on, "mr_mt3/tiny", FrontEndKind::MrMt3, ParseRules::MrMt3);
    let Some(folder) = golden("mr_mt3_segmem/tiny") else {
        return;
    };
    let model = load(on, &folder.join("segmem.ckpt"), &folder.join("config.json"));
    check_memory(on, &model, &folder, true);
}

#[test]
fn mt3_pytorch_and_mr_mt3_tiny() {
    tiny(&On::cpu());
}

fn check_memory<B: Backend>(on: &On<B>, model: &Mt3<B>, folder: &Path, generated: bool) {
    let tensors = Pack::open(&folder.join("pack.safetensors"));
    let features = tensors.get("features");
    let memory = model
        .memory(&tensors.get("memory_input_ids").ids())
        .expect("a memory");
    assert_max(
        "memory",
        &host(memory.clone()),
        &tensors.get("memory_block").values,
        on.tolerance(2e-4),
    );
    let with_memory = |segment: usize, memory: Tensor<B, 3>| {
        Tensor::cat(vec![model.encode(row(on, &features, segment)), memory], 1)
    };
    let got = teacher_forced(
        model.decoder(),
        with_memory(0, memory),
        &tensors.get("tf_ids").ids(),
    );
    assert_max(
        "logits with memory",
        &got[0],
        &tensors.get("tf_logits").values,
        on.tolerance(1e-4),
    );
    if !generated {
        return;
    }
    assert_max(
        "encoder",
        &host(model.encode(all(on, &features))),
        &tensors.get("encoder_out").values,
        on.tolerance(2e-4),
    );
    let want = tensors.get("generated_ids");
    let mut previous = first_memory_ids(model.memory_variant());
    for segment in 0..3 {
        let memory = model.memory(&previous).expect("a memory");
        let name = format!("memory_seg{segment}");
        assert_max(
            &name,
            &host(memory.clone()),
            &tensors.get(&name).values,
            on.tolerance(2e-4),
        );
        let sequence = greedy(model.decoder(), with_memory(segment, memory), OPTIONS).remove(0);
        previous = [vec![0], sequence.ids].concat();
        previous.resize(MEMORY_IDS, 0);
        let golden: Vec<i32> = want.row(segment).iter().map(|&id| id as i32).collect();
        assert_eq!(previous, golden, "segment {segment}");
    }
}

/// Full-size weights are made by `tools/make_weights.py`; the variable names the folder that holds
/// `mt3_full.pth` and `segmem_full.ckpt`.
fn full_size_file(name: &str) -> Option<PathBuf> {
    let path =
        std::env::var_os("HITSCRIBE_FULL_WEIGHTS").map(|folder| PathBuf::from(folder).join(name));
    let found = path.filter(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: no {name} in the folder HITSCRIBE_FULL_WEIGHTS");
    }
    found
}

/// The large models.
pub(super) fn full_size<B: Backend>(on: &On<B>) {
    full_size_mt3(on);
    full_size_with_memory(on);
}

#[test]
fn full_size_mt3_in_both_front_ends_and_mr_mt3_with_memory() {
    full_size(&On::cpu());
}

fn full_size_mt3<B: Backend>(on: &On<B>) {
    let Some(weights) = full_size_file("mt3_full.pth") else {
        return;
    };
    let Some(config) = golden("mt3_pytorch/full/config.json") else {
        return;
    };
    let model = load(on, &weights, &config);
    for (pack, kind, path) in [
        (
            "mt3_pytorch/full",
            FrontEndKind::Mt3Pytorch,
            ParseRules::Mt3,
        ),
        ("mr_mt3/full", FrontEndKind::MrMt3, ParseRules::MrMt3),
    ] {
        let tensors = Pack::open(&golden(&format!("{pack}/pack.safetensors")).unwrap());
        let json: Value = golden_json(&format!("{pack}/pack.json")).unwrap();
        let encoded = host(model.encode(row(on, &tensors.get("features"), 0)));
        assert_max(
            &format!("{pack}, encoder"),
            &encoded,
            &tensors.get("encoder_out").values,
            on.tolerance(2e-4),
        );
        let own = FrontEnd::new(kind, 512).features(&tensors.get("wav").values);
        let contexts = model.encode(tensor(
            on,
            &own.values,
            [own.segments(), own.frames, own.bands],
        ));
        let logits = teacher_forced(
            model.decoder(),
            contexts.clone(),
            &tensors.get("tf_ids").ids(),
        );
        assert_max(
            &format!("{pack}, logits"),
            &logits.concat(),
            &tensors.get("tf_logits").values,
            on.tolerance(1e-3),
        );
        let want = tensors.get("greedy_ids");
        let sequences = greedy(
            model.decoder(),
            contexts,
            GreedyOptions {
                max_ids: 24,
                ..OPTIONS
            },
        );
        let segments: Vec<SegmentTokens> = sequences
            .iter()
            .zip(&own.starts_seconds)
            .map(|(sequence, &start)| SegmentTokens::certain(start, sequence.ids.clone()))
            .collect();
        for (index, sequence) in sequences.iter().enumerate() {
            assert_eq!(
                sequence.ids,
                golden_ids(&want, index),
                "{pack}, segment {index}"
            );
        }
        check_notes(pack, &json, &segments, path);
    }
}

fn full_size_with_memory<B: Backend>(on: &On<B>) {
    let Some(weights) = full_size_file("segmem_full.ckpt") else {
        return;
    };
    let Some(folder) = golden("mr_mt3_segmem/full") else {
        return;
    };
    check_memory(
        on,
        &load(on, &weights, &folder.join("config.json")),
        &folder,
        false,
    );
}
