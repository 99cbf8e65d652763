//! The built-in networks on the first adapter of this computer, in software if there is no other.
//! Skipped with a reason where there is none.

use std::time::{Duration, Instant};

use hitscribe_core::features::mt3_family::SAMPLE_RATE_HZ;
use hitscribe_models::device::{Device, DeviceChoice, GpuChoice, select};
use hitscribe_models::generate::{LoadOptions, TokenModel, TokenOptions};
use hitscribe_testing::golden::golden;

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
