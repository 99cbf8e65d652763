//! Strokes to tracks: every stroke of a performance struck on a kit, choked where a kit chokes.

use std::collections::BTreeMap;
use std::f32::consts::TAU;

use crate::class::DrumClass;
use rand::Rng;

use crate::SAMPLE_RATE;
use crate::bank::{ONSET_SAMPLE, OneShot};
use crate::dsp::{amplitude, catmull_rom, mix, normal, uniform};
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
    /// Of its first 40 ms among everything that sounds then.
    pub audibility: Audibility,
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
    // A stroke after the end leaves no sound.
    let first = (start.ceil().max(0.0) as usize).min(track.len());
    let fade_rate = (-4.0 / fade_samples.max(16.0)).exp();
    let mut fade = 1.0f32;
    let position = (first as f64 - start) * f64::from(speed);
    let left = (samples.len() as f64 - 2.0 - position) / f64::from(speed);
    let count = (left.max(0.0).ceil() as usize).min(track.len() - first);
    let until = (ring_until - first as f64).clamp(0.0, count as f64) as usize;
    let mut at = position as usize;
    let mut share = (position - at as f64) as f32;
    let level = gain / 32_768.0;
    for (offset, out) in track[first..first + count].iter_mut().enumerate() {
        // A sound begins with silence: what would lie before it is left out.
        let Some(around) = samples.get(at.max(1) - 1..at.max(1) + 3) else {
            break;
        };
        let around = std::array::from_fn(|i| f32::from(around[i]));
        *out += level * fade * catmull_rom(around, share);
        if offset > until {
            fade *= fade_rate;
            if fade < 1e-3 {
                break;
            }
        }
        share += speed;
        let whole = share as usize;
        (at, share) = (at + whole, share - whole as f32);
    }
}

/// Bands in which hits are looked for: the bottom, everything, the first difference and the second,
/// which weigh the top of the spectrum.
const BANDS: usize = 4;
/// Edge of the bottom band: kicks and the skins of toms.
const BOTTOM_HZ: f32 = 150.0;

/// How well a hit is heard: its share of the energy in each band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Audibility([f32; BANDS]);

impl Audibility {
    /// Of what starts at sample `at` of `own`, with `others` sounding beside it.
    pub fn beside(own: &[f32], others: &[f32], at: usize) -> Self {
        let range = at.min(own.len())..(at + AUDIBLE_SAMPLES).min(own.len());
        let (own, others) = (energies(&own[range.clone()]), energies(&others[range]));
        Self(std::array::from_fn(|b| own[b] / (own[b] + others[b])))
    }

    /// Of a part of something that is itself heard so well.
    pub fn within(self, whole: Self) -> Self {
        Self(std::array::from_fn(|b| self.0[b] * whole.0[b]))
    }

    /// Of what sounds alone, or of what nothing else is known.
    pub const fn full() -> Self {
        Self([1.0; BANDS])
    }

    /// Of something of which nothing is left at the top of the spectrum.
    pub fn dulled(self) -> Self {
        Self(std::array::from_fn(|b| if b < 2 { self.0[b] } else { 0.0 }))
    }

    /// In dB in the best of the bands, about 0 at best.
    pub fn db(self) -> f32 {
        10.0 * self.0.into_iter().fold(0.0, f32::max).log10()
    }
}

fn energies(audio: &[f32]) -> [f32; BANDS] {
    let pole = (-TAU * BOTTOM_HZ / RATE).exp();
    let (mut sums, mut smooth, mut smoother) = ([1e-12; BANDS], 0.0, 0.0);
    let (mut last, mut last_difference) = (audio.first().copied().unwrap_or(0.0), 0.0);
    for &x in audio {
        smooth = pole * smooth + (1.0 - pole) * x;
        smoother = pole * smoother + (1.0 - pole) * smooth;
        let difference = x - last;
        let bands = [smoother, x, difference, difference - last_difference];
        (last, last_difference) = (x, difference);
        for (sum, y) in sums.iter_mut().zip(bands) {
            *sum += y * y;
        }
    }
    sums
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
            let own = energies(&tracks[&stroke.class][range.clone()]);
            let all = energies(&all[range]);
            Hit {
                stroke: *stroke,
                audibility: Audibility(std::array::from_fn(|b| own[b] / all[b])),
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
    fn a_stroke_after_the_end_leaves_no_sound() {
        let mut track = vec![0.0; 1_000];
        let samples = vec![10_000i16; 2_000];
        for late in [0.0, 1.0, 500.0] {
            let onset = (1_000 + ONSET_SAMPLE) as f64 + late;
            lay(&mut track, &samples, onset, 1.0, 1.0, f64::INFINITY, 100.0);
        }
        assert!(track.iter().all(|&sample| sample == 0.0));
    }

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
    fn a_soft_kick_under_a_loud_snare_is_heard_at_the_bottom() {
        let sine = |hz: f32, level: f32| -> Vec<f32> {
            (0..RATE as usize / 10)
                .map(|i| level * (TAU * hz * i as f32 / RATE).sin())
                .collect()
        };
        let (kick, snare, hat) = (sine(60.0, 0.1), sine(1_000.0, 1.0), sine(12_000.0, 0.1));
        assert!(Audibility::beside(&kick, &snare, 0).db() > -8.0);
        assert!(Audibility::beside(&hat, &snare, 0).db() > -8.0);
        assert!(Audibility::beside(&sine(900.0, 0.1), &snare, 0).db() < -15.0);
        let drowned = Audibility::beside(&kick, &sine(55.0, 1.0), 0);
        assert!(drowned.within(Audibility::beside(&kick, &snare, 0)).db() < -15.0);
    }

    #[test]
    fn a_choked_hit_dies() {
        let samples = vec![20_000i16; 32_000];
        let mut track = vec![0.0; 32_000];
        lay(&mut track, &samples, 200.0, 1.0, 1.0, 5_000.0, 320.0);
        assert!(track[4_900] > 0.5 && track[7_000].abs() < 1e-3);
    }
}
