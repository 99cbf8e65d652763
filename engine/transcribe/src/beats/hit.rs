//! Hits: what is left of notes when beats are sought.

use super::patterns::DRUM_GROUPS;

/// Pitched notes up to this key count as low.
const LOW_PITCH: u8 = 52;
/// Snare hits softer than this share of the loud ones are ghost notes.
const GHOST: f64 = 0.55;
/// Hits of a group that are closer than this are one, in seconds.
const SAME_SECONDS: f64 = 0.015;

/// An onset of one group of notes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    pub seconds: f64,
    /// Index of a row in the tables of [`super::patterns`].
    pub group: usize,
}

impl Hit {
    /// How much this says about the pulse, for the first guesses.
    pub fn weight(self) -> f64 {
        [1.0, 1.0, 0.4, 0.6, 0.7, 0.7, 0.8, 0.6, 0.6, 0.6, 0.8, 0.6][self.group]
    }
}

/// A note as far as rhythm is concerned.
#[derive(Clone, Copy, Debug)]
pub struct Onset {
    pub seconds: f64,
    pub pitch: u8,
    pub velocity: u8,
    pub is_drum: bool,
}

/// The hits of notes, by time.
pub fn hits(onsets: &[Onset]) -> Vec<Hit> {
    let mut snares: Vec<u8> = onsets
        .iter()
        .filter(|o| o.is_drum && matches!(o.pitch, 38 | 40))
        .map(|o| o.velocity)
        .collect();
    snares.sort_unstable();
    let loud = snares.get(snares.len() * 4 / 5).copied().unwrap_or(0);
    let ghost = f64::from(loud) * GHOST;
    let mut hits: Vec<Hit> = onsets
        .iter()
        .filter(|o| o.seconds.is_finite() && o.seconds >= 0.0)
        .map(|o| Hit {
            seconds: o.seconds,
            group: group(o, ghost),
        })
        .collect();
    hits.sort_by(|a, b| a.seconds.total_cmp(&b.seconds).then(a.group.cmp(&b.group)));
    let mut last = [f64::NEG_INFINITY; 12];
    hits.retain(|hit| {
        let is_new = hit.seconds - last[hit.group] > SAME_SECONDS;
        if is_new {
            last[hit.group] = hit.seconds;
        }
        is_new
    });
    hits
}

fn group(onset: &Onset, ghost: f64) -> usize {
    if !onset.is_drum {
        return DRUM_GROUPS + usize::from(onset.pitch > LOW_PITCH);
    }
    match onset.pitch {
        35 | 36 => 0,
        38 | 40 if f64::from(onset.velocity) < ghost => 2,
        37..=40 => 1,
        42 => 3,
        44 => 4,
        46 => 6,
        51 | 53 | 56 | 59 => 5,
        49 | 52 | 55 | 57 => 7,
        41 | 43 | 45 | 47 | 48 | 50 => 8,
        _ => 9,
    }
}
