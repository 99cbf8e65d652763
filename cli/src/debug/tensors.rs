//! `hitscribe debug-tensors`: intermediate values of a network, for comparison with another
//! implementation.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use hitscribe_core::atomic_file::write_atomically;
use hitscribe_core::audio::mono::read_mono;
use hitscribe_core::checkpoint::{Checkpoint, StoredTensor, write_safetensors};
use hitscribe_core::features::mt3_family::{Features, FrontEndKind, SAMPLE_RATE_HZ};
use hitscribe_core::midi::reference_writers;
use hitscribe_models::device::{DeviceChoice, select};
use hitscribe_models::generate::Sequence;
use hitscribe_models::generate::{
    Family, LoadOptions, NamedTensor, NamedValues, TokenModel, TokenTranscription, TraceRequest,
};
use hitscribe_models::{Hyperparameters, MemoryVariant, Precision};
use serde_json::{Value, json};

use crate::debug::reference_json::{base64, faults, mt3_notes, yourmt3_notes};
use crate::{help, values};

/// Write a checkpoint's features, hidden states, logits and tokens
#[derive(clap::Args)]
#[command(after_help = help::MANUAL)]
pub struct Args {
    /// Checkpoint: .pth, .ckpt or .safetensors
    checkpoint: PathBuf,
    /// Audio file
    audio: PathBuf,
    /// SafeTensors file to write
    #[arg(short, long, value_name = "FILE", help_heading = help::FILES)]
    output: PathBuf,
    /// JSON file for the decoded notes
    #[arg(long, value_name = "FILE", help_heading = help::FILES)]
    notes: Option<PathBuf>,
    /// Decoder inputs for tf_logits: SafeTensors, JSON or text
    #[arg(long, value_name = "FILE", help_heading = help::FILES)]
    tokens: Option<PathBuf>,
    /// SafeTensors file with features to use instead of the audio's
    #[arg(long, value_name = "FILE", help_heading = help::FILES)]
    features: Option<PathBuf>,
    /// Segments to process, from 0 [default: all]
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', help_heading = help::FILES)]
    segments: Vec<usize>,
    /// Front end: mt3, mt3-pytorch, mr-mt3, mr-mt3-normalised or yourmt3
    #[arg(long, value_name = "NAME", value_parser = values::front_end, help_heading = help::MODEL)]
    frontend: Option<FrontEndKind>,
    /// JSON file with the hyperparameters
    #[arg(long, value_name = "FILE", help_heading = help::MODEL)]
    config: Option<PathBuf>,
    /// Attention heads of the T5 blocks
    #[arg(long, value_name = "N", help_heading = help::MODEL)]
    heads: Option<usize>,
    /// Attention heads of YourMT3's encoder
    #[arg(long, value_name = "N", help_heading = help::MODEL)]
    encoder_heads: Option<usize>,
    /// Rows of MR-MT3's memory
    #[arg(long, value_name = "N", help_heading = help::MODEL)]
    memory_rows: Option<usize>,
    /// Memory of MR-MT3 before the first segment: v2-with-prev (tie, EOS) or v2 (EOS)
    #[arg(long, value_name = "VARIANT", help_heading = help::MODEL)]
    memory_variant: Option<MemoryVariant>,
    /// Weights: auto, f32, f16 or int8 (CPU only)
    #[arg(long, default_value_t, hide_default_value = true, help_heading = help::MODEL)]
    precision: Precision,
    /// Maximum ids in a sequence [default: 1024, YourMT3 256]
    #[arg(long, value_name = "N", help_heading = help::MODEL)]
    max_ids: Option<usize>,
    /// Where to compute: auto, cpu, cuda:N or gpu:N
    #[arg(long, default_value = "cpu", help_heading = help::MODEL)]
    device: DeviceChoice,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let hyperparameters = Hyperparameters {
        heads: args.heads,
        head_size: None,
        memory_rows: args.memory_rows,
        memory_variant: args.memory_variant,
        front_end: None,
        encoder_heads: args.encoder_heads,
    };
    let options = LoadOptions {
        config: args.config.as_deref(),
        hyperparameters,
        front_end: args.frontend,
        precision: args.precision,
    };
    let (transcriber, report) =
        TokenModel::load(&args.checkpoint, &options, select(&args.device)?.device)?;
    if !report.unused.is_empty() {
        log::warn!(
            "{} tensors of the checkpoint were not used: {}",
            report.unused.len(),
            report.unused.join(", ")
        );
    }
    let recording = read_mono(&args.audio, SAMPLE_RATE_HZ)?;
    let features = features(args, transcriber.front_end().features(&recording.samples))?;
    let mut request = TraceRequest {
        max_ids: args.max_ids,
        ..TraceRequest::default()
    };
    if let Some(path) = &args.tokens {
        (request.teacher_ids, request.memory_ids) = read_tokens(path)?;
    }
    let mut tensors = transcriber.trace(&features, &request)?;
    if let Some(path) = &args.notes {
        let transcription = transcriber.notes(
            features.starts_seconds.clone(),
            sequences(&tensors, &transcriber)?,
        );
        let text = serde_json::to_string_pretty(&notes_json(&transcription, &transcriber))?;
        write_atomically(path, text.as_bytes())?;
    }
    add_inputs(&mut tensors, &features, &request);
    let stored: Vec<StoredTensor<'_>> = tensors.iter().map(stored).collect();
    write_safetensors(&args.output, &stored)?;
    for tensor in &tensors {
        println!("{} {:?}", tensor.name, tensor.shape);
    }
    Ok(())
}

/// The features of the requested segments, with the values of `--features` if given.
fn features(args: &Args, own: Features) -> Result<Features> {
    let size = own.frames * own.bands;
    let Some(path) = &args.features else {
        let wanted = if args.segments.is_empty() {
            (0..own.segments()).collect()
        } else {
            args.segments.clone()
        };
        let mut out = Features {
            frames: own.frames,
            bands: own.bands,
            ..Features::default()
        };
        for segment in wanted {
            ensure!(
                segment < own.segments(),
                "there is no segment {segment}: the audio has {}",
                own.segments()
            );
            out.values.extend_from_slice(own.segment(segment));
            out.starts_seconds.push(own.starts_seconds[segment]);
        }
        return Ok(out);
    };
    let file = Checkpoint::open(path)?;
    let name = ["features", "spectrogram"]
        .into_iter()
        .find(|name| file.contains(name));
    let name =
        name.with_context(|| format!("{}: has neither features nor spectrogram", path.display()))?;
    let shape = file.shape(name).unwrap_or_default().to_vec();
    ensure!(
        matches!(shape[..], [_, frames, bands] if frames * bands == size && bands == own.bands),
        "{}: {name} has the shape {shape:?}; the model takes [segments, {}, {}]",
        path.display(),
        own.frames,
        own.bands
    );
    let rows = shape[0];
    let segments = if args.segments.is_empty() {
        (0..rows).collect()
    } else {
        args.segments.clone()
    };
    ensure!(
        segments.len() == rows,
        "{}: {name} has {rows} rows, --segments names {}",
        path.display(),
        segments.len()
    );
    let mut starts_seconds = Vec::new();
    for segment in segments {
        let start = own.starts_seconds.get(segment);
        starts_seconds
            .push(*start.with_context(|| format!("there is no segment {segment} in the audio"))?);
    }
    Ok(Features {
        values: file.read_f32(name)?,
        frames: own.frames,
        bands: own.bands,
        starts_seconds,
    })
}

/// Lists of decoder inputs, and the ids for the memory.
type Tokens = (Vec<Vec<i32>>, Option<Vec<i32>>);

fn read_tokens(path: &Path) -> Result<Tokens> {
    if let Ok(file) = Checkpoint::open(path) {
        let shape = file
            .shape("tf_ids")
            .with_context(|| format!("{}: has no tf_ids", path.display()))?
            .to_vec();
        let ids: Vec<i32> = file
            .read_f32("tf_ids")?
            .into_iter()
            .map(|id| id as i32)
            .collect();
        let memory = match file.contains("memory_input_ids") {
            true => Some(
                file.read_f32("memory_input_ids")?
                    .into_iter()
                    .map(|id| id as i32)
                    .collect(),
            ),
            false => None,
        };
        let length = shape.last().copied().unwrap_or(0).max(1);
        return Ok((ids.chunks(length).map(<[i32]>::to_vec).collect(), memory));
    }
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let one = |value: &Value| -> Result<i32> {
        let id = value.as_i64().and_then(|id| i32::try_from(id).ok());
        id.with_context(|| format!("{}: {value} is not a token id", path.display()))
    };
    let list = |values: &[Value]| values.iter().map(one).collect::<Result<Vec<i32>>>();
    let lists = match serde_json::from_str::<Value>(&text) {
        Ok(Value::Array(outer)) if outer.iter().all(Value::is_array) => outer
            .iter()
            .map(|inner| list(inner.as_array().map_or(&[], Vec::as_slice)))
            .collect::<Result<_>>()?,
        Ok(Value::Array(values)) => vec![list(&values)?],
        _ => {
            let words = text
                .split(|c: char| c.is_whitespace() || c == ',')
                .filter(|word| !word.is_empty());
            let ids = words.map(|word| {
                word.parse::<i32>()
                    .with_context(|| format!("{}: {word} is not a token id", path.display()))
            });
            vec![ids.collect::<Result<Vec<i32>>>()?]
        }
    };
    if lists.iter().all(Vec::is_empty) {
        bail!("{}: contains no token ids", path.display());
    }
    Ok((lists, None))
}

/// Adds the inputs, so that the file is complete.
fn add_inputs(tensors: &mut Vec<NamedTensor>, features: &Features, request: &TraceRequest) {
    let named = |name: &str, shape: Vec<usize>, values| NamedTensor {
        name: name.to_owned(),
        shape,
        values,
    };
    let starts: Vec<f32> = features
        .starts_seconds
        .iter()
        .map(|&start| start as f32)
        .collect();
    tensors.push(named(
        "segment_start_seconds",
        vec![starts.len()],
        NamedValues::F32(starts),
    ));
    if let Some(first) = request.teacher_ids.first() {
        let shape = match request.teacher_ids.len() {
            1 => vec![first.len()],
            lists => vec![lists, first.len()],
        };
        tensors.push(named(
            "tf_ids",
            shape,
            NamedValues::I32(request.teacher_ids.concat()),
        ));
    }
    if let Some(ids) = &request.memory_ids {
        tensors.push(named(
            "memory_input_ids",
            vec![ids.len()],
            NamedValues::I32(ids.clone()),
        ));
    }
}

fn stored(tensor: &NamedTensor) -> StoredTensor<'_> {
    let (is_int, bytes) = match &tensor.values {
        NamedValues::F32(values) => (
            false,
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        ),
        NamedValues::I32(values) => (
            true,
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        ),
    };
    StoredTensor {
        name: &tensor.name,
        shape: &tensor.shape,
        is_int,
        bytes,
    }
}

/// The sequences that `greedy_ids` holds.
fn sequences(tensors: &[NamedTensor], transcriber: &TokenModel) -> Result<Vec<Vec<Sequence>>> {
    let tensor = tensors
        .iter()
        .find(|tensor| tensor.name == "greedy_ids")
        .context("no greedy_ids")?;
    let NamedValues::I32(ids) = &tensor.values else {
        bail!("greedy_ids are not integers")
    };
    let length = tensor.shape.last().copied().unwrap_or(0).max(1);
    let channels = if transcriber.family() == Family::YourMt3 {
        tensor.shape[1]
    } else {
        1
    };
    let all: Vec<Sequence> = ids
        .chunks(length)
        .map(|row| {
            let ids: Vec<i32> = match transcriber.family() {
                Family::YourMt3 => row.to_vec(),
                _ => row
                    .iter()
                    .skip(1)
                    .copied()
                    .take_while(|&id| id >= 0)
                    .collect(),
            };
            let ended = ids.contains(&1);
            Sequence {
                ids,
                ended,
                ..Sequence::default()
            }
        })
        .collect();
    Ok(all.chunks(channels).map(<[Sequence]>::to_vec).collect())
}

fn notes_json(transcription: &TokenTranscription, transcriber: &TokenModel) -> Value {
    let kind = transcriber.front_end().kind();
    let notes = &transcription.reference_notes;
    let (listed, midi) = match kind {
        FrontEndKind::YourMt3 => (yourmt3_notes(notes), reference_writers::yourmt3(notes)),
        FrontEndKind::MrMt3 => (mt3_notes(notes), reference_writers::mr_mt3(notes)),
        _ => (mt3_notes(notes), reference_writers::mt3_pytorch(notes)),
    };
    json!({"system": transcriber.family().name(), "front_end": kind.name(), "notes": listed,
        "invalid_events": transcription.invalid_events, "dropped_events": transcription.dropped_events,
        "faults": faults(&transcription.faults), "midi_unfiltered_b64": base64(&midi)})
}
