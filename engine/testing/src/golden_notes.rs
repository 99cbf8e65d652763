//! What the golden tests of notes share.

use std::path::{Path, PathBuf};

use hitscribe_core::Note;
use serde::Deserialize;

/// A note as the goldens have it.
#[derive(Deserialize, Clone)]
pub struct GoldenNote {
    pub start: f64,
    pub end: f64,
    pub pitch: u8,
    #[serde(default = "usual_velocity")]
    pub velocity: u8,
    pub program: u8,
    pub is_drum: bool,
}

fn usual_velocity() -> u8 {
    100
}

impl From<&GoldenNote> for Note {
    fn from(n: &GoldenNote) -> Self {
        note(
            n.start,
            n.end - n.start,
            n.pitch,
            n.velocity,
            n.program,
            n.is_drum,
        )
        .ending(n.end)
    }
}

pub fn notes(golden: &[GoldenNote]) -> Vec<Note> {
    golden.iter().map(Note::from).collect()
}

pub fn note(start: f64, length: f64, pitch: u8, velocity: u8, program: u8, is_drum: bool) -> Note {
    Note {
        onset_seconds: start,
        offset_seconds: start + length,
        pitch,
        velocity,
        program,
        is_drum,
        openness: None,
        confidence: 1.0,
    }
}

trait Ending {
    fn ending(self, seconds: f64) -> Self;
}

impl Ending for Note {
    fn ending(self, seconds: f64) -> Self {
        Note {
            offset_seconds: seconds,
            ..self
        }
    }
}

/// A golden file of the shared folder, or None with a line that says that the test is skipped.
pub fn shared(file: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/parity/goldens"
    ))
    .join(file);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

pub fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub const TICKS_PER_SECOND: f64 = 440.0;

/// What is left of notes that are written to a MIDI file by pretty_midi (440 ticks a second) and read back: one track
/// per instrument; a note-off ends every open note of its key, except those that began on the same tick; a note-on of
/// velocity 0 is a note-off.
pub fn through_midi(notes: &[Note]) -> Vec<Note> {
    let mut instruments: Vec<(u8, bool)> = Vec::new();
    for n in notes {
        if !instruments.contains(&(n.program, n.is_drum)) {
            instruments.push((n.program, n.is_drum));
        }
    }
    let tick = |seconds: f64| (seconds * TICKS_PER_SECOND).round_ties_even() as u64;
    let mut read = Vec::new();
    for instrument in instruments {
        // Ends sort before starts of the same key, being note-ons of velocity 0.
        let mut events: Vec<(u64, u8, u8)> = Vec::new();
        for n in notes
            .iter()
            .filter(|n| (n.program, n.is_drum) == instrument)
        {
            events.push((tick(n.onset_seconds), n.pitch, n.velocity));
            events.push((tick(n.offset_seconds), n.pitch, 0));
        }
        events.sort();
        let mut open: Vec<(u8, u64, u8)> = Vec::new();
        for (at, pitch, velocity) in events {
            if velocity > 0 {
                open.push((pitch, at, velocity));
                continue;
            }
            let (ended, kept): (Vec<_>, Vec<_>) =
                open.into_iter().partition(|o| o.0 == pitch && o.1 != at);
            open = if ended.is_empty() {
                kept.into_iter().filter(|o| o.0 != pitch).collect()
            } else {
                kept
            };
            read.extend(ended.into_iter().map(|(_, start, velocity)| Note {
                onset_seconds: start as f64 / TICKS_PER_SECOND,
                offset_seconds: at as f64 / TICKS_PER_SECOND,
                pitch,
                velocity,
                program: instrument.0,
                is_drum: instrument.1,
                openness: None,
                confidence: 1.0,
            }));
        }
    }
    read
}

/// A small reproducible generator.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }

    pub fn unit(&mut self) -> f64 {
        self.below(1 << 30) as f64 / f64::from(1 << 30)
    }
}
