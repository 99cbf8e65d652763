//! `hitscribe transcribe`: audio files to MIDI files or JSON.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt::Display;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use hitscribe::audio::{demo_kit, file};
use hitscribe::leakage;
use hitscribe::leakage::{Settings, Strategy};
use hitscribe::midi::MidiSettings;
use hitscribe::{DeviceChoice, DrumClass, Note, Transcriber};
use hitscribe_core::atomic_file::write_atomically;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::model::{ModelArgs, load, options, warning_text};
use crate::output::outln;
use crate::{help, output, values};

/// Input that renders the built-in groove, unless a file has this name.
const DEMO: &str = "demo";

/// Transcribe audio files to MIDI files
#[derive(clap::Args)]
#[command(after_help = help::MANUAL)]
pub struct Args {
    /// Audio files, folders of audio files, or `demo`
    #[arg(required = true, value_name = "FILE|FOLDER")]
    inputs: Vec<PathBuf>,
    /// File to write, or folder for several inputs [default: beside input]
    #[arg(short, long, value_name = "FILE|FOLDER", help_heading = help::FILES)]
    output: Option<PathBuf>,
    /// Write notes as JSON, to standard output unless --output is given
    #[arg(long, help_heading = help::FILES)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
    /// Weights that replace a built-in network's, drums or pitched
    #[arg(long, value_name = "SAFETENSORS", help_heading = help::MODEL)]
    weights: Option<PathBuf>,
    /// Where to compute: auto, cpu or cuda:N
    #[arg(long, default_value_t, help_heading = help::MODEL)]
    device: DeviceChoice,
    /// 0: only certain notes, 1: every candidate
    #[arg(long, default_value_t = 0.5, value_name = "0..1", value_parser = values::fraction,
        help_heading = help::NOTES)]
    sensitivity: f32,
    /// Filter for drum hits transcribed as pitched notes
    #[arg(long, default_value_t = Strategy::Off, value_name = "FILTER", help_heading = help::NOTES)]
    leakage: Strategy,
    /// Threshold of the confidence filter
    #[arg(long, default_value_t = 0.5, value_name = "0..1", value_parser = values::fraction,
        help_heading = help::NOTES)]
    minimum_confidence: f32,
    /// Quarter notes per minute
    #[arg(long, default_value_t = 120.0, value_name = "BPM", value_parser = values::tempo,
        help_heading = help::MIDI)]
    tempo: f64,
    /// Beats in a bar and their note value
    #[arg(long, default_value = "4/4", value_name = "N/M", value_parser = parse_meter,
        help_heading = help::MIDI)]
    time_signature: (u8, u8),
}

fn parse_meter(text: &str) -> Result<(u8, u8)> {
    let (beats, unit) = text.split_once('/').context("must be like 4/4 or 6/8")?;
    let (beats, unit): (u8, u8) = (beats.parse()?, unit.parse()?);
    if beats > 0 && unit.is_power_of_two() {
        Ok((beats, unit))
    } else {
        bail!("must be beats over a power of two, like 4/4 or 6/8")
    }
}

/// Where the notes of an input are written.
#[derive(Clone, Debug, PartialEq)]
enum Target {
    File(PathBuf),
    StandardOutput,
}

/// Runs the command. An input that fails does not stop the others.
pub fn run(args: &Args) -> Result<()> {
    let inputs = expand(&args.inputs);
    let total = inputs.len();
    let is_single = total == 1 && !args.inputs[0].is_dir();
    let transcriber = load(&args.model, args.weights.as_deref(), args.device)?;
    let mut outputs: HashMap<PathBuf, PathBuf> = HashMap::new();
    let mut failed = 0;
    for input in inputs {
        let outcome = input.and_then(|input| {
            let target = target(args, &input, is_single)?;
            if let Target::File(path) = &target
                && let Some(other) = outputs.insert(path.clone(), input.clone())
            {
                let (path, other) = (path.display(), other.display());
                bail!(
                    "{}: {path} is already the output of {other}",
                    input.display()
                );
            }
            transcribe(args, &transcriber, &input, &target)
        });
        match outcome {
            Ok(()) => {}
            Err(error) if total == 1 => return Err(error),
            Err(error) => {
                output::report(&error);
                failed += 1;
            }
        }
    }
    match failed {
        0 => Ok(()),
        _ => Err(anyhow!(
            "{failed} of {total} inputs could not be transcribed"
        )),
    }
}

/// Replaces folders by their audio files.
fn expand(inputs: &[PathBuf]) -> Vec<Result<PathBuf>> {
    let mut files = Vec::new();
    for input in inputs {
        if input.is_dir() {
            match audio_files(input) {
                Ok(found) => files.extend(found.into_iter().map(Ok)),
                Err(error) => files.push(Err(error)),
            }
        } else {
            files.push(Ok(input.clone()));
        }
    }
    files
}

fn audio_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let shown = folder.display();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{shown}"))? {
        let path = entry.with_context(|| format!("{shown}"))?.path();
        let extension = path
            .extension()
            .and_then(OsStr::to_str)
            .map(str::to_ascii_lowercase);
        if extension.is_some_and(|e| file::EXTENSIONS.contains(&e.as_str())) && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!(
            "{shown}: no audio files in this folder ({})",
            file::EXTENSIONS.join(", ")
        );
    }
    files.sort();
    Ok(files)
}

fn is_demo(input: &Path) -> bool {
    input == Path::new(DEMO) && !input.exists()
}

fn target(args: &Args, input: &Path, is_single: bool) -> Result<Target> {
    let name = || -> Result<PathBuf> {
        let stem = input
            .file_stem()
            .with_context(|| format!("{}: no file name", input.display()))?;
        let mut name = stem.to_owned();
        name.push(if args.json { ".json" } else { ".mid" });
        Ok(name.into())
    };
    let path = match &args.output {
        None if args.json => return Ok(Target::StandardOutput),
        None => input.with_file_name(name()?),
        Some(output) => {
            let is_folder = !is_single
                || output.is_dir()
                || output.as_os_str().as_encoded_bytes().ends_with(b"/");
            if is_folder {
                std::fs::create_dir_all(output).with_context(|| format!("{}", output.display()))?;
                output.join(name()?)
            } else {
                output.clone()
            }
        }
    };
    // Checked before minutes of work.
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if !folder.is_dir() {
        bail!(
            "{}: there is no folder {}",
            path.display(),
            folder.display()
        );
    }
    if path.is_dir() {
        bail!("{}: is a folder", path.display());
    }
    if let (Ok(a), Ok(b)) = (path.canonicalize(), input.canonicalize())
        && a == b
    {
        bail!("{}: the output would replace the input", path.display());
    }
    Ok(Target::File(path))
}

fn transcribe(args: &Args, transcriber: &Transcriber, input: &Path, target: &Target) -> Result<()> {
    let demo = is_demo(input).then(|| demo_kit::groove().0);
    if let (Some(samples), Target::File(path)) = (&demo, target) {
        write_demo(samples, &path.with_extension("wav"))?;
    }
    // Created late, so that messages about the model are printed above it.
    let mut progress: Option<ProgressBar> = None;
    let outcome = {
        let mut options = options(transcriber, &args.model, input)
            .sensitivity(args.sensitivity)
            .leakage(Settings {
                strategy: args.leakage,
                minimum_confidence: args.minimum_confidence,
            })
            .on_progress(|now| {
                let bar = progress.get_or_insert_with(|| progress_bar(input));
                if let Some(length) = now.length_seconds {
                    bar.set_length((length * 1e3) as u64);
                }
                bar.set_position((now.done_seconds * 1e3) as u64);
                ControlFlow::Continue(())
            });
        match &demo {
            Some(samples) => options.samples(samples, 2, demo_kit::DEMO_SAMPLE_RATE_HZ),
            None => options.file(input),
        }
    };
    if let Some(bar) = progress {
        bar.finish_and_clear();
    }
    let transcription = outcome?;
    for warning in &transcription.warnings {
        log::warn!("{}: {}", input.display(), warning_text(warning));
    }
    let leakage = transcription.leakage.clone().map(|report| Leakage {
        strategy: args.leakage,
        report,
    });
    if let Some(Leakage { strategy, report }) = &leakage {
        output::message(&format!(
            "{}: leakage {strategy}: {report}",
            input.display()
        ));
    }
    let content = if args.json {
        let document = Document {
            file: input.display().to_string(),
            model: transcription.model.clone(),
            device: transcription.device.to_string(),
            sample_rate_hz: transcription.sample_rate_hz,
            duration_seconds: transcription.duration_seconds,
            leakage,
            notes: transcription.notes.iter().map(JsonNote::from).collect(),
        };
        let mut line = serde_json::to_vec(&document)?;
        line.push(b'\n');
        line
    } else {
        let settings = MidiSettings {
            tempo_bpm: args.tempo,
            meter: args.time_signature,
        };
        transcription.midi(&settings)?
    };
    match target {
        Target::StandardOutput => output::write_bytes(&content),
        Target::File(path) => {
            write_atomically(path, &content)?;
            let (count, seconds) = (transcription.notes.len(), transcription.duration_seconds);
            report_written(
                &path.display(),
                &format!("{count} notes in {seconds:.1} s of audio"),
            )
        }
    }
}

/// A progress bar, drawn on terminals only.
fn progress_bar(input: &Path) -> ProgressBar {
    let progress = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent}% {eta}") {
        progress.set_style(style);
    }
    progress.set_message(output::one_line(&input.display().to_string()));
    progress.enable_steady_tick(Duration::from_millis(200));
    progress
}

/// Writes the demo groove to a WAV file. An existing file with other content is an error.
fn write_demo(samples: &[f32], path: &Path) -> Result<()> {
    let bytes = wav(samples, 2, demo_kit::DEMO_SAMPLE_RATE_HZ)?;
    let shown = path.display();
    if !path.exists() {
        write_atomically(path, &bytes)?;
    } else if std::fs::read(path).ok().as_ref() != Some(&bytes) {
        bail!("{shown}: is not the demo groove and would be overwritten: move it, or set --output");
    }
    report_written(&shown, "the demo groove as audio")
}

/// Prints what was written to a file, in one line.
fn report_written(path: &dyn Display, what: &str) -> Result<()> {
    outln!("{}", output::one_line(&format!("{path}: {what}")));
    Ok(())
}

/// The bytes of a 16-bit WAV file.
fn wav(samples: &[f32], channels: u16, sample_rate: u32) -> Result<Vec<u8>> {
    let sample_format = hound::SampleFormat::Int;
    let spec = hound::WavSpec {
        channels,
        sample_rate,
        bits_per_sample: 16,
        sample_format,
    };
    let mut bytes = Vec::new();
    let mut writer = hound::WavWriter::new(std::io::Cursor::new(&mut bytes), spec)?;
    for sample in samples {
        writer.write_sample((sample * 32_767.0).round() as i16)?;
    }
    writer.finalize()?;
    Ok(bytes)
}

/// The JSON of a recording.
#[derive(Serialize)]
struct Document {
    file: String,
    model: String,
    device: String,
    sample_rate_hz: u32,
    duration_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    leakage: Option<Leakage>,
    notes: Vec<JsonNote>,
}

/// What a leakage filter changed.
#[derive(Serialize)]
struct Leakage {
    strategy: Strategy,
    report: leakage::Report,
}

/// A note and its drum class.
#[derive(Serialize)]
struct JsonNote {
    #[serde(flatten)]
    note: Note,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<DrumClass>,
}

impl From<&Note> for JsonNote {
    fn from(&note: &Note) -> Self {
        let class = if note.is_drum {
            DrumClass::from_gm_note(note.pitch)
        } else {
            None
        };
        Self { note, class }
    }
}
