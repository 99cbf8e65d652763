//! A tiny MT3 whose expected values come from `benches/mt3_torch.py`, made by
//! `tests/data/mt3_family/make_tiny.py`: runs without the golden packs.

use burn_tensor::backend::Backend;
use burn_tensor::{Tensor, TensorData};
use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::tokens::vocabulary::Vocabulary;
use hitscribe_testing::golden::tiny_model;

use crate::compact::Precision;
use crate::device::Cpu;
use crate::generate::allowed::LogitBias;
use crate::generate::greedy::{GreedyOptions, greedy, greedy_each, teacher_forced};
use crate::generate::greedy_on_device::greedy_on_device;
use crate::generate::token_mask::TokenMask;
use crate::mt3_family::hyperparameters::Hyperparameters;
use crate::mt3_family::mt3::{Mt3, Mt3Config};

use super::on::On;

fn two_heads() -> Hyperparameters {
    Hyperparameters {
        heads: Some(2),
        ..Hyperparameters::default()
    }
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

fn tiny<B: Backend>(on: &On<B>) -> Mt3<B> {
    let checkpoint = Checkpoint::open(&tiny_model("tiny.pth")).unwrap();
    let config = Mt3Config::of(&checkpoint, "", &two_heads()).unwrap();
    let (model, report) = Mt3::load(&checkpoint, "", config, Precision::F32, &on.device).unwrap();
    assert!(report.unused.is_empty(), "{:?}", report.unused);
    model
}

#[test]
fn the_tiny_network_equals_its_pytorch_twin() {
    equals_its_twin(&On::cpu());
}

pub(super) fn equals_its_twin<B: Backend>(on: &On<B>) {
    let model = tiny(on);
    let expected = Checkpoint::open(&tiny_model("expected.safetensors")).unwrap();
    let get = |name: &str| expected.read_f32(name).unwrap();
    let shape: [usize; 3] = expected.shape("features").unwrap().try_into().unwrap();
    let features = Tensor::<B, 3>::from_data(TensorData::new(get("features"), shape), &on.device);
    let encoded = model.encode(features);
    let host: Vec<f32> = encoded.clone().into_data().to_vec().unwrap();
    assert!(difference(&host, &get("encoder_out")) < on.tolerance(2e-5));

    let ids: Vec<i32> = get("tf_ids").iter().map(|&id| id as i32).collect();
    let logits = teacher_forced(model.decoder(), encoded.clone(), &ids).concat();
    // Every sixteenth was kept.
    let logits: Vec<f32> = logits
        .chunks(1536)
        .flat_map(|all| all.iter().copied().step_by(16))
        .collect();
    assert!(difference(&logits, &get("tf_logits")) < on.tolerance(2e-5));

    let length = expected.shape("greedy_ids").unwrap()[1];
    let options = GreedyOptions {
        max_ids: length,
        first_id_can_end: true,
        mask: None,
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
fn ids_chosen_on_the_device_are_those_that_the_host_chooses() {
    let model = tiny(&On::cpu());
    let file = Checkpoint::open(&tiny_model("expected.safetensors")).unwrap();
    let shape: [usize; 3] = file.shape("features").unwrap().try_into().unwrap();
    let features = TensorData::new(file.read_f32("features").unwrap(), shape);
    let features = Tensor::<Cpu, 3>::from_data(features, &Default::default());
    let encoded = model.encode(features);
    let size = model.decoder().vocabulary_size();
    let mask = |source: &str| {
        let none = LogitBias::default();
        TokenMask::new(Vocabulary::MT3, size, &source.parse().unwrap(), &none)
    };
    let sources = ["drums", "bass", "mix"].map(mask);
    for all in [false, true] {
        let masks: Vec<_> = (0..shape[0])
            .map(|row| sources[row % 3].as_ref().filter(|_| !all))
            .collect();
        for max_ids in [1, 16, 45] {
            let options = GreedyOptions {
                max_ids,
                first_id_can_end: true,
                mask: None,
            };
            let go = || true;
            let on_host = greedy_each(model.decoder(), encoded.clone(), options, &masks, &go);
            let on_device =
                greedy_on_device(model.decoder(), encoded.clone(), options, &masks, &go);
            for (host, device) in on_host.iter().zip(&on_device) {
                assert_eq!((&host.ids, host.ended), (&device.ids, device.ended));
                assert!(difference(&host.probabilities, &device.probabilities) < 1e-5);
            }
        }
    }
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let file = Checkpoint::open(&tiny_model("tiny.pth")).unwrap();
    let mut config = Mt3Config::of(&file, "", &two_heads()).unwrap();
    config.decoder_layers += 1;
    config.blocks.feed_forward_size += 1;
    let error = Mt3::<Cpu>::load(&file, "", config, Precision::F32, &Default::default())
        .unwrap_err()
        .to_string();
    for part in [
        "tensors are missing: decoder.block.1.",
        "have another shape: encoder.block.0.",
        "instead of [25, 16]",
    ] {
        assert!(error.contains(part), "{error}");
    }
    // The number of heads does not follow from the shapes.
    let error = Mt3Config::of(&file, "", &Hyperparameters::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("config.json"), "{error}");
}
