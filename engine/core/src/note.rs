//! What the engine hears: notes and drum classes. Plain data, shared by every module.

use serde::{Deserialize, Serialize};

use crate::DrumClass;

/// One transcribed note, pitched or drum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Start in seconds from the start of the audio.
    pub onset_seconds: f64,
    /// End in seconds, never before the onset. Drum hits have a nominal length.
    pub offset_seconds: f64,
    /// MIDI key 0..=127. For drums the General MIDI percussion key.
    pub pitch: u8,
    /// MIDI velocity 1..=127.
    pub velocity: u8,
    /// General MIDI program 0..=127 of a pitched note; 0 for drums.
    pub program: u8,
    /// Whether `pitch` is a percussion key.
    pub is_drum: bool,
    /// How open a hi-hat was when it was struck, 0 (pressed tight) to [`MAX_OPENNESS`] (all open); `None`
    /// where nobody has measured it and for everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openness: Option<u8>,
    /// Probability 0..=1 that the model gives to this note.
    pub confidence: f32,
}

/// Openness of a hi-hat that is all open. One less than the largest MIDI value, so that a saved take has
/// room for "unknown" in seven bits.
pub const MAX_OPENNESS: u8 = 126;

/// Nominal length of a drum hit in seconds.
pub const DRUM_NOTE_SECONDS: f64 = 0.05;

impl Note {
    /// A drum hit of `class` with the nominal length.
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

/// A note at its exact place in a stream of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlacedNote {
    /// Start in samples from the start of the passage.
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
    /// How open a hi-hat was when it was struck, 0 (pressed tight) to [`MAX_OPENNESS`] (all open); `None`
    /// where nobody has measured it and for everything else.
    pub openness: Option<u8>,
    /// Probability 0..=1 that the model gives to this note.
    pub confidence: f32,
}

impl PlacedNote {
    /// The same note in seconds.
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

    /// The inverse of [`PlacedNote::to_note`].
    pub fn of_note(note: &Note, sample_rate_hz: u32) -> Self {
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

    /// The drum that was struck, if this is a drum hit.
    pub fn drum_class(self) -> Option<DrumClass> {
        if self.is_drum {
            DrumClass::from_gm_note(self.pitch)
        } else {
            None
        }
    }
}
