//! `hitscribe filter`: leakage filters on existing transcriptions.

use std::path::PathBuf;

use anyhow::Result;
use hitscribe::leakage::{Report, Verdict, Window, apply, filter, filter_running};
use hitscribe_core::atomic_file::write_atomically;
use hitscribe_core::midi::{MidiSettings, midi_file};
use serde_json::json;

use crate::eval::notes_file;
use crate::help;
use crate::model::LeakageArgs;
use crate::output::outln;

/// Remove leaked notes from a transcription
#[derive(clap::Args)]
#[command(after_help = help::MANUAL, mut_args(|arg| arg.help_heading(None::<&str>)))]
pub struct Args {
    /// MIDI file, or JSON from `transcribe --json`
    file: PathBuf,
    /// MIDI file to write; without it the report is printed only
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    leakage: LeakageArgs,
    /// Filter as in live use, on a running window
    #[arg(long)]
    running: bool,
    /// Print the changed notes, the reasons and the remaining notes as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    if let Some(path) = &args.output {
        crate::targets::check(path, true)?;
    }
    let notes = notes_file::read(&args.file)?.notes;
    let settings = args.leakage.settings();
    let verdicts = match args.running {
        true => filter_running(&notes, &settings, Window::default()),
        false => filter(&notes, &settings),
    };
    let kept = apply(&notes, &verdicts);
    if let Some(path) = &args.output {
        write_atomically(path, &midi_file(&kept, &MidiSettings::default())?)?;
    }
    let report = Report::new(&notes, &verdicts);
    if args.json {
        let changed: Vec<_> = notes
            .iter()
            .zip(&verdicts)
            .filter(|(_, verdict)| **verdict != Verdict::Keep)
            .map(|(note, verdict)| json!({"note": note, "verdict": verdict}))
            .collect();
        let document = json!({
            "file": args.file.display().to_string(), "leakage": settings.strategy, "report": report,
            "changed": changed, "notes": kept,
        });
        outln!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        outln!("{}: {report}", settings.strategy);
    }
    Ok(())
}
