//! YourMT3 against the golden packs: pre-encoder, encoder, contexts, logits, tokens, notes, MIDI.

use std::path::{Path, PathBuf};

use burn_tensor::backend::Backend;
use burn_tensor::{Tensor, TensorData};
use hitscribe_core::checkpoint::Checkpoint;
use hitscribe_core::features::mt3_family::{FrontEnd, FrontEndKind};
use hitscribe_core::tokens::SegmentTokens;
use hitscribe_core::tokens::yourmt3::{CHANNELS, Faults, mix, parse_channel};
use hitscribe_testing::golden::{golden, golden_json};
use hitscribe_testing::notes::{assert_notes, yourmt3_note};
use hitscribe_testing::tensors::{Pack, assert_max, difference};
use serde_json::Value;

use crate::compact::Precision;
use crate::generate::greedy::{GreedyOptions, greedy, teacher_forced};
use crate::mt3_family::hyperparameters::Hyperparameters;
use crate::mt3_family::yourmt3::{BINS, FRAMES, YourMt3, YourMt3Config, YourMt3Trace, prefix_of};

use super::on::On;

const ALL: [usize; CHANNELS] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

fn load<B: Backend>(on: &On<B>, path: &Path) -> YourMt3<B> {
    let checkpoint = Checkpoint::open(path).expect("the checkpoint opens");
    let hyperparameters = Hyperparameters::find(&checkpoint, None).expect("hyperparameters");
    let prefix = prefix_of(&checkpoint).expect("a YourMT3 checkpoint");
    let config =
        YourMt3Config::of(&checkpoint, prefix, &hyperparameters).expect("the sizes are plain");
    let (model, report) = YourMt3::load(&checkpoint, prefix, config, Precision::F32, &on.device)
        .expect("the weights fit");
    assert_eq!(report.unused, Vec::<String>::new());
    model
}

fn spectrograms<B: Backend>(on: &On<B>, values: &[f32]) -> Tensor<B, 3> {
    let segments = values.len() / (FRAMES * BINS);
    Tensor::from_data(
        TensorData::new(values.to_vec(), [segments, FRAMES, BINS]),
        &on.device,
    )
}

fn host<B: Backend, const D: usize>(x: Tensor<B, D>) -> Vec<f32> {
    x.into_data().to_vec().expect("f32")
}

/// The first `count` values and as many golden ones.
fn assert_start(name: &str, got: &[f32], want: &[f32], tolerance: f32) {
    assert_max(name, &got[..want.len()], want, tolerance);
}

fn check<B: Backend>(
    on: &On<B>,
    model: &YourMt3<B>,
    folder: &Path,
    max_ids: usize,
) -> (Vec<f64>, Vec<Vec<Vec<i32>>>) {
    let pack = Pack::open(&folder.join("pack.safetensors"));
    let json: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("pack.json")).unwrap()).unwrap();
    let given = pack.get("spectrogram");
    let mut trace = YourMt3Trace::default();
    let encoded = model.encode(spectrograms(on, given.row(0)), Some(&mut trace));
    if json["slices"]["pre"].as_u64().unwrap() > 0 {
        assert_start(
            "pre-encoder",
            &trace.pre_encoder,
            &pack.get("pre_encoder_seg0").values,
            on.tolerance(2e-4),
        );
        let want = pack.get("block_out_seg0");
        for (block, got) in trace.encoder.block_outputs.iter().enumerate() {
            let d = difference(
                &format!("block {block}"),
                &got[..want.row(block).len()],
                want.row(block),
            );
            assert!(d.p999 <= on.tolerance(2e-4), "block {block}");
        }
    }
    let router = pack.get("router_logits_block0_local0_seg0");
    assert_start(
        "router",
        &trace.encoder.first_router_logits,
        &router.values,
        on.tolerance(2e-4),
    );
    let want = pack.get("encoder_out");
    let got = host(encoded.clone());
    let d = difference("encoder", &got[..want.values.len()], &want.values);
    assert!(d.p999 <= on.tolerance(2e-4), "encoder");

    let channels: Vec<usize> = json["slices"]["ch"]
        .as_array()
        .unwrap()
        .iter()
        .map(|channel| channel.as_u64().unwrap() as usize)
        .collect();
    let want = pack.get("pre_decoder_seg0");
    let d = difference(
        "contexts",
        &host(model.contexts(encoded, &channels)),
        &want.values,
    );
    assert!(d.p999 <= on.tolerance(4e-4), "contexts");

    // From here on from the sound: the pack has the spectrogram of the first segment only.
    let own = FrontEnd::new(FrontEndKind::YourMt3, 0).features(&pack.get("wav").values);
    let tf_ids = pack.get("tf_ids");
    let tf_logits = pack.get("tf_logits");
    let want = pack.get("greedy_ids");
    let mut out = Vec::new();
    for segment in 0..own.segments() {
        // The first from the given spectrogram, for the tolerance of given features.
        let spectrogram = if segment == 0 {
            given.row(0)
        } else {
            own.segment(segment)
        };
        let contexts = model.contexts(model.encode(spectrograms(on, spectrogram), None), &ALL);
        // The pack has the logits of the first and of the last segment.
        let row = [(0, 0), (own.segments() - 1, 1)]
            .into_iter()
            .find(|(at, _)| *at == segment);
        if let Some((_, row)) = row {
            for channel in ALL {
                let [_, rows, size] = contexts.dims();
                let context = contexts
                    .clone()
                    .slice([channel..channel + 1, 0..rows, 0..size]);
                let ids: Vec<i32> = tf_ids.row(channel).iter().map(|&id| id as i32).collect();
                let logits = teacher_forced(model.decoder(), context, &ids);
                let per_channel = tf_logits.row(row).len() / CHANNELS;
                let want = &tf_logits.row(row)[channel * per_channel..(channel + 1) * per_channel];
                let tolerance = if segment == 0 { 1e-4 } else { 2e-3 };
                assert_max(
                    &format!("logits of segment {segment}, channel {channel}"),
                    &logits[0],
                    want,
                    on.tolerance(tolerance),
                );
            }
        }
        let options = GreedyOptions {
            max_ids,
            first_id_can_end: false,
            mask: None,
        };
        let sequences = greedy(model.decoder(), contexts, options);
        for (channel, sequence) in sequences.iter().enumerate() {
            let mut ids = sequence.ids.clone();
            ids.resize(max_ids, 0);
            let golden = &want.row(segment)[channel * max_ids..(channel + 1) * max_ids];
            let golden: Vec<i32> = golden.iter().map(|&id| id as i32).collect();
            assert_eq!(ids, golden, "segment {segment}, channel {channel}");
        }
        out.push(sequences.into_iter().map(|sequence| sequence.ids).collect());
    }
    (own.starts_seconds, out)
}

#[test]
fn yourmt3_tiny() {
    tiny(&On::cpu());
}

/// The small model.
pub(super) fn tiny<B: Backend>(on: &On<B>) {
    let Some(folder) = golden("yourmt3/tiny") else {
        return;
    };
    let json: Value = golden_json("yourmt3/tiny/pack.json").unwrap();
    let (starts, ids) = check(on, &load(on, &folder.join("last.ckpt")), &folder, 256);
    let mut faults = Faults::new();
    let mut per_channel = Vec::new();
    for channel in ALL {
        let segments: Vec<SegmentTokens> = starts
            .iter()
            .zip(&ids)
            .map(|(&start, segment)| SegmentTokens::certain(start, segment[channel].clone()))
            .collect();
        let notes = parse_channel(&segments, &mut faults);
        let want: Vec<_> = json["notes_per_channel"][channel]
            .as_array()
            .unwrap()
            .iter()
            .map(yourmt3_note)
            .collect();
        assert_notes(&format!("channel {channel}"), &notes, &want);
        per_channel.push(notes);
    }
    let want: Vec<_> = json["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(yourmt3_note)
        .collect();
    assert_notes("mixed", &mix(per_channel), &want);
    for (name, count) in json["event_errors"]
        .as_object()
        .unwrap()
        .iter()
        .chain(json["note_errors"].as_object().unwrap())
    {
        let got = faults
            .iter()
            .find(|(fault, _)| fault.name() == name)
            .map_or(0, |(_, &count)| count);
        assert_eq!(got as f64, count.as_f64().unwrap(), "{name}");
    }
}

#[test]
fn yourmt3_full_size() {
    full_size(&On::cpu());
}

/// The large model.
pub(super) fn full_size<B: Backend>(on: &On<B>) {
    let weights = std::env::var_os("HITSCRIBE_FULL_WEIGHTS")
        .map(|folder| PathBuf::from(folder).join("yourmt3_full.ckpt"));
    let Some(weights) = weights.filter(|path| path.exists()) else {
        eprintln!("skipped: no yourmt3_full.ckpt in the folder HITSCRIBE_FULL_WEIGHTS");
        return;
    };
    let Some(folder) = golden("yourmt3/full") else {
        return;
    };
    check(on, &load(on, &weights), &folder, 12);
}
