//! `hitscribe eval`: scores of a transcription, and their tables.

pub mod notes_file;
pub mod set;
pub mod table;

use std::path::PathBuf;

use anyhow::{Result, bail};
use hitscribe_metrics::{
    BeatScores, DrumScores, Granularity, Grouping, InstrumentGroup, InstrumentKey, NoteScores,
    Offsets, PitchedScores, RecordingKind, Scored, ScoredTrack, Scores, SetScores, beat_scores,
    instrument_scores, multi_instrument_scores, note_scores, score_set,
};
use serde_json::{Value, json};

use crate::eval::notes_file::NotesFile;
use crate::eval::table::{score, table};
use crate::help;
use crate::output::{out, outln};

/// Score a transcription against a reference
#[derive(clap::Args)]
#[command(after_help = help::MANUAL)]
pub struct Args {
    /// Reference: MIDI file, or JSON of an evaluation set
    reference: PathBuf,
    /// Transcription: MIDI file, or JSON from `transcribe --json`
    estimate: PathBuf,
    /// Print all scores as JSON instead of tables
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let reference = notes_file::read(&args.reference)?;
    let estimate = notes_file::read(&args.estimate)?;
    if reference.notes.is_empty() && !is_unannotated(&reference) {
        bail!("{}: has no notes to compare with", args.reference.display());
    }
    let name = args
        .reference
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    if args.json {
        let mut report = report(name, &reference, &estimate)?;
        report["reference"] = json!(args.reference.display().to_string());
        report["estimate"] = json!(args.estimate.display().to_string());
        outln!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }
    print_scores(&score_set(&[track(name, &reference, &estimate)]), false)?;
    print_note_report(&note_report(&reference, &estimate))?;
    beats(&reference, &estimate).map_or(Ok(()), |beats| print_beats(&beats))
}

/// The scores of `eval --json` for one recording with this name, without the names of the files.
///
/// # Errors
/// Does not occur for scores that are numbers.
pub fn report(name: String, reference: &NotesFile, estimate: &NotesFile) -> Result<Value> {
    let mut report = serde_json::to_value(score_set(&[track(name, reference, estimate)]))?;
    report["notes"] = note_report(reference, estimate);
    if let Some(beats) = beats(reference, estimate) {
        report["beats"] = serde_json::to_value(beats)?;
    }
    Ok(report)
}

/// The scores of the beats, where both files have some.
fn beats(reference: &NotesFile, estimate: &NotesFile) -> Option<BeatScores> {
    let (wanted, found) = (&reference.beats, &estimate.beats);
    (!wanted.beats.is_empty() && !found.beats.is_empty()).then(|| {
        beat_scores(
            &wanted.beats,
            &found.beats,
            &wanted.downbeats,
            &found.downbeats,
        )
    })
}

fn print_beats(beats: &BeatScores) -> Result<()> {
    outln!();
    let downbeats = beats.downbeat_f1.map_or("-".to_owned(), score);
    let values = [beats.f1, beats.cml_t, beats.aml_t].map(score);
    let [f1, cml_t, aml_t] = values;
    let row = vec!["tempo map".to_owned(), f1, downbeats, cml_t, aml_t];
    out!(
        "{}",
        table(&["beats", "F", "downbeats F", "CMLt", "AMLt"], &[row])
    );
    Ok(())
}

/// Without annotations, leakage and false drums can still be counted.
fn is_unannotated(reference: &NotesFile) -> bool {
    reference.set.is_some()
        && matches!(
            reference.kind,
            RecordingKind::Drums | RecordingKind::NoDrums
        )
}

/// A recording to score.
pub fn track(name: String, reference: &NotesFile, estimate: &NotesFile) -> ScoredTrack {
    ScoredTrack {
        name,
        kind: reference.kind,
        duration_seconds: reference.duration_seconds,
        reference_hits: reference.hits.clone(),
        reference_notes: reference.pitched(),
        estimate: estimate.notes.clone(),
    }
}

/// The metrics of MT3 and MR-MT3 over all notes, including drums.
fn note_report(reference: &NotesFile, estimate: &NotesFile) -> Value {
    let (wanted, found) = (&reference.notes, &estimate.notes);
    let notes = |s: NoteScores| {
        json!({
            "precision": s.scores.precision, "recall": s.scores.recall, "f1": s.scores.f1,
            "avg_overlap": s.average_overlap, "n_ref": s.counts.reference, "n_est": s.counts.estimated,
        })
    };
    let multi = |granularity| {
        let s = multi_instrument_scores(wanted, found, granularity);
        let group = |(g, s): (&InstrumentGroup, &Scores)| {
            (
                format!("{}{}", g.program, if g.is_drum { "d" } else { "" }),
                s.f1,
            )
        };
        let groups: std::collections::BTreeMap<String, f64> =
            s.per_group.iter().map(group).collect();
        json!({
            "precision": s.scores.precision, "recall": s.scores.recall, "f1": s.scores.f1, "per_group_f1": groups,
        })
    };
    let instruments = |key| {
        let s = instrument_scores(wanted, found, key);
        json!({
            "n_pred": s.estimated.len(), "n_ref": s.reference.len(), "leakage_ratio": s.leakage_ratio,
            "precision": s.detection.precision, "recall": s.detection.recall, "f1": s.detection.f1,
        })
    };
    json!({
        "onset": notes(note_scores(wanted, found, Offsets::Ignore)),
        "onset_offset": notes(note_scores(wanted, found, Offsets::Compare)),
        "multi_flat": multi(Granularity::Flat),
        "multi_midi_class": multi(Granularity::MidiClass),
        "multi_full": multi(Granularity::Full),
        "instruments_programs_only": instruments(InstrumentKey::Program),
        "instruments_program_and_drum": instruments(InstrumentKey::ProgramAndDrum),
    })
}

fn print_note_report(notes: &Value) -> Result<()> {
    let row = |label: &str, key: &str| {
        let value = |name: &str| notes[key][name].as_f64().map_or("-".to_owned(), score);
        vec![
            label.to_owned(),
            value("precision"),
            value("recall"),
            value("f1"),
        ]
    };
    outln!();
    let rows = [
        row("onset", "onset"),
        row("onset + offset", "onset_offset"),
        row("onset + instrument, drums or not", "multi_flat"),
        row("onset + instrument, family", "multi_midi_class"),
        row("onset + instrument, program", "multi_full"),
        row("instruments detected", "instruments_program_and_drum"),
    ];
    out!("{}", table(&["all notes", "P", "R", "F"], &rows));
    let instruments = &notes["instruments_program_and_drum"];
    if let Some(ratio) = instruments["leakage_ratio"].as_f64() {
        outln!(
            "instrument leakage ratio {ratio:.3} ({} instruments transcribed, {} in the reference)",
            instruments["n_pred"],
            instruments["n_ref"]
        );
    }
    Ok(())
}

/// Prints the scores of a set as tables.
pub fn print_scores(scores: &SetScores, per_track: bool) -> Result<()> {
    if let Some(drums) = &scores.scores {
        print_drums(drums, per_track)?;
    }
    if let Some(leakage) = &scores.leakage {
        outln!(
            "leakage: {} of {} notes are not drums ({:.1} %)",
            leakage.non_drum,
            leakage.total,
            leakage.fraction * 100.0
        );
    }
    if let Some(f) = &scores.false_drums {
        outln!(
            "false drums: {} of {} notes ({:.1} %), {:.1} per minute",
            f.drum,
            f.total,
            f.fraction * 100.0,
            f.per_minute
        );
    }
    if let Some(pitched) = &scores.pitched {
        print_pitched(pitched, per_track)?;
    }
    Ok(())
}

fn signed(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |v| format!("{v:+.1}"))
}

fn print_drums(drums: &DrumScores, per_track: bool) -> Result<()> {
    let mut rows = Vec::new();
    for grouping in Grouping::ALL {
        for tolerance in ["50ms", "30ms", "20ms"] {
            let Some(s) = drums.get(grouping, tolerance) else {
                continue;
            };
            let by_class: Vec<String> = grouping
                .classes()
                .iter()
                .filter_map(|(name, _)| Some((name, s.classes.get(name)?)))
                .filter(|(_, c)| c.counts.reference + c.counts.estimated > 0)
                .map(|(name, c)| format!("{name} {:.2}", c.scores.f1))
                .collect();
            let micro = s.micro.scores;
            rows.push(vec![
                format!("{}-class {tolerance}", grouping.name()),
                score(micro.precision),
                score(micro.recall),
                score(micro.f1),
                score(s.track_mean.f1),
                score(s.adtof_mean),
                by_class.join(" "),
            ]);
        }
    }
    out!(
        "{}",
        table(
            &[
                "grouping",
                "P",
                "R",
                "micro F",
                "track mean F",
                "adtof mean",
                "class F"
            ],
            &rows
        )
    );
    let t = &drums.timing_ms.all;
    let by_class: Vec<String> = Grouping::Five
        .classes()
        .iter()
        .filter_map(|(name, _)| {
            Some(format!(
                "{name} {:+.0}",
                drums.timing_ms.classes.get(name)?.median?
            ))
        })
        .collect();
    outln!(
        "timing est-ref: mean {} median {} std {} ms (n={})  {}",
        signed(t.mean),
        signed(t.median),
        t.std.map_or("-".to_owned(), |v| format!("{v:.1}")),
        t.n,
        by_class.join(" ")
    );
    if let Some(spearman) = drums.velocity.mean_spearman {
        outln!("velocity: Spearman {spearman:.3} (mean over tracks)");
    }
    let Some(five) = drums.get(Grouping::Five, "50ms").filter(|_| per_track) else {
        return Ok(());
    };
    let row = |(name, s): (&String, &Scored)| {
        vec![
            name.clone(),
            s.counts.reference.to_string(),
            s.counts.estimated.to_string(),
            score(s.scores.precision),
            score(s.scores.recall),
            score(s.scores.f1),
            signed(drums.timing_ms.tracks.get(name).and_then(|t| t.median)),
            drums
                .velocity
                .tracks
                .get(name)
                .copied()
                .flatten()
                .map_or("-".to_owned(), score),
        ]
    };
    let rows: Vec<Vec<String>> = five.tracks.iter().map(row).collect();
    let heading = [
        "track (5-class, 50 ms)",
        "ref",
        "est",
        "P",
        "R",
        "F",
        "median ms",
        "velocity",
    ];
    out!("{}", table(&heading, &rows));
    Ok(())
}

const PITCHED: [&str; 8] = [
    "onset",
    "onset_al",
    "onoff",
    "multi_full",
    "multi_family",
    "multi_full_off",
    "multi_family_off",
    "drum",
];

fn print_pitched(pitched: &PitchedScores, per_track: bool) -> Result<()> {
    let mut rows = Vec::new();
    for name in PITCHED {
        let (Some(mean), Some(micro)) = (pitched.mean.get(name), pitched.micro.get(name)) else {
            continue;
        };
        let cells = [mean.precision, mean.recall, mean.f1, micro.scores.f1].map(score);
        rows.push([vec![name.to_owned()], cells.to_vec()].concat());
    }
    out!(
        "{}",
        table(
            &["metric (mean over tracks)", "P", "R", "F", "micro F"],
            &rows
        )
    );
    let t = &pitched.timing_ms;
    outln!(
        "notes on channel 10: {:.1} %; onset est-ref mean {} median {} std {} ms",
        pitched.drum_any * 100.0,
        signed(t.mean),
        signed(t.median),
        t.std.map_or("-".to_owned(), |v| format!("{v:.1}"))
    );
    if !per_track {
        return Ok(());
    }
    let rows: Vec<Vec<String>> = pitched
        .tracks
        .iter()
        .map(|(name, t)| {
            let cell = |metric: &str| match metric {
                "onset_al" => score(t.onset_al.scored.scores.f1),
                _ => t
                    .metrics
                    .get(metric)
                    .map_or("-".to_owned(), |s| score(s.scores.f1)),
            };
            [vec![name.clone()], PITCHED.map(cell).to_vec()].concat()
        })
        .collect();
    out!(
        "{}",
        table(&[&["track F"][..], &PITCHED[..]].concat(), &rows)
    );
    Ok(())
}
