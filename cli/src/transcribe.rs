//! `hitscribe transcribe`: audio files to MIDI files or JSON.

use std::fmt::Display;
use std::io::IsTerminal as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use hitscribe::audio::demo_kit;
use hitscribe::leakage;
use hitscribe::leakage::Strategy;
use hitscribe::midi::{MidiSettings, NoteMap};
use hitscribe::{DrumClass, Error, Note, Transcriber, Warning};
use hitscribe_core::atomic_file::write_atomically;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::inputs::{Input, expand};
use crate::model::{LeakageArgs, ModelArgs, load, options, warning_text};
use crate::output::outln;
use crate::targets::{self, Target, targets};
use crate::tempo::{JsonTempo, TempoArgs};
use crate::{help, note_map, output};

/// Input that renders the built-in groove, unless a file has this name.
const DEMO: &str = "demo";

/// Exit code if all inputs were transcribed, but some only in part.
pub const INCOMPLETE: u8 = 3;

/// Transcribe audio files to MIDI files
#[derive(clap::Args)]
#[command(after_help = help::MANUAL, mut_arg("strategy", |arg| arg.default_value("off")))]
pub struct Args {
    /// Audio files, folders of audio files, `-` for standard input, or `demo`
    #[arg(required = true, value_name = "FILE|FOLDER")]
    inputs: Vec<PathBuf>,
    /// File to write, folder for several inputs, or `-` [default: beside input]
    #[arg(short, long, value_name = "FILE|FOLDER", help_heading = help::FILES)]
    output: Option<PathBuf>,
    /// Write notes as JSON, to standard output unless --output is given
    #[arg(long, help_heading = help::FILES)]
    json: bool,
    /// Search folders in folders too
    #[arg(long, help_heading = help::FILES)]
    recursive: bool,
    /// Replace existing outputs
    #[arg(long, conflicts_with = "skip_existing", help_heading = help::FILES)]
    overwrite: bool,
    /// Leave out inputs whose outputs exist
    #[arg(long, help_heading = help::FILES)]
    skip_existing: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    leakage: LeakageArgs,
    #[command(flatten)]
    tempo: TempoArgs,
    /// Keys of the drums: a map such as roland-td, or a .json file [default: General MIDI]
    #[arg(long, value_name = "MAP", value_parser = note_map::parse, conflicts_with = "json",
        help_heading = help::MIDI)]
    note_map: Option<NoteMap>,
}

/// Runs the command. An input that fails does not stop the others. Returns the exit code.
pub fn run(args: &Args) -> Result<u8> {
    let found = expand(&args.inputs, args.recursive);
    let total = found.len();
    let is_single = total == 1 && !args.inputs[0].is_dir();
    let mut failures = Vec::new();
    let mut inputs = Vec::new();
    for input in found {
        match input {
            Ok(input) => inputs.push(input),
            Err(error) => failures.push(error),
        }
    }
    let settings = targets::Settings {
        output: args.output.as_deref(),
        extension: if args.json { ".json" } else { ".mid" },
        to_standard_output: args.json,
        overwrite: args.overwrite,
        skip_existing: args.skip_existing,
    };
    let targets = targets(&settings, &inputs.iter().collect::<Vec<_>>(), is_single);
    let streams = |target: &&Result<Target>| matches!(target, Ok(Target::StandardOutput));
    let stream_count = targets.iter().filter(streams).count();
    if !args.json && stream_count > 0 {
        if stream_count > 1 {
            bail!("the MIDI files of several inputs do not fit on standard output: set --output");
        }
        if std::io::stdout().is_terminal() {
            bail!("a MIDI file is not for the terminal: set --output, or redirect the output");
        }
    }
    let mut jobs = Vec::new();
    for (input, target) in inputs.into_iter().zip(targets) {
        match target {
            Ok(Target::Skipped(path)) => output::message(&format!("{}: kept", path.display())),
            Ok(target) => jobs.push((input, target)),
            Err(error) => failures.push(error),
        }
    }
    let is_only_failure = total == 1 && failures.len() == 1;
    if let Some(error) = failures.pop_if(|_| is_only_failure) {
        return Err(error);
    }
    failures.iter().for_each(output::report);
    let mut failed = failures.len();
    let mut incomplete = 0;
    if jobs.is_empty() {
        return match failed {
            0 => Ok(0),
            _ => Err(failure(failed, total)),
        };
    }
    let transcriber = load(&args.model)?;
    for (mut input, target) in jobs {
        match transcribe(args, &transcriber, &mut input, &target) {
            Ok(is_complete) => incomplete += u8::from(!is_complete),
            Err(error) if total == 1 => return Err(error),
            Err(error) => {
                output::report(&error);
                failed += 1;
            }
        }
    }
    match (failed, incomplete) {
        (0, 0) => Ok(0),
        (0, _) => Ok(INCOMPLETE),
        _ => Err(failure(failed, total)),
    }
}

fn failure(failed: usize, total: usize) -> anyhow::Error {
    anyhow!("{failed} of {total} inputs could not be transcribed")
}

fn is_demo(input: &Path) -> bool {
    input == Path::new(DEMO) && !input.exists()
}

/// Transcribes an input. Returns whether all of it could be read.
fn transcribe(
    args: &Args,
    transcriber: &Transcriber,
    input: &mut Input,
    target: &Target,
) -> Result<bool> {
    let demo = is_demo(&input.path).then(|| demo_kit::groove().0);
    if let (Some(samples), Target::File(path)) = (&demo, target) {
        write_demo(samples, &path.with_extension("wav"))?;
    }
    let readable = match demo {
        Some(_) => input.path.clone(),
        None => input.readable()?.to_owned(),
    };
    let input = input.path.as_path();
    // Created late, so that messages about the model are printed above it.
    let mut progress: Option<ProgressBar> = None;
    let outcome = {
        let mut options = options(transcriber, &args.model, input)
            .sensitivity(args.model.network.sensitivity)
            .leakage(args.leakage.settings())
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
            None => options.file(&readable),
        }
    };
    if let Some(bar) = progress {
        bar.finish_and_clear();
    }
    let mut transcription = outcome.map_err(|error| named(error, &readable, input))?;
    let is_incomplete = |warning: &Warning| matches!(warning, Warning::IncompleteAudio(_));
    let is_complete = !transcription.warnings.iter().any(is_incomplete);
    for warning in &transcription.warnings {
        log::warn!("{}: {}", input.display(), warning_text(warning));
    }
    let leakage = transcription.leakage.clone().map(|report| Leakage {
        strategy: args.leakage.strategy,
        report,
    });
    if let Some(Leakage { strategy, report }) = &leakage {
        output::message(&format!(
            "{}: leakage {strategy}: {report}",
            input.display()
        ));
    }
    let found = args.tempo.find(&transcription)?;
    transcription.notes = args.tempo.quantized(&transcription.notes, &found)?;
    let content = if args.json {
        let (tempo, beats, downbeats) = found.json();
        let document = Document {
            file: input.display().to_string(),
            model: transcription.model.clone(),
            device: transcription.device.to_string(),
            sample_rate_hz: transcription.sample_rate_hz,
            duration_seconds: transcription.duration_seconds,
            complete: is_complete,
            warnings: transcription.warnings.iter().map(warning_text).collect(),
            leakage,
            tempo,
            beats,
            downbeats,
            notes: transcription.notes.iter().map(JsonNote::from).collect(),
        };
        let mut line = serde_json::to_vec(&document)?;
        line.push(b'\n');
        line
    } else {
        let settings = args
            .tempo
            .midi_settings(&found, transcription.duration_seconds)?;
        transcription.midi(&MidiSettings {
            note_map: args.note_map.clone(),
            ..settings
        })?
    };
    match target {
        Target::StandardOutput => output::write_bytes(&content)?,
        Target::Skipped(_) => {}
        Target::File(path) => {
            write_atomically(path, &content)?;
            let (count, seconds) = (transcription.notes.len(), transcription.duration_seconds);
            report_written(
                &path.display(),
                &format!(
                    "{count} notes in {seconds:.1} s of audio, {}",
                    found.summary()
                ),
            )?;
        }
    }
    Ok(is_complete)
}

/// The error with the name of the input instead of that of its copy.
fn named(error: Error, copy: &Path, input: &Path) -> Error {
    match error {
        Error::Audio { path, reason } if path == copy => Error::Audio {
            path: input.to_owned(),
            reason,
        },
        other => other,
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
    /// Whether all of the audio could be read.
    complete: bool,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leakage: Option<Leakage>,
    /// None without a clear pulse, and if the tempo was given.
    tempo: Option<JsonTempo>,
    /// In seconds.
    beats: Vec<f64>,
    downbeats: Vec<f64>,
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
