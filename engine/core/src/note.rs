//! Notes: plain data that every crate shares.

use serde::{Deserialize, Serialize};

use crate::drum_class::DrumClass;

/// One transcribed note, pitched or drum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Start in seconds from the start of the audio.
    pub onset_seconds: f64,
    /// End in seconds, not before the onset. Drum hits last [`DRUM_NOTE_SECONDS`].
    pub offset_seconds: f64,
    /// MIDI key 0..=127. For drums the General MIDI percussion key.
    pub pitch: u8,
    /// MIDI velocity 1..=127.
    pub velocity: u8,
    /// General MIDI program 0..=127 of a pitched note; 0 for drums.
    pub program: u8,
    /// Whether `pitch` is a percussion key.
    pub is_drum: bool,
    /// Openness of a hi-hat hit, 0 (closed tightly) to [`MAX_OPENNESS`] (fully open). `None` if it
    /// was not measured, and for all other notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openness: Option<u8>,
    /// Probability 0..=1 that the model assigns to this note.
    pub confidence: f32,
}

/// Openness of a fully open hi-hat. One below the largest MIDI value, so that seven bits of a saved
/// take can also store "not measured".
pub const MAX_OPENNESS: u8 = 126;

/// Nominal length of a drum hit in seconds.
pub const DRUM_NOTE_SECONDS: f64 = 0.05;

impl Note {
    /// A drum hit of `class` that lasts [`DRUM_NOTE_SECONDS`].
    pub fn drum(class: DrumClass, onset_seconds: f64, velocity: u8, confidence: f32) -> Self {
        Self {
            onset_seconds,
            offset_seconds: onset_seconds + DRUM_NOTE_SECONDS,
            pitch: class.gm_note(),
            velocity,
            program: 0,
            is_drum: true,
            openness: None,
            confidence,
        }
    }
}

/// A note with exact times in samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlacedNote {
    /// Start in samples from the start of the stream.
    pub onset_samples: u64,
    /// Length in samples, at least 1.
    pub length_samples: u64,
    /// MIDI key 0..=127. For drums the General MIDI percussion key.
    pub pitch: u8,
    /// MIDI velocity 1..=127.
    pub velocity: u8,
    /// General MIDI program 0..=127 of a pitched note; 0 for drums.
    pub program: u8,
    /// Whether `pitch` is a percussion key.
    pub is_drum: bool,
    /// Openness of a hi-hat hit, 0 (closed tightly) to [`MAX_OPENNESS`] (fully open). `None` if it
    /// was not measured, and for all other notes.
    pub openness: Option<u8>,
    /// Probability 0..=1 that the model assigns to this note.
    pub confidence: f32,
}

impl PlacedNote {
    /// Converts to seconds; `sample_rate_hz` is the rate of the note's samples.
    pub fn to_note(self, sample_rate_hz: u32) -> Note {
        let seconds = |samples: u64| samples as f64 / f64::from(sample_rate_hz);
        Note {
            onset_seconds: seconds(self.onset_samples),
            offset_seconds: seconds(self.onset_samples + self.length_samples),
            pitch: self.pitch,
            velocity: self.velocity,
            program: self.program,
            is_drum: self.is_drum,
            openness: self.openness,
            confidence: self.confidence,
        }
    }

    /// Converts from seconds; the inverse of [`PlacedNote::to_note`], rounded to whole samples.
    pub fn from_note(note: &Note, sample_rate_hz: u32) -> Self {
        let samples = |seconds: f64| (seconds * f64::from(sample_rate_hz)).round() as u64;
        let onset_samples = samples(note.onset_seconds);
        Self {
            onset_samples,
            length_samples: samples(note.offset_seconds)
                .saturating_sub(onset_samples)
                .max(1),
            pitch: note.pitch,
            velocity: note.velocity,
            program: note.program,
            is_drum: note.is_drum,
            openness: note.openness,
            confidence: note.confidence,
        }
    }

    /// The drum class, if this is a drum hit.
    pub fn drum_class(self) -> Option<DrumClass> {
        if self.is_drum {
            DrumClass::from_gm_note(self.pitch)
        } else {
            None
        }
    }
}
