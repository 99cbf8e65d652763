//! `hitscribe eval-set`: scores of evaluation sets.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hitscribe::{AllowedNotes, Note, Transcriber};
use hitscribe_core::atomic_file::write_atomically;
use hitscribe_metrics::{ScoredTrack, score_set};
use serde_json::json;

use crate::eval::notes_file::{self, NotesFile};
use crate::eval::{print_scores, track};
use crate::help;
use crate::model::{NetworkArgs, load_builtin};
use crate::output::outln;
use crate::recording::Recording;

/// Score transcriptions of whole evaluation sets
#[derive(clap::Args)]
#[command(after_help = help::MANUAL)]
pub struct Args {
    /// Folder that holds a folder for each set
    #[arg(long, value_name = "FOLDER", help_heading = help::FILES)]
    data: PathBuf,
    /// Sets, separated by commas [default: all of the development sets]
    #[arg(long, value_delimiter = ',', default_value = DEFAULT_SETS, hide_default_value = true,
        value_name = "NAMES", help_heading = help::FILES)]
    sets: Vec<String>,
    /// Score the MIDI or JSON files in this folder instead of transcribing
    #[arg(long, value_name = "FOLDER", help_heading = help::FILES,
        conflicts_with_all = ["gain_db", "sample_rate", "sensitivity", "device", "weights"])]
    pred: Option<PathBuf>,
    /// Print the scores of each recording
    #[arg(long, help_heading = help::FILES)]
    per_track: bool,
    /// Write all scores to this JSON file
    #[arg(long, value_name = "FILE", help_heading = help::FILES)]
    json: Option<PathBuf>,
    /// Gain applied to the recordings first
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true, value_name = "DB",
        help_heading = help::AUDIO)]
    gain_db: f32,
    /// Rate to which the recordings are resampled first
    #[arg(long, value_name = "HZ", help_heading = help::AUDIO)]
    sample_rate: Option<u32>,
    #[command(flatten)]
    network: NetworkArgs,
}

const DEFAULT_SETS: &str =
    "mdbpp,mdb_remix,mdb_mix,mdb_nodrums,vocadito_nodrums,maps,guitarset,composite,loops_noref";

/// Sets that use the recordings of another set.
const AUDIO_OF_OTHERS: [(&str, &str); 1] = [("mdbpp", "mdb_drum")];

pub fn run(args: &Args) -> Result<()> {
    if !args.gain_db.is_finite() {
        bail!("--gain-db must be a finite number");
    }
    let mut estimates = match &args.pred {
        Some(folder) => Estimates::Files(folder.clone()),
        None => Estimates::Own(Box::new(OwnTranscription {
            transcriber: load_builtin(
                Transcriber::builder().device(args.network.device.clone()),
                args.network.weights.as_deref(),
            )?,
            done: HashMap::new(),
        })),
    };
    let mut reports = BTreeMap::new();
    for set in &args.sets {
        let mut missing = Vec::new();
        let mut tracks: Vec<ScoredTrack> = Vec::new();
        for reference in references(&args.data, set)? {
            let name = reference.track.clone().unwrap_or_default();
            let estimate = estimates.of(args, set, &name).unwrap_or_else(|error| {
                missing.push(format!("{set}/{name}: {error:#}"));
                NotesFile::empty()
            });
            tracks.push(track(format!("{set}/{name}"), &reference, &estimate));
        }
        if args.pred.is_none() && !missing.is_empty() {
            bail!("{}", missing.join("; "));
        }
        let scores = score_set(&tracks);
        outln!("# {set}: {} tracks", tracks.len());
        for line in &missing {
            outln!("MISSING {line}");
        }
        print_scores(&scores, args.per_track)?;
        outln!();
        let mut report = serde_json::to_value(&scores)?;
        report["name"] = json!(estimates.name());
        report["sets"] = json!([set]);
        report["missing"] = json!(missing);
        reports.insert(set.clone(), report);
    }
    if let Some(path) = &args.json {
        // The evaluation scripts read the report of a single set.
        let report = match (reports.len(), reports.values().next()) {
            (1, Some(only)) => only.clone(),
            _ => json!(reports),
        };
        write_atomically(path, serde_json::to_string_pretty(&report)?.as_bytes())?;
    }
    Ok(())
}

/// The references of a set, sorted by file name.
fn references(data: &Path, set: &str) -> Result<Vec<NotesFile>> {
    let folder = data.join(set);
    let entries = std::fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    paths.sort();
    if paths.is_empty() {
        bail!("{}: has no references (.json files)", folder.display());
    }
    paths.iter().map(|path| named(path)).collect()
}

fn named(path: &Path) -> Result<NotesFile> {
    let mut file = notes_file::read(path)?;
    file.track.get_or_insert_with(|| {
        path.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    });
    Ok(file)
}

/// Where transcriptions come from.
enum Estimates {
    Files(PathBuf),
    Own(Box<OwnTranscription>),
}

struct OwnTranscription {
    transcriber: Transcriber,
    /// Several sets share recordings.
    done: HashMap<PathBuf, Vec<Note>>,
}

impl Estimates {
    fn name(&self) -> String {
        match self {
            Self::Files(folder) => folder.display().to_string(),
            Self::Own(own) => own.transcriber.model_name(),
        }
    }

    fn of(&mut self, args: &Args, set: &str, track: &str) -> Result<NotesFile> {
        match self {
            Self::Files(folder) => prediction(folder, set, track),
            Self::Own(own) => Ok(NotesFile::of_notes(own.transcribe(args, set, track)?)),
        }
    }
}

fn prediction(folder: &Path, set: &str, track: &str) -> Result<NotesFile> {
    let candidates = [folder.join(set), folder.to_owned()]
        .into_iter()
        .flat_map(|d| ["mid", "midi", "json"].map(|e| d.join(format!("{track}.{e}"))));
    let path = candidates
        .into_iter()
        .find(|p| p.exists())
        .context("no prediction")?;
    notes_file::read(&path)
}

impl OwnTranscription {
    fn transcribe(&mut self, args: &Args, set: &str, track: &str) -> Result<Vec<Note>> {
        let folder = AUDIO_OF_OTHERS
            .iter()
            .find(|(s, _)| *s == set)
            .map_or(set, |(_, other)| other);
        let path = args.data.join(folder).join(format!("{track}.flac"));
        if let Some(notes) = self.done.get(&path) {
            return Ok(notes.clone());
        }
        let mut recording = Recording::open(&path)?;
        if let Some(rate) = args.sample_rate {
            recording = recording.resampled(rate)?;
        }
        recording.amplify(args.gain_db);
        let transcription = self
            .transcriber
            .options()
            // Every note counts: none is left out as implausible.
            .source(AllowedNotes::everything())
            .sensitivity(args.network.sensitivity)
            .samples(&recording.samples, 1, recording.sample_rate_hz)?;
        self.done.insert(path, transcription.notes.clone());
        Ok(transcription.notes)
    }
}
