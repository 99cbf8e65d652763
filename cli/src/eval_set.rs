//! `hitscribe eval-set`: scores of a folder of evaluation sets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hitscribe_engine::note::metrics::{ScoredTrack, score_set};
use serde_json::json;

use crate::eval::{print_scores, track};
use crate::notes_file::{self, NotesFile};

/// Score MIDI files against evaluation sets: DATA/SET/TRACK.json beside PRED/SET/TRACK.mid.
#[derive(clap::Args)]
pub struct Args {
    /// Folder with one folder per set.
    #[arg(long)]
    data: PathBuf,
    /// Names of the sets, separated by commas; each is scored by itself.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "mdbpp,mdb_mix,mdb_remix,mdb_nodrums"
    )]
    sets: Vec<String>,
    /// Folder of predictions: SET/TRACK.mid or TRACK.mid.
    #[arg(long)]
    pred: PathBuf,
    /// Print a line for each recording.
    #[arg(long)]
    per_track: bool,
    /// Write all scores to this file, in the form of the evaluation scripts.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    let mut reports = BTreeMap::new();
    for set in &args.sets {
        let mut missing = Vec::new();
        let mut tracks: Vec<ScoredTrack> = Vec::new();
        for reference in references(&args.data, set)? {
            let (estimate, lack) = prediction(&args.pred, set, &reference);
            let name = reference.track.clone().unwrap_or_default();
            let name = format!("{}/{name}", reference.set.as_deref().unwrap_or(set));
            missing.extend(lack.map(|why| format!("{name}: {why}")));
            tracks.push(track(name, &reference, &estimate));
        }
        let scores = score_set(&tracks);
        println!("# {set}: {} tracks", tracks.len());
        missing.iter().for_each(|line| println!("MISSING {line}"));
        print_scores(&scores, args.per_track);
        println!();
        let mut report = serde_json::to_value(&scores)?;
        report["name"] = json!(args.pred);
        report["sets"] = json!([set]);
        report["missing"] = json!(missing);
        reports.insert(set.clone(), report);
    }
    if let Some(path) = &args.json {
        // One set alone has the form that the scripts read; several are keyed by set.
        let report = match (reports.len(), reports.values().next()) {
            (1, Some(only)) => only.clone(),
            _ => json!(reports),
        };
        std::fs::write(path, serde_json::to_string_pretty(&report)?)
            .with_context(|| format!("{}", path.display()))?;
    }
    Ok(())
}

/// The references of a set, sorted by file name.
pub fn references(data: &Path, set: &str) -> Result<Vec<NotesFile>> {
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
    paths.iter().map(|path| named(path, set)).collect()
}

fn named(path: &Path, set: &str) -> Result<NotesFile> {
    let mut file = notes_file::read(path)?;
    file.set.get_or_insert_with(|| set.to_owned());
    file.track.get_or_insert_with(|| {
        path.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    });
    Ok(file)
}

/// The prediction, or an empty one and why.
fn prediction(folder: &Path, set: &str, reference: &NotesFile) -> (NotesFile, Option<String>) {
    let empty = |why: String| (NotesFile::empty(), Some(why));
    let track = reference.track.as_deref().unwrap_or_default();
    let candidates = [folder.join(set), folder.to_owned()]
        .into_iter()
        .flat_map(|d| ["mid", "midi", "json"].map(|e| d.join(format!("{track}.{e}"))));
    match candidates.into_iter().find(|p| p.exists()) {
        None => empty("no prediction".to_owned()),
        Some(path) => match notes_file::read(&path) {
            Ok(file) => (file, None),
            Err(error) => empty(format!("{error:#}")),
        },
    }
}
