//! Encoder per segment and decoder per step of MT3, MR-MT3 and YourMT3, beside PyTorch.
//!
//! ```text
//! cargo xtask bench [--python PYTHON] [--threads N] CHECKPOINT...
//! ```
//!
//! In every precision on the CPU, and on the GPU if there is one. With `--python` the networks of
//! `torch_reference.py` run as well on the CPU, in 32-bit floats and with PyTorch's dynamic
//! quantisation. With one thread the times are CPU time, which other work on the machine disturbs
//! little; otherwise, and on a GPU, they are wall time. The best of all rounds counts.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use hitscribe_core::error::Result;
use hitscribe_core::features::mt3_family::{Features, SAMPLE_RATE_HZ};
use hitscribe_models::Precision;
use hitscribe_models::device::{Device, DeviceChoice, has_half_floats, select};
use hitscribe_models::generate::{LoadOptions, TokenModel, TokenOptions};

const ROUNDS: usize = 2;
const STEPS: usize = 32;
const BATCH_SEGMENTS: usize = 8;
/// Length of the recording whose real-time factor is measured on a GPU.
const LONG_SECONDS: usize = 180;

/// Milliseconds of each kind of work.
#[derive(Clone, Copy)]
struct Times {
    encoder: f64,
    step: f64,
    step_of_batch: f64,
}

impl Times {
    const NONE: Self = Self {
        encoder: f64::INFINITY,
        step: f64::INFINITY,
        step_of_batch: f64::INFINITY,
    };

    fn best(self, other: Self) -> Self {
        Self {
            encoder: self.encoder.min(other.encoder),
            step: self.step.min(other.step),
            step_of_batch: self.step_of_batch.min(other.step_of_batch),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Clock {
    Cpu,
    Wall,
}

impl Clock {
    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Wall => "wall",
        }
    }

    fn milliseconds(self, work: impl FnOnce() -> Result<()>) -> Result<f64> {
        let (start, cpu_start) = (Instant::now(), cpu_seconds());
        work()?;
        Ok(match (self, cpu_start, cpu_seconds()) {
            (Self::Cpu, Some(start), Some(end)) => (end - start) * 1e3,
            _ => start.elapsed().as_secs_f64() * 1e3,
        })
    }
}

/// CPU time of all threads of this process, on Linux.
fn cpu_seconds() -> Option<f64> {
    let of_task = |task: std::io::Result<std::fs::DirEntry>| -> Option<f64> {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok()
    };
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let nanoseconds: Option<f64> = tasks.map(of_task).sum();
    nanoseconds.map(|ns| ns / 1e9)
}

/// A line of the process's status in MiB, on Linux.
fn status_mib(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}

/// Begins a new peak of the process's memory, on Linux.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn noise(samples: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..samples).map(|_| 0.1 * next()).collect()
}

/// The best of three.
fn best_ms(clock: Clock, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        best = best.min(clock.milliseconds(&mut work)?);
    }
    Ok(best)
}

fn times(model: &TokenModel, clock: Clock) -> Result<Times> {
    let (frames, bands) = (model.front_end().frames(), model.front_end().bands());
    let features = Features {
        values: noise(frames * bands),
        frames,
        bands,
        starts_seconds: vec![0.0],
    };
    let segment = model.encode(&features)?;
    let step_ms = |copies: usize| {
        let all = best_ms(clock, || model.decode_steps(&segment, copies, STEPS));
        all.map(|ms| ms / STEPS as f64)
    };
    Ok(Times {
        encoder: best_ms(clock, || model.encode(&features).map(drop))?,
        step: step_ms(1)?,
        step_of_batch: step_ms(BATCH_SEGMENTS)?,
    })
}

/// The speed on a whole recording, from sound to notes, with up to 128 ids for each sequence.
fn long_recording(model: &TokenModel) -> Result<()> {
    let sound = noise(LONG_SECONDS * SAMPLE_RATE_HZ as usize);
    for (batch_segments, words) in [(1, "one by one"), (usize::MAX, "in one batch")] {
        let options = TokenOptions {
            max_ids: Some(128),
            batch_segments: Some(batch_segments),
            ..TokenOptions::default()
        };
        let start = Instant::now();
        let out = model.transcribe(&sound, &options, |_| true)?;
        let ids: usize = out.sequences.iter().flatten().map(|s| s.ids.len()).sum();
        println!(
            "{LONG_SECONDS} s, segments {words}, {ids} ids: real-time factor {:.4}",
            start.elapsed().as_secs_f64() / LONG_SECONDS as f64
        );
    }
    Ok(())
}

/// The times of PyTorch; `None`, with the reason printed, if it cannot run.
fn pytorch(
    python: &str,
    checkpoint: &Path,
    threads: usize,
    clock: Clock,
    int8: bool,
) -> Option<(Times, String)> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/torch_reference.py");
    let out = Command::new(python)
        .arg(script)
        .arg(checkpoint)
        .args([
            "--threads",
            &threads.to_string(),
            "--steps",
            &STEPS.to_string(),
        ])
        .args([
            "--batch",
            &BATCH_SEGMENTS.to_string(),
            "--clock",
            clock.name(),
        ])
        .args(int8.then_some("--int8"))
        .output();
    let answer = out.as_ref().ok().and_then(|out| {
        let json: serde_json::Value = serde_json::from_slice(&out.stdout).ok()?;
        let times = Times {
            encoder: json["encoder_ms"].as_f64()?,
            step: json["step_ms"].as_f64()?,
            step_of_batch: json["step_of_batch_ms"].as_f64()?,
        };
        Some((times, json["torch"].as_str()?.to_owned()))
    });
    if answer.is_none() {
        let reason = match out {
            Ok(out) => String::from_utf8_lossy(&out.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        println!("{python}: {}", reason.trim_end());
    }
    answer
}

/// What is measured of one network.
struct Column {
    name: String,
    times: Times,
    /// Of the process with the model loaded, and at its peak while it was loaded and ran.
    mib: Option<[f64; 2]>,
}

/// The model in every precision that the device has. One is in memory at a time.
fn own_columns(path: &Path, device: Device, clock: Clock) -> Result<Vec<Column>> {
    let all = [Precision::F32, Precision::F16, Precision::Int8];
    let precisions = match device {
        Device::Cpu => &all[..],
        #[allow(unreachable_patterns)] // Without GPU support.
        device if has_half_floats(device)? => &all[..2],
        #[allow(unreachable_patterns)]
        _ => &all[..1],
    };
    let mut columns = Vec::new();
    for &precision in precisions {
        let options = LoadOptions {
            precision,
            ..LoadOptions::default()
        };
        forget_peak();
        let (model, _) = TokenModel::load(path, &options, device)?;
        let loaded = status_mib("VmRSS:");
        let mut best = Times::NONE;
        for _ in 0..ROUNDS {
            best = best.best(times(&model, clock)?);
        }
        columns.push(Column {
            name: precision.to_string(),
            times: best,
            mib: Some([loaded, status_mib("VmHWM:")]),
        });
        if device != Device::Cpu {
            long_recording(&model)?;
        }
    }
    Ok(columns)
}

fn compare(path: &Path, device: Device, python: Option<&str>, threads: usize) -> Result<()> {
    let on_gpu = device != Device::Cpu;
    let clock = match threads {
        1 if !on_gpu && cpu_seconds().is_some() => Clock::Cpu,
        _ => Clock::Wall,
    };
    let mut columns = own_columns(path, device, clock)?;
    for int8 in [false, true] {
        if let Some(python) = python.filter(|_| !on_gpu)
            && let Some((times, version)) = pytorch(python, path, threads, clock, int8)
        {
            let precision = if int8 { "int8" } else { "f32" };
            columns.push(Column {
                name: format!("PyTorch {version} {precision}"),
                times,
                mib: None,
            });
        }
    }
    println!(
        "{} on {device}, {threads} CPU threads, {} time",
        path.display(),
        clock.name(),
    );
    let row = |what: String, of: &dyn Fn(&Column) -> String| {
        print!("{what:34}");
        columns
            .iter()
            .for_each(|column| print!("{:>26}", of(column)));
        println!();
    };
    row("milliseconds".into(), &|column| column.name.clone());
    // Of the first, and how many times faster than the first.
    let timed = |what: String, of: fn(&Times) -> f64| {
        let first = of(&columns[0].times);
        row(what, &|column| {
            let ms = of(&column.times);
            format!("{ms:.2} ({:.2}x)", first / ms)
        });
    };
    timed("encoder, one segment".into(), |times| times.encoder);
    timed("decoder, one step, one segment".into(), |times| times.step);
    timed(
        format!("decoder, one step, {BATCH_SEGMENTS} segments"),
        |times| times.step_of_batch,
    );
    row("MiB of the process (peak)".into(), &|column| {
        column.mib.map_or(String::new(), |[loaded, peak]| {
            format!("{loaded:.0} ({peak:.0})")
        })
    });
    println!();
    Ok(())
}

fn main() {
    let mut python = None;
    let mut files = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--python" => python = arguments.next(),
            // From cargo.
            "--bench" | "--test" => {}
            _ => files.push(argument),
        }
    }
    if files.is_empty() {
        println!("give checkpoints of MT3, MR-MT3 or YourMT3 as arguments");
    }
    let threads = std::env::var("RAYON_NUM_THREADS")
        .ok()
        .and_then(|count| count.parse().ok())
        .filter(|&count| count > 0)
        .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
        .unwrap_or(1);
    let mut devices = vec![Device::Cpu];
    match select(&DeviceChoice::Auto) {
        Ok(selected) if selected.device != Device::Cpu => devices.push(selected.device),
        Ok(selected) => println!("no GPU: {}", selected.fallback_reason.unwrap_or_default()),
        Err(error) => println!("no GPU: {error}"),
    }
    for file in &files {
        for &device in &devices {
            if let Err(error) = compare(Path::new(file), device, python.as_deref(), threads) {
                println!("{error}");
            }
        }
    }
}
