//! The built-in networks, and what token models do on GPUs alone, on the first adapter of this
//! computer, in software if there is no other. Skipped with a reason where there is none.

use std::process::Command;
use std::time::{Duration, Instant};

use hitscribe_core::audio::mono::read_mono;
use hitscribe_core::features::mt3_family::{Features, SAMPLE_RATE_HZ};
use hitscribe_models::Precision;
use hitscribe_models::device::{Device, DeviceChoice, GpuChoice, has_half_floats, select};
use hitscribe_models::generate::{
    LoadOptions, NamedValues, Sequence, TokenModel, TokenOptions, TraceRequest,
};
use hitscribe_testing::golden::{golden, tiny_model};

use super::{parity_drums, parity_joint, parity_pitched};

/// Runs `test` on the adapter. Prints how long that took.
fn on_gpu(name: &str, test: fn(Device)) {
    match select(&DeviceChoice::Gpu(GpuChoice::Number(0))) {
        Ok(selected) => {
            let began = Instant::now();
            test(selected.device);
            eprintln!("{name} on {}: {:.1?}", selected.device, began.elapsed());
        }
        Err(error) => eprintln!("skipped: {error}"),
    }
}

#[test]
fn independent_drums() {
    on_gpu("independent drums", parity_drums::outputs_equal_pytorch);
}

#[test]
fn joint_drums() {
    on_gpu("joint drums", parity_joint::outputs_equal_pytorch);
}

#[test]
fn pitched() {
    on_gpu("pitched", parity_pitched::outputs_equal_pytorch);
}

/// The small MT3 that was trained, and a song that its training never had.
fn small(precision: Precision, device: Device) -> (TokenModel, Vec<f32>) {
    let options = LoadOptions {
        precision,
        ..LoadOptions::default()
    };
    let (model, _) = TokenModel::load(&tiny_model("small/small.pth"), &options, device).unwrap();
    let song = read_mono(&tiny_model("small/song.flac"), SAMPLE_RATE_HZ).unwrap();
    (model, song.samples)
}

/// The logits after each of the ids of one segment, and the vocabulary's size.
fn logits(model: &TokenModel, segment: &Features, ids: &[i32]) -> (Vec<f32>, usize) {
    let fed = [&[0], &ids[..ids.len() - 1]].concat();
    let request = TraceRequest {
        teacher_ids: vec![fed],
        max_ids: Some(1),
        ..TraceRequest::default()
    };
    let traced = model.trace(segment, &request).unwrap();
    let found = traced.into_iter().find(|tensor| tensor.name == "tf_logits");
    let found = found.unwrap();
    match found.values {
        NamedValues::F32(values) => (values, found.shape[2]),
        NamedValues::I32(_) => panic!("logits are floats"),
    }
}

/// The index of the largest value.
fn largest(values: &[f32]) -> usize {
    let indexed = values.iter().enumerate();
    indexed.max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0
}

/// Sixteen bits choose the token of thirty-two in nearly every step.
#[test]
fn half_floats() {
    on_gpu("half floats", |device| {
        if !has_half_floats(device).unwrap() {
            eprintln!("skipped: the driver offers no 16-bit floats");
            return;
        }
        let (full, song) = small(Precision::F32, device);
        let (half, _) = small(Precision::F16, device);
        let expected = full.transcribe(&song, &TokenOptions::default(), |_| true);
        let expected = expected.unwrap().sequences;
        let all = full.front_end().features(&song);
        let size = all.frames * all.bands;
        let (mut steps, mut same) = (0, 0);
        let (mut error, mut total) = (0.0, 0.0);
        for (segment, channels) in expected.iter().enumerate() {
            let one = Features {
                values: all.values[segment * size..][..size].to_vec(),
                starts_seconds: vec![0.0],
                ..all
            };
            let ids = &channels[0].ids;
            let (of_full, vocabulary) = logits(&full, &one, ids);
            let (of_half, _) = logits(&half, &one, ids);
            for (a, b) in of_full.iter().zip(&of_half) {
                error += f64::from((a - b) * (a - b));
                total += f64::from(a * a);
            }
            let pairs = of_full.chunks(vocabulary).zip(of_half.chunks(vocabulary));
            for (a, b) in pairs {
                steps += 1;
                same += usize::from(largest(a) == largest(b));
            }
        }
        let share = (error / total).sqrt();
        eprintln!("{same} of {steps} tokens are the same, logits differ by {share:.6}");
        assert!(steps > 200 && same * 100 >= steps * 99);
        // Not the same floats after all.
        assert!(share > 1e-6 && share < 0.01);
    });
}

/// What a run gives besides ids depends on the last bit of every logit.
#[test]
fn models_loaded_twice_decode_the_same_to_the_last_bit() {
    on_gpu("loaded twice", |device| {
        let run = || -> Vec<Vec<Sequence>> {
            let (model, song) = small(Precision::Auto, device);
            let out = model.transcribe(&song, &TokenOptions::default(), |_| true);
            out.unwrap().sequences
        };
        assert_eq!(run(), run());
    });
}

#[test]
fn a_recording_is_one_batch_that_can_be_stopped() {
    on_gpu("batch", |device| {
        let (model, song) = small(Precision::Auto, device);
        let song = song.repeat(6);
        assert!(model.batch_segments() > 8 && model.batch_segments() <= 64);
        let ids = |batch_segments: Option<usize>| {
            let options = TokenOptions {
                batch_segments,
                max_ids: Some(24),
                ..TokenOptions::default()
            };
            let mut shares = Vec::new();
            let out = model.transcribe(&song, &options, |share| {
                shares.push(share);
                true
            });
            shares.dedup();
            let sequences = out.unwrap().sequences.into_iter().flatten();
            let ids: Vec<Vec<i32>> = sequences.map(|sequence| sequence.ids).collect();
            (ids, shares)
        };
        let (all, shares) = ids(None);
        assert!(all.len() > 8);
        // Nothing is done before the whole batch is.
        assert_eq!(shares, [0.0, 1.0]);
        assert_eq!(ids(Some(3)).0, all);
        let mut calls = 0;
        let stopped = model.transcribe(&song, &TokenOptions::default(), |_| {
            calls += 1;
            false
        });
        assert_eq!((stopped.unwrap().sequences.len(), calls), (0, 1));
    });
}

/// A host's working folder is no place for the settings of our backends.
#[test]
fn files_of_the_working_folder_change_nothing() {
    on_gpu("working folder", |_| {
        let folder = tempfile::tempdir().unwrap();
        for name in ["cubecl.toml", "burn.toml"] {
            std::fs::write(folder.path().join(name), "not [ toml").unwrap();
        }
        let own_path = std::env::current_exe().unwrap();
        let test = "gpu::models_loaded_twice_decode_the_same_to_the_last_bit";
        let out = Command::new(own_path)
            .args([test, "--exact", "--nocapture"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success() && !text.contains("skipped"), "{text}");
    });
}

/// How long [`endurance`] decodes.
const ENDURANCE: Duration = Duration::from_secs(90);

/// The same recording again and again: the same ids each time, and no more memory.
#[test]
#[ignore = "takes minutes; cargo xtask gpu-check runs it"]
fn endurance() {
    on_gpu("endurance", |device| {
        let Some(checkpoint) = golden("mt3_pytorch/tiny/mt3.pth") else {
            return;
        };
        let options = LoadOptions::default();
        let (model, _) = TokenModel::load(&checkpoint, &options, device).unwrap();
        let noise: Vec<f32> = (0..SAMPLE_RATE_HZ * 9)
            .map(|n| ((n * (n % 4_001) % 1_013) as f32 / 1_013.0 - 0.5) * 0.4)
            .collect();
        let options = TokenOptions {
            max_ids: Some(64),
            ..TokenOptions::default()
        };
        let ids = || -> Vec<Vec<i32>> {
            let out = model.transcribe(&noise, &options, |_| true).unwrap();
            let sequences = out.sequences.into_iter().flatten();
            sequences.map(|sequence| sequence.ids).collect()
        };
        let expected = ids();
        assert!(expected.iter().any(|ids| ids.len() > 8));
        let (began, mut rounds) = (Instant::now(), 0);
        let mut resident_mib = Vec::new();
        while began.elapsed() < ENDURANCE {
            assert_eq!(ids(), expected, "after {rounds} rounds");
            rounds += 1;
            resident_mib.push(memory_mib());
        }
        // What the first rounds allocate, the later ones use again.
        let (early, late) = (resident_mib[rounds / 3], resident_mib[rounds - 1]);
        eprintln!("{rounds} rounds, {early:.0} MiB after a third of them, {late:.0} at the end");
        assert!(late < early * 1.05 + 8.0);
    });
}

/// What the process has in memory, on Linux; 0 elsewhere.
fn memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(0.0, |kib| kib / 1024.0)
}
