//! Configuration of a session.

use hitscribe_models::generate::allowed::AllowedNotes;

use hitscribe_picking::drums::candidate::Sensitivity;

/// Default frames of the drum model in one step: 64 ms.
pub const HOP_FRAMES: usize = 8;

/// Fewest frames in one step: 32 ms, a step of the drum network.
pub const MIN_HOP_FRAMES: usize = 4;

/// Frames in one step where nobody waits: 2.048 s.
pub(crate) const RECORDING_HOP_FRAMES: usize = 256;

/// Default length at which pitched notes are cut.
pub const LONGEST_NOTE_SECONDS: f64 = 10.0;

/// Length at which the built-in models' pitched notes are cut in live use, where a note is given
/// out when it ends.
pub const LIVE_NOTE_SECONDS: f64 = 0.4;

/// A set of General MIDI programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Programs(u128);

impl Programs {
    /// No program.
    pub const NONE: Self = Self(0);
    /// Every program.
    pub const ALL: Self = Self(u128::MAX);

    /// Whether a program is one of them.
    pub const fn contains(self, program: u8) -> bool {
        program < 128 && (self.0 >> program) & 1 == 1
    }
}

impl FromIterator<u8> for Programs {
    /// Programs above 127 are left out.
    fn from_iter<I: IntoIterator<Item = u8>>(programs: I) -> Self {
        let bit = |program: u8| 1_u128.checked_shl(u32::from(program)).unwrap_or(0);
        Self(programs.into_iter().map(bit).fold(0, |all, one| all | one))
    }
}

/// What is transcribed of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Whether to transcribe drums.
    pub drums: bool,
    /// General MIDI program of the pitched notes, 0..=127; none to leave them out.
    pub pitched_program: Option<u8>,
    /// The programs that notes may have instead. A model that names the family of instruments that
    /// plays a note gives it the program of that family, if those of two families are among them.
    pub programs: Programs,
}

impl Parts {
    /// Drums alone.
    pub const DRUMS: Self = Self {
        drums: true,
        pitched_program: None,
        programs: Programs::NONE,
    };
    /// Drums and pitched notes. These get the program of the family that a model names, else 0,
    /// piano.
    pub const ALL: Self = Self {
        drums: true,
        pitched_program: Some(0),
        programs: Programs::ALL,
    };
}

impl From<&AllowedNotes> for Parts {
    fn from(source: &AllowedNotes) -> Self {
        Self {
            drums: source.allows_drums(),
            pitched_program: source.usual_program(),
            programs: (0..128).filter(|&p| source.allows_program(p)).collect(),
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

/// How a source is transcribed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SessionConfig {
    /// Rate of the samples that will be pushed, 4 to 768 kHz.
    pub sample_rate_hz: u32,
    /// Frames of the drum model (8 ms each) in one step, at least [`MIN_HOP_FRAMES`], rounded up to
    /// a multiple of it. Fewer frames mean less latency and more computing.
    pub hop_frames: usize,
    /// How sensitive the models are.
    pub sensitivity: Sensitivity,
    /// Position of the first sample on the timeline of the source, in samples. Frames are aligned
    /// with a fixed grid there (for drums a step begins 6 ms before 0), so that the same audio gives
    /// the same notes wherever a passage begins.
    pub timeline_samples: i64,
    /// What is transcribed.
    pub parts: Parts,
    /// Longer pitched notes are cut. A note is given out when it ends, so this is part of the
    /// latency of sessions with pitched notes.
    pub longest_note_seconds: f64,
    /// Whether the mean of both built-in drum networks decides: for recordings, where nobody waits
    /// for the second one, which looks .8 s further ahead.
    pub averages_networks: bool,
    /// Whether the candidates of the built-in drum network are kept, for later changes of the
    /// sensitivity ([`crate::Session::take_candidates`]).
    pub keeps_candidates: bool,
}

impl SessionConfig {
    /// Drums, with the defaults.
    pub fn new(sample_rate_hz: u32) -> Self {
        Self {
            sample_rate_hz,
            hop_frames: HOP_FRAMES,
            sensitivity: Sensitivity::default(),
            timeline_samples: 0,
            parts: Parts::DRUMS,
            longest_note_seconds: LONGEST_NOTE_SECONDS,
            averages_networks: false,
            keeps_candidates: false,
        }
    }
}
