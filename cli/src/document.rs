//! What `transcribe --json` prints.

use hitscribe::leakage::{self, Strategy};
use hitscribe::{DrumClass, Note};
use serde::Serialize;

use crate::tempo::JsonTempo;

/// The JSON of a recording.
#[derive(Serialize)]
pub struct Document<'a> {
    pub file: String,
    pub model: String,
    pub device: String,
    pub sample_rate_hz: u32,
    pub duration_seconds: f64,
    /// Whether all of the audio could be read.
    pub complete: bool,
    pub warnings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leakage: Option<Leakage>,
    /// None without a clear pulse, and if the tempo was given.
    pub tempo: Option<JsonTempo>,
    /// In seconds.
    pub beats: Vec<f64>,
    pub downbeats: Vec<f64>,
    pub notes: Vec<JsonNote>,
}

/// What a leakage filter changed.
#[derive(Serialize)]
pub struct Leakage {
    pub strategy: Strategy,
    pub report: leakage::Report,
}

/// A note and its drum class.
#[derive(Serialize)]
pub struct JsonNote {
    #[serde(flatten)]
    pub note: Note,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<DrumClass>,
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
