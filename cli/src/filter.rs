//! `hitscribe filter`: leakage filters on a transcription that exists already.

use std::path::PathBuf;

use anyhow::Result;
use hitscribe::leakage::{
    Report, Settings, Strategy, Verdict, Window, apply, filter, filter_running,
};
use hitscribe_core::atomic_file::write_atomically;
use hitscribe_core::midi::{MidiSettings, midi_file};
use serde_json::json;

use crate::eval::notes_file;
use crate::output::outln;
use crate::values;

/// Take leaked notes out of a transcription and say which and why.
///
/// Writes a MIDI file at 120 BPM whose notes are at the same seconds as in FILE.
#[derive(clap::Args)]
pub struct Args {
    /// MIDI file, or our JSON
    file: PathBuf,
    /// MIDI file to write; without it only the report is printed
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// off, auto, drums-only, smart, pitch, confidence or remap-chromatic
    #[arg(long, default_value_t = Strategy::Auto, value_name = "FILTER")]
    leakage: Strategy,
    /// Threshold of the confidence filter
    #[arg(long, default_value_t = 0.5, value_name = "0..1", value_parser = values::share)]
    minimum_confidence: f32,
    /// Judge as in live use, on a running window that spares the pitched notes of a real mix
    #[arg(long)]
    running: bool,
    /// Print every changed note with its reason, and the notes that are left, as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let notes = notes_file::read(&args.file)?.notes;
    let settings = Settings {
        strategy: args.leakage,
        minimum_confidence: args.minimum_confidence,
    };
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
            "file": args.file.display().to_string(), "leakage": args.leakage, "report": report,
            "changed": changed, "notes": kept,
        });
        outln!("{}", serde_json::to_string_pretty(&document)?);
    } else {
        outln!("{}: {report}", args.leakage);
    }
    Ok(())
}
