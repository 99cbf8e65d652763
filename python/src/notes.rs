//! Lists of notes: as MIDI, with their beats, and scored.

use std::path::PathBuf;

use hitscribe::{BeatGrid, Note, Transcription};
use hitscribe_cli::{NotesFile, read_notes, score_report};
use hitscribe_core::midi::midi_file;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{exception, exception_of_command};

/// The fields of `hitscribe.Note`, in its order: onset, offset, pitch, velocity, drum, program,
/// confidence, openness.
pub type NoteFields = (f64, f64, u8, u8, bool, u8, f32, Option<u8>);

/// The fields of `hitscribe.Beats`: tempo, meter, beats, downbeats, confidence.
type BeatFields = (f64, (u8, u8), Vec<f64>, Vec<f64>, f64);

pub fn fields(note: &Note) -> NoteFields {
    (
        note.onset_seconds,
        note.offset_seconds,
        note.pitch,
        note.velocity,
        note.is_drum,
        note.program,
        note.confidence,
        note.openness,
    )
}

fn note(fields: NoteFields) -> Note {
    let (onset_seconds, offset_seconds, pitch, velocity, is_drum, program, confidence, openness) =
        fields;
    Note {
        onset_seconds,
        offset_seconds,
        pitch,
        velocity,
        program,
        is_drum,
        openness,
        confidence,
    }
}

fn notes(fields: Vec<NoteFields>) -> Vec<Note> {
    fields.into_iter().map(note).collect()
}

/// The bytes of a MIDI file.
#[pyfunction]
pub fn midi<'py>(
    py: Python<'py>,
    fields: Vec<NoteFields>,
    duration_seconds: f64,
) -> PyResult<Bound<'py, PyBytes>> {
    let bytes = py.detach(|| {
        let notes = notes(fields);
        let settings = Transcription::midi_settings_of(&notes, duration_seconds)?;
        midi_file(&notes, &settings)
    });
    Ok(PyBytes::new(py, &bytes.map_err(exception)?))
}

/// Tempo, meter and beats, if the notes have a clear pulse.
#[pyfunction]
pub fn beats(py: Python<'_>, fields: Vec<NoteFields>, duration_seconds: f64) -> Option<BeatFields> {
    let grid = py.detach(|| BeatGrid::of(&notes(fields), duration_seconds))?;
    let (beats, downbeats) = (grid.beats(), grid.downbeats());
    Some((grid.bpm, grid.meter, beats, downbeats, grid.confidence))
}

/// Notes to score: a file or a list.
#[derive(FromPyObject)]
pub enum Notes {
    File(PathBuf),
    List(Vec<NoteFields>),
}

impl Notes {
    fn read(self) -> anyhow::Result<NotesFile> {
        match self {
            Self::File(path) => read_notes(&path),
            Self::List(fields) => Ok(NotesFile::of_notes(notes(fields))),
        }
    }
}

/// The scores of `hitscribe eval --json`, as JSON.
#[pyfunction]
pub fn evaluate(py: Python<'_>, reference: Notes, estimate: Notes) -> PyResult<String> {
    let report = py.detach(|| {
        let (reference, estimate) = (reference.read()?, estimate.read()?);
        let report = score_report("recording".to_owned(), &reference, &estimate)?;
        Ok(report.to_string())
    });
    report.map_err(exception_of_command)
}
