//! Notes from a file: MIDI, JSON from `transcribe --json`, or JSON of an evaluation set.

use std::path::Path;

use anyhow::{Context, Result, bail};
use hitscribe_core::Note;
use hitscribe_core::midi::{Beats, read_beats, read_notes};
use hitscribe_core::note::{DRUM_NOTE_SECONDS, MAX_OPENNESS};
use hitscribe_metrics::{Hit, RecordingKind};
use serde::Deserialize;

/// The content of a file.
pub struct NotesFile {
    /// All notes, drums and pitched.
    pub notes: Vec<Note>,
    /// The drum hits, with velocities if the file has them.
    pub hits: Vec<Hit>,
    /// What the recording contains: from the file, else derived from its notes.
    pub kind: RecordingKind,
    /// Length in seconds: from the file, else the end of the last note.
    pub duration_seconds: f64,
    /// Name of the evaluation set, if the file has one.
    pub set: Option<String>,
    /// Name of the recording, if the file has one.
    pub track: Option<String>,
    /// Beats and downbeats, if the file has any.
    pub beats: Beats,
}

impl NotesFile {
    /// No notes at all.
    pub fn empty() -> Self {
        Self::of_notes(Vec::new())
    }

    /// Of a transcription in memory.
    pub fn of_notes(notes: Vec<Note>) -> Self {
        let hits = notes.iter().filter(|n| n.is_drum).map(Hit::from).collect();
        finish(notes, hits, None)
    }

    /// The pitched notes.
    pub fn pitched(&self) -> Vec<Note> {
        self.notes.iter().copied().filter(|n| !n.is_drum).collect()
    }
}

/// A note in any of the JSON forms.
#[derive(Deserialize)]
struct Entry {
    #[serde(alias = "onset_seconds", alias = "start", alias = "t")]
    onset: f64,
    #[serde(alias = "offset_seconds", alias = "end")]
    offset: Option<f64>,
    #[serde(alias = "midi", alias = "key")]
    pitch: f64,
    velocity: Option<f64>,
    #[serde(default)]
    program: f64,
    #[serde(default)]
    is_drum: bool,
    openness: Option<u8>,
    confidence: Option<f32>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    notes: Vec<Entry>,
    #[serde(default)]
    drums: Vec<Entry>,
    kind: Option<String>,
    #[serde(alias = "duration_seconds")]
    duration: Option<f64>,
    set: Option<String>,
    track: Option<String>,
    #[serde(default)]
    beats: Vec<f64>,
    #[serde(default)]
    downbeats: Vec<f64>,
}

/// Minimum length of a note.
const MINIMUM_NOTE_SECONDS: f64 = 1e-3;
const DEFAULT_VELOCITY: f64 = 100.0;
const MAXIMUM_BYTES: u64 = 256 << 20;

impl Entry {
    fn note(&self, is_drum: bool) -> Result<Note> {
        let midi = |value: f64, what: &str| {
            let rounded = value.round();
            if !(0.0..=127.0).contains(&rounded) {
                bail!(
                    "{what} {value} of the note at {} s is not in 0..=127",
                    self.onset
                );
            }
            Ok(rounded as u8)
        };
        if !self.onset.is_finite() || self.offset.is_some_and(|o| !o.is_finite()) {
            bail!("a note has no finite time");
        }
        let end = self.offset.unwrap_or(self.onset + DRUM_NOTE_SECONDS);
        Ok(Note {
            onset_seconds: self.onset,
            offset_seconds: end.max(self.onset + MINIMUM_NOTE_SECONDS),
            pitch: midi(self.pitch, "pitch")?,
            velocity: midi(self.velocity.unwrap_or(DEFAULT_VELOCITY), "velocity")?,
            program: midi(self.program, "program")?,
            is_drum,
            openness: self.openness.map(|open| open.min(MAX_OPENNESS)),
            confidence: self.confidence.unwrap_or(1.0),
        })
    }
}

/// Reads a file. JSON begins with a brace or bracket; everything else must be MIDI.
///
/// # Errors
/// If the file cannot be read, or is neither a MIDI file nor JSON with notes.
pub fn read(path: &Path) -> Result<NotesFile> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).with_context(|| format!("{shown}"))?;
    if metadata.is_dir() {
        bail!("{shown}: is a folder; name a MIDI or JSON file");
    }
    if metadata.len() > MAXIMUM_BYTES {
        bail!(
            "{shown}: {} bytes are too many for a file of notes",
            metadata.len()
        );
    }
    let bytes = std::fs::read(path).with_context(|| format!("{shown}"))?;
    let is_json = bytes
        .iter()
        .find(|b| !b.is_ascii_whitespace())
        .is_some_and(|b| matches!(b, b'{' | b'['));
    if is_json {
        json(&bytes).with_context(|| format!("{shown}"))
    } else {
        midi(path)
    }
}

fn midi(path: &Path) -> Result<NotesFile> {
    Ok(NotesFile {
        beats: read_beats(path)?,
        ..NotesFile::of_notes(read_notes(path)?)
    })
}

fn finish(notes: Vec<Note>, hits: Vec<Hit>, document: Option<&Document>) -> NotesFile {
    let pitched = notes.iter().any(|n| !n.is_drum);
    let stated = document
        .and_then(|d| d.kind.as_deref())
        .and_then(|kind| match kind {
            "drums" => Some(RecordingKind::Drums),
            "nodrums" => Some(RecordingKind::NoDrums),
            "pitched" => Some(RecordingKind::Pitched),
            "mixed" => Some(RecordingKind::Mixed),
            _ => None,
        });
    let end = notes.iter().map(|n| n.offset_seconds).fold(0.0, f64::max);
    NotesFile {
        kind: stated.unwrap_or(match (hits.is_empty(), pitched) {
            (false, false) => RecordingKind::Drums,
            (false, true) => RecordingKind::Mixed,
            (true, _) => RecordingKind::Pitched,
        }),
        duration_seconds: document.and_then(|d| d.duration).unwrap_or(end),
        set: document.and_then(|d| d.set.clone()),
        track: document.and_then(|d| d.track.clone()),
        beats: document.map_or_else(Beats::default, |d| Beats {
            beats: in_order(&d.beats),
            downbeats: in_order(&d.downbeats),
        }),
        notes,
        hits,
    }
}

fn in_order(times: &[f64]) -> Vec<f64> {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times
}

fn json(bytes: &[u8]) -> Result<NotesFile> {
    let document: Document = if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[') {
        let notes = serde_json::from_slice(bytes).context("is not a list of notes")?;
        Document {
            notes,
            drums: Vec::new(),
            kind: None,
            duration: None,
            set: None,
            track: None,
            beats: Vec::new(),
            downbeats: Vec::new(),
        }
    } else {
        let value: serde_json::Value =
            serde_json::from_slice(bytes).context("is not valid JSON")?;
        if value.get("notes").is_none() && value.get("drums").is_none() {
            bail!("has neither \"notes\" nor \"drums\"");
        }
        serde_json::from_value(value).context("is not a file of notes")?
    };
    let drums = document
        .notes
        .iter()
        .filter(|n| n.is_drum)
        .chain(&document.drums);
    let (mut notes, mut hits) = (Vec::new(), Vec::new());
    for entry in drums {
        let note = entry.note(true)?;
        hits.push(Hit {
            velocity: entry.velocity.map(|_| note.velocity),
            ..Hit::from(&note)
        });
        notes.push(note);
    }
    for entry in document.notes.iter().filter(|n| !n.is_drum) {
        notes.push(entry.note(false)?);
    }
    Ok(finish(notes, hits, Some(&document)))
}
