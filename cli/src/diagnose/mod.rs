//! `hitscribe diagnose`: everything needed to judge a transcription and its leakage, in one folder.

mod instruments;
mod picture;
mod spectrogram;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hitscribe::Note;
use hitscribe::content::{ContentAnalysis, analyze};
use hitscribe::leakage::{Report, Settings, Strategy, Verdict, apply, filter};
use hitscribe_core::atomic_file::write_atomically;
use serde_json::{Value, json};

use crate::eval::notes_file;
use crate::help;
use crate::model::{LeakageArgs, ModelArgs, load, options, warning_text};
use crate::output::{out, outln};
use crate::recording::Recording;

/// Write notes, filter results and a spectrogram of a recording to a folder
#[derive(clap::Args)]
#[command(after_help = help::MANUAL)]
pub struct Args {
    /// Audio file
    file: PathBuf,
    /// Folder for the results [default: NAME-diagnosis beside the file]
    #[arg(short, long, value_name = "FOLDER", help_heading = help::FILES)]
    output: Option<PathBuf>,
    /// Show this transcription (MIDI or JSON) instead of making one
    #[arg(long, value_name = "FILE", help_heading = help::FILES,
        conflicts_with_all = ["sensitivity", "device", "model", "weights"])]
    notes: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    leakage: LeakageArgs,
}

/// The transcription to diagnose.
struct Subject {
    notes: Vec<Note>,
    /// Where the notes come from.
    source: String,
    warnings: Vec<String>,
}

pub fn run(args: &Args) -> Result<()> {
    let recording = Recording::open(&args.file)?;
    let folder = output_folder(args)?;
    let subject = subject(args, &recording)?;
    let analysis = analyze(&recording.samples, recording.sample_rate_hz);
    std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;

    let settings = args.leakage.settings();
    let verdicts = filter(&subject.notes, &settings);
    let filtered = apply(&subject.notes, &verdicts);
    let about = |notes: &[Note]| {
        json!({
            "file": args.file.display().to_string(),
            "duration_seconds": recording.duration_seconds(),
            "sample_rate_hz": recording.sample_rate_hz, "transcription": subject.source,
            "instruments": instruments::breakdown(notes), "notes": notes,
        })
    };
    write_json(&folder.join("full.json"), &about(&subject.notes))?;
    let mut kept = about(&filtered);
    kept["leakage"] = json!({
        "strategy": settings.strategy, "report": Report::new(&subject.notes, &verdicts),
        "changed": changed(&subject.notes, &verdicts),
    });
    write_json(&folder.join("filtered.json"), &kept)?;
    let strategies = outcomes(&subject.notes, settings.minimum_confidence);
    write_json(
        &folder.join("instruments.json"),
        &distribution(&subject.notes, &strategies, &analysis),
    )?;
    let title = args.file.file_name().unwrap_or_default().to_string_lossy();
    let about = format!(
        "Transcription: {}. Leakage filter: {}.",
        subject.source, settings.strategy
    );
    let png = picture::draw(&recording, &title, &about, &subject.notes, &verdicts)?;
    let path = folder.join("spectrogram.png");
    write_atomically(&path, &png)?;
    let log = log(args, &recording, &subject, &analysis, &strategies);
    let path = folder.join("diagnosis.log");
    write_atomically(&path, log.as_bytes())?;
    out!("{log}");
    outln!("written to {}", folder.display());
    Ok(())
}

fn output_folder(args: &Args) -> Result<PathBuf> {
    let folder = match &args.output {
        Some(folder) => folder.clone(),
        None => {
            let mut name = args.file.file_stem().unwrap_or_default().to_owned();
            name.push("-diagnosis");
            args.file.with_file_name(name)
        }
    };
    if folder.exists() && !folder.is_dir() {
        bail!(
            "{}: is a file; name a folder for the results",
            folder.display()
        );
    }
    Ok(folder)
}

fn subject(args: &Args, recording: &Recording) -> Result<Subject> {
    let mut warnings: Vec<String> = recording.warning.iter().cloned().collect();
    if let Some(path) = &args.notes {
        let notes = notes_file::read(path)?.notes;
        return Ok(Subject {
            notes,
            source: path.display().to_string(),
            warnings,
        });
    }
    let transcriber = load(&args.model)?;
    let transcription = options(&transcriber, &args.model, &args.file)
        .sensitivity(args.model.network.sensitivity)
        .samples(&recording.samples, 1, recording.sample_rate_hz)?;
    warnings.extend(transcription.warnings.iter().map(warning_text));
    Ok(Subject {
        notes: transcription.notes,
        source: format!("{} on {}", transcription.model, transcription.device),
        warnings,
    })
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(write_atomically(path, text.as_bytes())?)
}

/// The notes that the filter removed or changed to drum notes, with the reason.
fn changed(notes: &[Note], verdicts: &[Verdict]) -> Vec<Value> {
    let entry = |(note, verdict): (&Note, &Verdict)| match verdict {
        Verdict::Keep => None,
        Verdict::Remove(reason) => Some(json!({"note": note, "removed": reason.to_string()})),
        Verdict::Remap { key, reason } => {
            Some(json!({"note": note, "made_drum_key": key, "because": reason.to_string()}))
        }
    };
    notes.iter().zip(verdicts).filter_map(entry).collect()
}

/// The result of every filter.
fn outcomes(notes: &[Note], minimum_confidence: f32) -> Vec<(Strategy, Report, Vec<Note>)> {
    let of = |strategy| {
        let verdicts = filter(
            notes,
            &Settings {
                strategy,
                minimum_confidence,
            },
        );
        (
            strategy,
            Report::new(notes, &verdicts),
            apply(notes, &verdicts),
        )
    };
    Strategy::ALL.into_iter().map(of).collect()
}

fn distribution(
    notes: &[Note],
    strategies: &[(Strategy, Report, Vec<Note>)],
    analysis: &ContentAnalysis,
) -> Value {
    let by_strategy: serde_json::Map<String, Value> = strategies
        .iter()
        .map(|(strategy, report, kept)| {
            let value = json!({"report": report, "instruments": instruments::breakdown(kept)});
            (strategy.name().to_owned(), value)
        })
        .collect();
    json!({
        "full": instruments::breakdown(notes), "drum_keys": instruments::drum_keys(notes), "filters": by_strategy,
        "content": analysis,
    })
}

fn log(
    args: &Args,
    recording: &Recording,
    subject: &Subject,
    analysis: &ContentAnalysis,
    strategies: &[(Strategy, Report, Vec<Note>)],
) -> String {
    let mut log = String::new();
    // Writing to a string does not fail.
    let mut line = |text: String| {
        let _ = writeln!(log, "{text}");
    };
    line(format!("hitscribe {}", env!("CARGO_PKG_VERSION")));
    line(format!("file: {}", args.file.display()));
    line(format!(
        "audio: {:.3} s at {} Hz",
        recording.duration_seconds(),
        recording.sample_rate_hz
    ));
    line(format!("transcription: {}", subject.source));
    subject
        .warnings
        .iter()
        .for_each(|warning| line(format!("warning: {warning}")));
    line(format!(
        "content: {analysis}; suitable: {}",
        analysis.content.suitable_models()
    ));
    line(format!("notes: {}", subject.notes.len()));
    for instrument in instruments::breakdown(&subject.notes) {
        line(format!("  {instrument}"));
    }
    for (strategy, report, _) in strategies {
        let chosen = if *strategy == args.leakage.strategy {
            " (chosen)"
        } else {
            ""
        };
        line(format!("filter {strategy}{chosen}: {report}"));
    }
    line(picture::LEGEND.to_owned());
    log
}
