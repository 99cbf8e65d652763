//! Encoder per segment and decoder per token of MT3, MR-MT3 and YourMT3 on the CPU.
//!
//! ```text
//! RAYON_NUM_THREADS=1 cargo bench -p hitscribe-engine --bench mt3_family -- mt3.pth segmem.ckpt last.ckpt
//! engine/benches/mt3_torch.py mt3.pth --threads 1
//! ```
//!
//! The times are the best of several runs, so that another process on the machine disturbs less.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use burn::tensor::{Tensor, TensorData};
use hitscribe_engine::audio::spectral::{FrontEnd, SAMPLE_RATE_HZ};
use hitscribe_engine::decode::{Family, LoadOptions, TokenOptions, Transcriber};
use hitscribe_engine::device::{Cpu, Device};
use hitscribe_engine::model::checkpoint::Checkpoint;
use hitscribe_engine::model::config::Settings;
use hitscribe_engine::model::t5::Decoder;
use hitscribe_engine::model::{mt3, yourmt3};

const STEPS: usize = 64;

fn best_ms(repeats: usize, mut work: impl FnMut()) -> f64 {
    let times = (0..repeats).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e3
    });
    times.fold(f64::INFINITY, f64::min)
}

/// Highest memory of the process so far, where the system tells.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}

fn noise(samples: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..samples).map(|_| 0.1 * next()).collect()
}

fn decode(name: &str, decoder: &Decoder<Cpu>, context: &Tensor<Cpu, 3>) {
    for batch in [1, 8] {
        let contexts = context.clone().repeat_dim(0, batch);
        let ms = best_ms(5, || {
            let mut state = decoder.start(contexts.clone());
            let mut ids = vec![0; batch];
            for _ in 0..STEPS {
                let logits: Vec<f32> = decoder
                    .step(&ids, &mut state)
                    .into_data()
                    .to_vec()
                    .expect("f32");
                for (id, logits) in ids.iter_mut().zip(logits.chunks(decoder.vocabulary_size())) {
                    let best = (0..logits.len())
                        .fold(0, |best, i| if logits[i] > logits[best] { i } else { best });
                    *id = best as i32;
                }
            }
        });
        println!(
            "{name}: decode {:.2} ms per step of {batch}, cross-attention set-up included",
            ms / STEPS as f64
        );
    }
}

fn run(path: &Path) -> hitscribe_engine::error::Result<()> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let checkpoint = Checkpoint::open(path)?;
    let settings = Settings::find(&checkpoint, None)?;
    let start = Instant::now();
    if let Some(prefix) = mt3::prefix_of(&checkpoint) {
        let config = mt3::Mt3Config::of(&checkpoint, prefix, &settings)?;
        let bands = config.bands;
        let (model, _) = mt3::Mt3::<Cpu>::load(&checkpoint, prefix, config, &Default::default())?;
        println!(
            "{name}: loaded in {:.0} ms, peak {:.0} MiB",
            start.elapsed().as_secs_f64() * 1e3,
            peak_mib()
        );
        let features = TensorData::new(noise(256 * bands), [1, 256, bands]);
        let features = Tensor::<Cpu, 3>::from_data(features, &Default::default());
        let ms = best_ms(5, || drop(black_box(model.encode(features.clone()))));
        println!("{name}: encoder {ms:.1} ms per segment");
        if let Some(memory) = model.memory(&mt3::Mt3::<Cpu>::first_memory_ids()) {
            let ms = best_ms(3, || {
                drop(black_box(
                    model.memory(&mt3::Mt3::<Cpu>::first_memory_ids()),
                ))
            });
            println!(
                "{name}: memory of {} rows {ms:.1} ms per segment",
                memory.dims()[1]
            );
        }
        decode(&name, model.decoder(), &model.encode(features));
    } else if let Some(prefix) = yourmt3::prefix_of(&checkpoint) {
        let config = yourmt3::YourMt3Config::of(&checkpoint, prefix, &settings)?;
        let (model, _) =
            yourmt3::YourMt3::<Cpu>::load(&checkpoint, prefix, config, &Default::default())?;
        println!(
            "{name}: loaded in {:.0} ms, peak {:.0} MiB",
            start.elapsed().as_secs_f64() * 1e3,
            peak_mib()
        );
        let spectrogram = TensorData::new(noise(110 * 1024), [1, 110, 1024]);
        let spectrogram = Tensor::<Cpu, 3>::from_data(spectrogram, &Default::default());
        let ms = best_ms(2, || {
            drop(black_box(model.encode(spectrogram.clone(), None)))
        });
        println!("{name}: encoder {ms:.0} ms per segment");
        let encoded = model.encode(spectrogram, None);
        let all: Vec<usize> = (0..config.channels()).collect();
        let ms = best_ms(3, || {
            let mut state = model.decoder().start(model.contexts(encoded.clone(), &all));
            for _ in 0..16 {
                drop(black_box(
                    model
                        .decoder()
                        .step(&vec![0; all.len()], &mut state)
                        .into_data(),
                ));
            }
        });
        println!(
            "{name}: decode {:.2} ms per step of all {} channels",
            ms / 16.0,
            all.len()
        );
        decode(&name, model.decoder(), &model.contexts(encoded, &[0]));
    }
    Ok(())
}

/// A whole recording of three segments, from sound to notes.
fn whole(path: &Path) -> hitscribe_engine::error::Result<()> {
    let (transcriber, _) = Transcriber::load(path, &LoadOptions::default(), Device::Cpu)?;
    let sound = noise(SAMPLE_RATE_HZ as usize * 6);
    let front_end = FrontEnd::new(transcriber.front_end().kind(), 512);
    let ms = best_ms(3, || drop(black_box(front_end.features(&sound))));
    let options = TokenOptions {
        max_ids: Some(32),
        ..TokenOptions::default()
    };
    let start = Instant::now();
    let heard = transcriber.transcribe(&sound, &options, |_| true)?;
    let ids: usize = heard
        .sequences
        .iter()
        .flatten()
        .map(|sequence| sequence.ids.len())
        .sum();
    println!(
        "{}: front end {:.1} ms per segment; {} segments with {ids} ids in {:.2} s; peak {:.0} MiB",
        match transcriber.family() {
            Family::Mt3 => "MT3",
            Family::MrMt3 => "MR-MT3",
            Family::YourMt3 => "YourMT3",
        },
        ms / heard.starts_seconds.len().max(1) as f64,
        heard.starts_seconds.len(),
        start.elapsed().as_secs_f64(),
        peak_mib()
    );
    Ok(())
}

fn main() {
    let files: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    if files.is_empty() {
        println!("give checkpoints of MT3, MR-MT3 or YourMT3 as arguments");
    }
    for file in &files {
        let path = Path::new(file);
        if let Err(error) = run(path).and_then(|()| whole(path)) {
            println!("{error}");
        }
    }
}
