//! Classes that one stroke can be mistaken for.

use hitscribe_core::DrumClass;

use DrumClass::*;

/// Classes that are not struck at the same instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RivalRule {
    /// The classes.
    pub classes: &'static [DrumClass],
    /// Peaks that are at most this many frames apart are one stroke.
    pub within_frames: usize,
    /// The weaker peak is dropped if it is at least this many logits weaker, each measured from its
    /// threshold. 0 if two at once are impossible.
    pub lead_logits: f32,
}

/// Groups of classes that one stroke can be mistaken for.
pub const RIVALS: &[RivalRule] = &[
    RivalRule {
        classes: &[ClosedHat, PedalHat, OpenHat],
        within_frames: 3,
        lead_logits: 0.0,
    },
    // Only its decay distinguishes an open hat from a cymbal.
    RivalRule {
        classes: &[OpenHat, Crash, Ride, RideBell, China, Splash],
        within_frames: 3,
        lead_logits: 0.0,
    },
    RivalRule {
        classes: &[HighTom, MidTom, LowTom, FloorTom],
        within_frames: 3,
        lead_logits: 0.7,
    },
    RivalRule {
        classes: &[Snare, SideStick, Clap],
        within_frames: 3,
        lead_logits: 0.7,
    },
];
