//! `hitscribe transcribe`: audio files to MIDI files or JSON.

use std::io::IsTerminal as _;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use hitscribe::audio::demo_kit;
use hitscribe::midi::{MidiSettings, NoteMap};
use hitscribe::{Error, Transcriber, Warning};
use hitscribe_core::atomic_file::write_atomically;
use indicatif::{ProgressBar, ProgressStyle};

use crate::batch::{Batch, Entry, Shard};
use crate::document::{Document, JsonNote, Leakage};
use crate::inputs::{Input, expand};
use crate::model::{LeakageArgs, ModelArgs, load, options, warning_text};
use crate::targets::{self, Target, targets};
use crate::tempo::TempoArgs;
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
    /// Inputs to transcribe at the same time, one on each core
    #[arg(long, default_value = "1", value_name = "N", help_heading = help::BATCH)]
    jobs: NonZeroUsize,
    /// Transcribe one of N parts of the inputs, such as 3/16
    #[arg(long, value_name = "I/N", help_heading = help::BATCH)]
    shard: Option<Shard>,
    /// Append a line of JSON on each input to a file
    #[arg(long, value_name = "FILE", help_heading = help::BATCH)]
    report: Option<PathBuf>,
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

/// An input, and where its result is written.
struct Job {
    index: usize,
    input: Input,
    target: Target,
}

/// Runs the command. An input that fails does not stop the others. Returns the exit code.
pub fn run(args: &Args) -> Result<u8> {
    let mut found = expand(&args.inputs, args.recursive);
    let is_single = found.len() == 1 && !args.inputs[0].is_dir();
    if let Some(shard) = args.shard {
        let has_output = args.output.is_some();
        found.retain(|input| {
            let is_mine = |input| shard.contains(input, has_output);
            input.as_ref().map_or(true, is_mine)
        });
    }
    let total = found.len();
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
    let batch = Batch::new(args.report.as_deref())?;
    let mut jobs = Vec::new();
    for (input, target) in inputs.into_iter().zip(targets) {
        match target {
            Ok(Target::Skipped(path)) => output::message(&format!("{}: kept", path.display())),
            Ok(target) => jobs.push(Job {
                index: jobs.len(),
                input,
                target,
            }),
            Err(error) => {
                batch.report(&Entry::failed(&input.path, &error))?;
                failures.push(error);
            }
        }
    }
    let is_only_failure = total == 1 && failures.len() == 1;
    if let Some(error) = failures.pop_if(|_| is_only_failure) {
        return Err(error);
    }
    failures.iter().for_each(output::report);
    if jobs.is_empty() {
        return match failures.len() {
            0 => Ok(0),
            failed => Err(failure(failed, total)),
        };
    }
    let transcriber = load(&args.model)?;
    let mut outcomes = run_jobs(args, &transcriber, jobs, &batch, total > 1);
    if total == 1 {
        outcomes.truncate(1);
        return match outcomes.pop() {
            Some(Err(error)) => Err(error),
            Some(Ok(false)) => Ok(INCOMPLETE),
            _ => Ok(0),
        };
    }
    let failed = failures.len() + outcomes.iter().filter(|o| o.is_err()).count();
    match outcomes.iter().any(|o| matches!(o, Ok(false))) {
        _ if failed > 0 => Err(failure(failed, total)),
        true => Ok(INCOMPLETE),
        false => Ok(0),
    }
}

/// Transcribes all inputs on the threads that were asked for. Gives whether all of an input could
/// be read, in any order. Errors are printed if there are several inputs.
fn run_jobs(
    args: &Args,
    transcriber: &Transcriber,
    jobs: Vec<Job>,
    batch: &Batch,
    is_batch: bool,
) -> Vec<Result<bool>> {
    let count = jobs.len();
    if is_batch {
        batch.start(count);
    }
    let waiting = Mutex::new(jobs.into_iter());
    let outcomes = Mutex::new(Vec::new());
    let work = || {
        loop {
            let job = waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next();
            let Some(mut job) = job else { break };
            let outcome = run_job(args, transcriber, &mut job, batch, is_batch);
            if let (Err(error), true) = (&outcome, is_batch) {
                batch.message(|| output::report(error));
            }
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes.push(outcome);
        }
    };
    std::thread::scope(|scope| {
        // This thread is one of them.
        for _ in 1..args.jobs.get().min(count) {
            scope.spawn(work);
        }
        work();
    });
    batch.finish();
    outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Transcribes an input, prints what there is to say, and reports it.
fn run_job(
    args: &Args,
    transcriber: &Transcriber,
    job: &mut Job,
    batch: &Batch,
    is_batch: bool,
) -> Result<bool> {
    let started = Instant::now();
    let mut printed = Vec::new();
    let done = transcribe(args, transcriber, job, batch, is_batch, &mut printed);
    let mut entry = match &done {
        Ok(done) => Entry {
            status: if done.is_complete {
                "done"
            } else {
                "incomplete"
            },
            duration_seconds: Some(done.duration_seconds),
            notes: Some(done.notes),
            model: Some(&done.model),
            warnings: &done.warnings,
            ..Entry::of(&job.input.path)
        },
        Err(error) => Entry::failed(&job.input.path, error),
    };
    if let (Target::File(path), Ok(_)) = (&job.target, &done) {
        entry.output = Some(path.display().to_string());
    }
    entry.elapsed_seconds = started.elapsed().as_secs_f64();
    let written = batch.report(&entry);
    batch.print(job.index, printed)?;
    written?;
    done.map(|done| done.is_complete)
}

fn failure(failed: usize, total: usize) -> anyhow::Error {
    anyhow!("{failed} of {total} inputs could not be transcribed")
}

fn is_demo(input: &Path) -> bool {
    input == Path::new(DEMO) && !input.exists()
}

/// What is to be said about an input that was transcribed.
struct Done {
    /// Whether all of it could be read.
    is_complete: bool,
    duration_seconds: f64,
    notes: usize,
    model: String,
    warnings: Vec<String>,
}

/// Transcribes an input. What belongs on standard output is appended to `printed`.
fn transcribe(
    args: &Args,
    transcriber: &Transcriber,
    job: &mut Job,
    batch: &Batch,
    is_batch: bool,
    printed: &mut Vec<u8>,
) -> Result<Done> {
    let Job { input, target, .. } = job;
    let demo = is_demo(&input.path).then(|| demo_kit::groove().0);
    if let (Some(samples), Target::File(path)) = (&demo, &*target) {
        write_demo(samples, &path.with_extension("wav"), printed)?;
    }
    let readable = match demo {
        Some(_) => input.path.clone(),
        None => input.readable()?.to_owned(),
    };
    let input = input.path.as_path();
    // Created late, so that messages about the model are printed above it.
    let mut progress: Option<ProgressBar> = None;
    let mut share = batch.share();
    let outcome = {
        let mut options = options(transcriber, &args.model, input)
            .sensitivity(args.model.network.sensitivity)
            .leakage(args.leakage.settings())
            .on_progress(|now| {
                if is_batch {
                    share.set(now);
                    return ControlFlow::Continue(());
                }
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
    share.finish();
    if let Some(bar) = progress {
        bar.finish_and_clear();
    }
    let mut transcription = outcome.map_err(|error| named(error, &readable, input))?;
    let is_incomplete = |warning: &Warning| matches!(warning, Warning::IncompleteAudio(_));
    let is_complete = !transcription.warnings.iter().any(is_incomplete);
    let warnings: Vec<String> = transcription.warnings.iter().map(warning_text).collect();
    let leakage = transcription.leakage.clone().map(|report| Leakage {
        strategy: args.leakage.strategy,
        report,
    });
    batch.message(|| {
        for warning in &warnings {
            log::warn!("{}: {warning}", input.display());
        }
        if let Some(Leakage { strategy, report }) = &leakage {
            output::message(&format!(
                "{}: leakage {strategy}: {report}",
                input.display()
            ));
        }
    });
    let found = args.tempo.find(&transcription)?;
    transcription.notes = args.tempo.quantized(&transcription.notes, &found)?;
    let done = Done {
        is_complete,
        duration_seconds: transcription.duration_seconds,
        notes: transcription.notes.len(),
        model: transcription.model.clone(),
        warnings,
    };
    let content = if args.json {
        let (tempo, beats, downbeats) = found.json();
        let document = Document {
            file: input.display().to_string(),
            model: transcription.model,
            device: transcription.device.to_string(),
            sample_rate_hz: transcription.sample_rate_hz,
            duration_seconds: transcription.duration_seconds,
            complete: is_complete,
            warnings: &done.warnings,
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
        Target::StandardOutput => printed.extend(content),
        Target::Skipped(_) => {}
        Target::File(path) => {
            write_atomically(path, &content)?;
            let (count, seconds) = (done.notes, done.duration_seconds);
            let what = format!(
                "{count} notes in {seconds:.1} s of audio, {}",
                found.summary()
            );
            say_written(path, &what, printed);
        }
    }
    Ok(done)
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
fn write_demo(samples: &[f32], path: &Path, printed: &mut Vec<u8>) -> Result<()> {
    let bytes = wav(samples, 2, demo_kit::DEMO_SAMPLE_RATE_HZ)?;
    let shown = path.display();
    if !path.exists() {
        write_atomically(path, &bytes)?;
    } else if std::fs::read(path).ok().as_ref() != Some(&bytes) {
        bail!("{shown}: is not the demo groove and would be overwritten: move it, or set --output");
    }
    say_written(path, "the demo groove as audio", printed);
    Ok(())
}

/// Says what was written to a file, in one line.
fn say_written(path: &Path, what: &str, printed: &mut Vec<u8>) {
    let line = output::one_line(&format!("{}: {what}", path.display()));
    printed.extend(line.into_bytes());
    printed.push(b'\n');
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
