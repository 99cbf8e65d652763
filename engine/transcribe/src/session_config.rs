//! Settings of a session.

use crate::drums::candidate::Sensitivity;
use hitscribe_models::generate::allowed::AllowedNotes;

/// Frames of the model in one step unless asked otherwise: 2.048 s.
pub const HOP_FRAMES: usize = 256;

/// The shortest step: 0.256 s. Shorter ones only cost more.
pub const MIN_HOP_FRAMES: usize = 32;

/// Length at which pitched notes are cut unless asked otherwise.
pub const LONGEST_NOTE_SECONDS: f64 = 10.0;

/// What there is to hear in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Whether to listen for drums.
    pub drums: bool,
    /// The General MIDI program that pitched notes are written with; none to not listen for them.
    pub pitched_program: Option<u8>,
}

impl Parts {
    /// Drums alone.
    pub const DRUMS: Self = Self {
        drums: true,
        pitched_program: None,
    };
    /// Everything. The model does not tell instruments apart: pitched notes are written as a piano's.
    pub const ALL: Self = Self {
        drums: true,
        pitched_program: Some(0),
    };
}

impl From<&AllowedNotes> for Parts {
    fn from(source: &AllowedNotes) -> Self {
        Self {
            drums: source.allows_drums(),
            pitched_program: source.usual_program(),
        }
    }
}

impl From<Parts> for AllowedNotes {
    fn from(parts: Parts) -> Self {
        match (parts.drums, parts.pitched_program) {
            (true, None) => Self::drums(),
            (true, Some(_)) => Self::everything(),
            (false, Some(_)) => Self::programs(0..128),
            (false, None) => Self::programs([]),
        }
    }
}

/// How a source is listened to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionConfig {
    /// Rate of the samples that will be pushed, 4 to 768 kHz.
    pub sample_rate_hz: u32,
    /// Frames of the drum model (8 ms) in one step, at least [`MIN_HOP_FRAMES`]: fewer answer sooner.
    pub hop_frames: usize,
    /// How much is a hit.
    pub sensitivity: Sensitivity,
    /// Where the first sample lies on the source's timeline, in samples. The model's frames lie on a
    /// grid that begins at 0 there, so that the same audio gives the same notes wherever a passage
    /// begins.
    pub timeline_samples: i64,
    /// What to listen for.
    pub parts: Parts,
    /// Pitched notes that last longer are cut. A note comes out when it ends, so this is part of the
    /// latency of sessions that hear pitched notes.
    pub longest_note_seconds: f64,
}

impl SessionConfig {
    /// The defaults at a sample rate: drums.
    pub fn new(sample_rate_hz: u32) -> Self {
        Self {
            sample_rate_hz,
            hop_frames: HOP_FRAMES,
            sensitivity: Sensitivity::default(),
            timeline_samples: 0,
            parts: Parts::DRUMS,
            longest_note_seconds: LONGEST_NOTE_SECONDS,
        }
    }
}
