//! Tempo and harmony of a riff, which all its parts share.

use rand::Rng;
use rand::seq::IndexedRandom;

use crate::SAMPLE_RATE;
use crate::accompaniment::excerpt::{EXCERPT_SECONDS, PoolNote};
use crate::dsp::uniform;

pub(super) const RATE: f32 = SAMPLE_RATE as f32;

/// Steps of natural minor and the major chords' roots that songs go through.
pub(super) const SCALE: [u8; 7] = [0, 2, 3, 5, 7, 8, 10];

/// What all parts share.
pub(super) struct Song {
    /// Seconds of a sixteenth.
    pub(super) step: f32,
    /// Root of every bar, MIDI keys around the lowest string of a guitar.
    pub(super) roots: Vec<u8>,
}

impl Song {
    pub(super) fn invent(rng: &mut impl Rng) -> Self {
        let step = 15.0 / uniform(rng, 78.0, 190.0);
        let key = rng.random_range(26..38u8);
        let cycle = *[1usize, 2, 4, 4].choose(rng).unwrap_or(&4);
        let degrees: Vec<u8> = (0..cycle)
            .map(|_| *SCALE.choose(rng).unwrap_or(&0))
            .collect();
        let bars = (EXCERPT_SECONDS as f32 / (16.0 * step)) as usize + 1;
        Self {
            step,
            roots: (0..bars).map(|bar| key + degrees[bar % cycle]).collect(),
        }
    }

    pub(super) fn steps(&self) -> usize {
        (EXCERPT_SECONDS as f32 / self.step) as usize
    }

    pub(super) fn root(&self, step: usize) -> u8 {
        self.roots[(step / 16).min(self.roots.len() - 1)]
    }
}

/// A note whose times and velocity are brought into range.
pub(super) fn note(onset: f32, length: f32, key: u8, velocity: f32, program: u8) -> PoolNote {
    PoolNote {
        onset: onset.max(0.0),
        offset: onset.max(0.0) + length.max(0.02),
        key,
        velocity: velocity.clamp(20.0, 127.0) as u8,
        program,
    }
}
