//! `hitscribe transcribe`: audio files to MIDI files or JSON.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::{Heard, Models, PublishedArgs, Sound};
use crate::values;
use anyhow::{Context, Result, anyhow, bail};
use hitscribe::leakage;
use hitscribe::leakage::{Settings, Strategy};
use hitscribe_core::atomic_file::write_atomically;
use hitscribe_core::audio::{demo_kit, file};
use hitscribe_core::midi::{MidiSettings, midi_file};
use hitscribe_core::{DrumClass, Note};
use hitscribe_models::device::DeviceChoice;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// Name that stands for the built-in groove, where there is no such file.
const DEMO: &str = "demo";

/// Transcribe audio files to MIDI files.
///
/// Writes NAME.mid beside each NAME.wav (or .aiff, .flac, .mp3, .ogg): drums on channel 10 with General
/// MIDI notes and velocities, pitched notes on the other channels. `demo` as a file name renders the built-in
/// groove, writes it as a WAV file beside its MIDI file (never in the place of another recording) and
/// transcribes it.
#[derive(clap::Args)]
pub struct Args {
    /// Audio files, folders of them, or `demo`
    #[arg(required = true, value_name = "FILE|FOLDER")]
    inputs: Vec<PathBuf>,
    /// Output file, or folder when there are several inputs [default: beside each input]
    #[arg(short, long, value_name = "FILE|FOLDER")]
    output: Option<PathBuf>,
    /// Write notes as JSON (seconds, velocities, confidences) instead of MIDI: one line per input, to
    /// standard output unless --output is given
    #[arg(long)]
    json: bool,
    /// From 0 (only certain hits) to 1 (every suspicion)
    #[arg(long, default_value_t = 0.5, value_name = "0..1", value_parser = values::share)]
    sensitivity: f32,
    #[command(flatten)]
    published: PublishedArgs,
    /// Where to compute: auto, cpu or cuda:N
    #[arg(long, default_value_t)]
    device: DeviceChoice,
    /// Weights of one of the built-in networks, drums or pitched, to use instead of its own, such as a
    /// fine-tuned copy
    #[arg(long, value_name = "FILE.safetensors")]
    weights: Option<PathBuf>,
    /// What to do against drum hits that were written as pitched notes: off, auto, drums-only, smart,
    /// pitch, confidence or remap-chromatic; says what it changed and why
    #[arg(long, default_value_t = Strategy::Off, value_name = "FILTER")]
    leakage: Strategy,
    /// Threshold of the confidence filter
    #[arg(long, default_value_t = 0.5, value_name = "0..1", value_parser = values::share)]
    minimum_confidence: f32,
    /// Tempo of the MIDI file in quarter notes per minute
    #[arg(long, default_value_t = 120.0, value_name = "BPM", value_parser = values::tempo)]
    tempo: f64,
    /// Time signature of the MIDI file
    #[arg(long, default_value = "4/4", value_name = "N/M", value_parser = parse_meter)]
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

/// Where one input's notes go.
#[derive(Clone, Debug, PartialEq)]
enum Target {
    File(PathBuf),
    StandardOutput,
}

/// Runs the command: every input is tried, and the first errors do not keep the others from being done.
pub fn run(args: &Args) -> Result<()> {
    let inputs = expand(&args.inputs);
    let total = inputs.len();
    let is_single = total == 1 && !args.inputs[0].is_dir();
    let mut models = Models::load(&args.published, args.weights.as_deref(), args.device)?;
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
            transcribe(args, &mut models, &input, &target)
        });
        match outcome {
            Ok(()) => {}
            Err(error) if total == 1 => return Err(error),
            Err(error) => {
                super::report(&error);
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

/// Folders become the audio files in them.
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
    // Known now or after minutes of work.
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

fn transcribe(args: &Args, models: &mut Models, input: &Path, target: &Target) -> Result<()> {
    let demo = is_demo(input).then(|| demo_kit::groove().0);
    if let (Some(samples), Target::File(path)) = (&demo, target) {
        write_demo(samples, &path.with_extension("wav"))?;
    }
    let sound = match &demo {
        Some(samples) => Sound::Samples {
            interleaved: samples,
            channel_count: 2,
            rate_hz: demo_kit::DEMO_SAMPLE_RATE_HZ,
        },
        None => Sound::File,
    };
    // Not before something is done, so that what is said about the model stands above it.
    let mut progress: Option<ProgressBar> = None;
    let heard = models.transcribe(input, sound, args.sensitivity, &mut |done, length| {
        let bar = progress.get_or_insert_with(|| progress_bar(input));
        if let Some(length) = length {
            bar.set_length((length * 1e3) as u64);
        }
        bar.set_position((done * 1e3) as u64);
    });
    if let Some(bar) = progress {
        bar.finish_and_clear();
    }
    let Heard {
        model,
        device,
        mut transcription,
    } = heard?;
    for warning in &transcription.warnings {
        log::warn!("{}: {warning}", input.display());
    }
    let leakage = (args.leakage != Strategy::Off).then(|| {
        let settings = Settings {
            strategy: args.leakage,
            minimum_confidence: args.minimum_confidence,
        };
        let verdicts = leakage::filter(&transcription.notes, &settings);
        let report = leakage::Report::new(&transcription.notes, &verdicts);
        transcription.notes = leakage::apply(&transcription.notes, &verdicts);
        Leakage {
            strategy: args.leakage,
            report,
        }
    });
    if let Some(Leakage { strategy, report }) = &leakage {
        super::tell(&format!(
            "{}: leakage {strategy}: {report}",
            input.display()
        ));
    }
    let content = if args.json {
        let document = Document {
            file: input.display().to_string(),
            model,
            device,
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
        midi_file(&transcription.notes, &settings)?
    };
    match target {
        Target::StandardOutput => to_standard_output(&content),
        Target::File(path) => {
            write_atomically(path, &content)?;
            let (count, seconds) = (transcription.notes.len(), transcription.duration_seconds);
            say(&format!(
                "{}: {count} notes in {seconds:.1} s of audio",
                path.display()
            ))
        }
    }
}

/// A bar for work that takes longer than a moment, on a terminal only.
fn progress_bar(input: &Path) -> ProgressBar {
    let progress = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent}% {eta}") {
        progress.set_style(style);
    }
    progress.set_message(super::one_line(&input.display().to_string()));
    progress.enable_steady_tick(Duration::from_millis(200));
    progress
}

fn say(text: &str) -> Result<()> {
    to_standard_output(format!("{}\n", super::one_line(text)).as_bytes())
}

/// Nobody listening any more is no error.
fn to_standard_output(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("standard output")
        }
        _ => Ok(()),
    }
}

/// Writes the demo groove to a WAV file, unless it is there already. Another file of that name stays.
fn write_demo(samples: &[f32], path: &Path) -> Result<()> {
    let bytes = wav(samples, 2, demo_kit::DEMO_SAMPLE_RATE_HZ)?;
    let shown = path.display();
    if !path.exists() {
        write_atomically(path, &bytes)?;
    } else if std::fs::read(path).ok().as_ref() != Some(&bytes) {
        bail!(
            "{shown}: is not the demo groove, which would replace it: move it away or name another output with --output"
        );
    }
    say(&format!("{shown}: the demo groove as audio"))
}

/// 16-bit WAV.
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

/// One recording in JSON.
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

/// What a leakage filter did to the notes.
#[derive(Serialize)]
struct Leakage {
    strategy: Strategy,
    report: leakage::Report,
}

/// A note, and the name of its drum.
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
