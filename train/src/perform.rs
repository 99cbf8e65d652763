//! Strokes to tracks: every stroke of a performance struck on a kit, choked where a kit chokes.

use std::collections::BTreeMap;

use hitscribe_engine::DrumClass;
use rand::Rng;

use crate::SAMPLE_RATE;
use crate::bank::{ONSET_SAMPLE, OneShot};
use crate::dsp::{amplitude, interpolated, mix, normal, uniform};
use crate::groove::Stroke;
use crate::kit::Kit;

const RATE: f32 = SAMPLE_RATE as f32;

/// What is looked at to tell whether a hit can be heard: its first 40 ms.
const AUDIBLE_SAMPLES: usize = SAMPLE_RATE as usize / 25;

/// A stroke in the mix, with how well it can be heard.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// What and when.
    pub stroke: Stroke,
    /// Energy of its first 40 ms against everything else then, in dB, in the better of two bands.
    pub audibility_db: f32,
}

/// The drums of a segment before the master bus.
pub struct Drums {
    /// `lead` + the segment, in samples.
    pub audio: Vec<f32>,
    /// Strokes inside it, in order of time.
    pub hits: Vec<Hit>,
}

/// What the pieces of a kit played, one track each, not yet mixed.
pub struct Take {
    /// Audio of each piece.
    pub tracks: BTreeMap<DrumClass, Vec<f32>>,
    /// Strokes inside the segment: what, its sample in the tracks, its level in dB.
    pub played: Vec<(Stroke, usize, f32)>,
    /// Length of a track.
    pub total_samples: usize,
}

impl Take {
    /// The sum of the tracks as they are.
    pub fn dry(self) -> Drums {
        let mut audio = vec![0.0f32; self.total_samples];
        for track in self.tracks.values() {
            mix(&mut audio, track, 1.0);
        }
        let hits = audible(&audio, &self.tracks, &self.played);
        Drums { audio, hits }
    }
}

fn damps(class: DrumClass, struck: DrumClass) -> bool {
    use DrumClass::{ClosedHat, OpenHat, PedalHat};
    class == OpenHat && matches!(struck, ClosedHat | PedalHat | OpenHat)
}

/// Plays `strokes` (seconds relative to the segment's start, from `-lead_samples`) on a kit.
pub fn perform(
    rng: &mut impl Rng,
    mut kit: Kit,
    strokes: &[Stroke],
    lead_samples: usize,
    length_samples: usize,
) -> Take {
    let total_samples = lead_samples + length_samples;
    let mut tracks: BTreeMap<DrumClass, Vec<f32>> = BTreeMap::new();
    let mut played: Vec<(Stroke, usize, f32)> = Vec::new();
    let wobble = uniform(rng, 0.0, 0.012);
    for (index, stroke) in strokes.iter().enumerate() {
        let Some(piece) = kit.piece(rng, stroke.class) else {
            continue;
        };
        let hit = piece.instrument.hit(rng, stroke.velocity);
        let level_db = piece.level_db(stroke.velocity) + normal(rng, 0.6);
        let speed = piece.speed * (1.0 + normal(rng, wobble));
        let onset = lead_samples as f64 + stroke.seconds * f64::from(SAMPLE_RATE);
        // What silences it: its own damping, or the hat that is closed after it.
        let choked_at = strokes[index + 1..]
            .iter()
            .find(|next| damps(stroke.class, next.class) && next.seconds > stroke.seconds + 0.02)
            .map_or(f64::INFINITY, |next| {
                lead_samples as f64 + next.seconds * f64::from(SAMPLE_RATE)
            });
        let damping = f64::from(piece.damping_seconds * RATE);
        let ring_until = choked_at.min(onset + damping);
        let fade_samples = if choked_at < onset + damping {
            uniform(rng, 0.006, 0.03) * RATE
        } else {
            piece.damping_seconds * RATE * 0.5
        };
        let track = tracks
            .entry(stroke.class)
            .or_insert_with(|| vec![0.0; total_samples]);
        let mut sound = |hit: &OneShot, speed, level_db| {
            let gain = amplitude(level_db);
            lay(
                track,
                &hit.samples,
                onset,
                speed,
                gain,
                ring_until,
                fade_samples,
            );
        };
        sound(hit, speed, level_db);
        if let Some(layer) = &piece.layer {
            let hit = layer.instrument.hit(rng, stroke.velocity);
            sound(hit, speed * layer.speed, level_db + layer.gain_db);
        }
        if stroke.seconds >= 0.0 && stroke.seconds * f64::from(SAMPLE_RATE) < length_samples as f64
        {
            played.push((*stroke, onset as usize, level_db));
        }
    }
    Take {
        tracks,
        played,
        total_samples,
    }
}

/// Adds a one-shot at a fractional position and speed, with an exponential end.
fn lay(
    track: &mut [f32],
    samples: &[i16],
    onset: f64,
    speed: f32,
    gain: f32,
    ring_until: f64,
    fade_samples: f32,
) {
    let start = onset - ONSET_SAMPLE as f64 / f64::from(speed);
    let first = start.ceil().max(0.0) as usize;
    let fade_rate = (-4.0 / fade_samples.max(16.0)).exp();
    let mut fade = 1.0f32;
    let mut position = (first as f64 - start) * f64::from(speed);
    for (offset, out) in track.iter_mut().skip(first).enumerate() {
        if position + 2.0 >= samples.len() as f64 || fade < 1e-3 {
            break;
        }
        *out += gain * fade * interpolated(samples, position);
        if (first + offset) as f64 > ring_until {
            fade *= fade_rate;
        }
        position += f64::from(speed);
    }
}

/// Energy as it is, and of the first difference, which weighs the top of the spectrum.
fn energies(audio: &[f32]) -> (f32, f32) {
    let flat: f32 = audio.iter().map(|x| x * x).sum();
    let bright: f32 = audio.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum();
    (flat + 1e-12, bright + 1e-12)
}

/// How well what starts at sample `at` of `own` is heard beside `others`, in dB, 0 at best.
pub fn audibility_db(own: &[f32], others: &[f32], at: usize) -> f32 {
    let range = at.min(own.len())..(at + AUDIBLE_SAMPLES).min(own.len());
    let (own, own_bright) = energies(&own[range.clone()]);
    let (sum, sum_bright) = energies(&others[range]);
    let share = (own / (own + sum)).max(own_bright / (own_bright + sum_bright));
    10.0 * share.log10()
}

/// The hits in order of time, each with how far it stands out of `all`.
pub fn audible(
    all: &[f32],
    tracks: &BTreeMap<DrumClass, Vec<f32>>,
    played: &[(Stroke, usize, f32)],
) -> Vec<Hit> {
    let mut hits: Vec<Hit> = played
        .iter()
        .map(|(stroke, onset, _)| {
            let range = *onset..(onset + AUDIBLE_SAMPLES).min(all.len());
            let (own, own_bright) = energies(&tracks[&stroke.class][range.clone()]);
            let (sum, sum_bright) = energies(&all[range]);
            let ratio = (own / sum).max(own_bright / sum_bright);
            Hit {
                stroke: *stroke,
                audibility_db: 10.0 * ratio.log10(),
            }
        })
        .collect();
    hits.sort_by(|a, b| a.stroke.seconds.total_cmp(&b.stroke.seconds));
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_lies_at_its_fraction_of_a_sample_at_any_speed() {
        // A ramp that starts at the onset: its height tells the time.
        let samples: Vec<i16> = (0..2_000)
            .map(|i| (i as i16 - ONSET_SAMPLE as i16).max(0) * 10)
            .collect();
        for (onset, speed) in [(1_000.0, 1.0), (1_000.25, 1.0), (1_000.5, 1.2), (40.0, 0.9)] {
            let mut track = vec![0.0; 4_000];
            lay(
                &mut track,
                &samples,
                onset,
                speed,
                1.0,
                f64::INFINITY,
                100.0,
            );
            let at = onset as usize + 200;
            let expected = (at as f64 - onset) * f64::from(speed) * 10.0 / 32_768.0;
            assert!(
                (f64::from(track[at]) - expected).abs() < 1e-4,
                "{onset} {speed}: {} {expected}",
                track[at]
            );
        }
    }

    #[test]
    fn a_choked_hit_dies() {
        let samples = vec![20_000i16; 32_000];
        let mut track = vec![0.0; 32_000];
        lay(&mut track, &samples, 200.0, 1.0, 1.0, 5_000.0, 320.0);
        assert!(track[4_900] > 0.5 && track[7_000].abs() < 1e-3);
    }
}
