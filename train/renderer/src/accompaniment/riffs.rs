//! Accompaniment that no score of the bank has: walls of distorted guitars, slapped and sequenced
//! basses, pads, plucked synthesizers, risers. Its attacks are what detectors take for drums.

mod guitars;
mod song;
mod synthesizers;

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rustysynth::SoundFont;

use crate::accompaniment::excerpt::{EXCERPT_SAMPLES, PoolNote, Row};
use crate::dsp::{
    amplitude, chance, compress, log_uniform, mix, normal, peak, random_eq, rms, saturate, scale,
    uniform,
};

use guitars::{bass_guitar, guitars, lead};
use song::Song;
use synthesizers::{pad, plucks, riser, sequenced_bass, stabs};

/// One excerpt; `None` when the SoundFont cannot play it.
pub(crate) fn excerpt(rng: &mut ChaCha8Rng, font: &Arc<SoundFont>) -> Option<(Vec<f32>, Row)> {
    let song = Song::invent(rng);
    let mut row = Row::default();
    let mut audio = vec![0.0f32; EXCERPT_SAMPLES];
    let mut add =
        |rng: &mut ChaCha8Rng, row: &mut Row, (mut stem, notes): (Vec<f32>, Vec<PoolNote>), db| {
            if chance(rng, 0.5) {
                random_eq(rng, &mut stem, 5.0);
            }
            let level = rms(&stem);
            if level > 1e-6 {
                let gain_db: f32 = db + normal(rng, 3.0);
                mix(&mut audio, &stem, amplitude(gain_db) / level);
                row.notes.extend(notes);
            }
        };
    if chance(rng, 0.5) {
        let guitars = guitars(rng, &song, font)?;
        add(rng, &mut row, guitars, 0.0);
        if chance(rng, 0.75) {
            let bass = bass_guitar(rng, &song, font)?;
            add(rng, &mut row, bass, -3.0);
        }
        if chance(rng, 0.3) {
            let lead = lead(rng, &song, font)?;
            add(rng, &mut row, lead, -4.0);
        }
    } else {
        if chance(rng, 0.7) {
            let pad = pad(rng, &song);
            add(rng, &mut row, pad, -2.0);
        }
        if chance(rng, 0.7) {
            let plucks = plucks(rng, &song);
            add(rng, &mut row, plucks, -2.0);
        }
        if chance(rng, 0.8) || row.notes.is_empty() {
            let bass = sequenced_bass(rng, &song);
            add(rng, &mut row, bass, 1.0);
        }
        if chance(rng, 0.35) {
            let sweep = riser(rng, &song);
            add(rng, &mut row, (sweep, Vec::new()), -8.0);
        }
        if chance(rng, 0.35) {
            let piano = stabs(rng, &song, font)?;
            add(rng, &mut row, piano, -2.0);
        }
    }
    if chance(rng, 0.4) {
        // A dense master.
        let (depth, release) = (uniform(rng, 8.0, 20.0), uniform(rng, 50.0, 250.0));
        compress(&mut audio, depth, 6.0, 3.0, release);
        saturate(&mut audio, log_uniform(rng, 0.7, 4.0));
    }
    row.notes.sort_by(|a, b| a.onset.total_cmp(&b.onset));
    let top = peak(&audio).max(1e-6);
    scale(&mut audio, 1.0 / top);
    Some((audio, row))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn synthesized_parts_are_finite_and_sound() {
        for seed in 0..4 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let song = Song::invent(&mut rng);
            let parts = [
                pad(&mut rng, &song).0,
                plucks(&mut rng, &song).0,
                sequenced_bass(&mut rng, &song).0,
                riser(&mut rng, &song),
            ];
            for part in parts {
                assert!(part.iter().all(|x| x.is_finite()), "seed {seed}");
                assert!(rms(&part) > 1e-3, "seed {seed}");
            }
        }
    }
}
