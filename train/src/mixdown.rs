//! Strokes to audio: pieces struck, choked, bled, compressed, put in a room and through a drum bus.

use std::collections::BTreeMap;

use hitscribe_engine::DrumClass;
use rand::Rng;
use realfft::RealFftPlanner;

use crate::SAMPLE_RATE;
use crate::bank::{Bank, ONSET_SAMPLE};
use crate::dsp::{
    Biquad, Room, amplitude, chance, clip, compress, log_uniform, mix, normal, peak, random_eq,
    saturate, scale, uniform,
};
use crate::groove::Stroke;
use crate::kit::Kit;

const RATE: f32 = SAMPLE_RATE as f32;

/// What is looked at to tell whether a hit can be heard: its first 40 ms.
pub const AUDIBLE_SAMPLES: usize = SAMPLE_RATE as usize / 25;

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

fn damps(class: DrumClass, struck: DrumClass) -> bool {
    use DrumClass::{ClosedHat, OpenHat, PedalHat};
    class == OpenHat && matches!(struck, ClosedHat | PedalHat | OpenHat)
}

/// Plays `strokes` (seconds relative to the segment's start, from `-lead_samples`) on a random kit.
pub fn play(
    rng: &mut impl Rng,
    planner: &mut RealFftPlanner<f32>,
    bank: &Bank,
    full_kits: &[String],
    strokes: &[Stroke],
    lead_samples: usize,
    length_samples: usize,
) -> Drums {
    let total = lead_samples + length_samples;
    let mut kit = Kit::random(rng, bank, full_kits);
    let mut tracks: BTreeMap<DrumClass, Vec<f32>> = BTreeMap::new();
    let mut played: Vec<(Stroke, usize, f32)> = Vec::new();
    let wobble = uniform(rng, 0.0, 0.012);
    for (index, stroke) in strokes.iter().enumerate() {
        let Some(piece) = kit.piece(rng, stroke.class) else {
            continue;
        };
        let hit = piece.hit(rng, stroke.velocity);
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
            .or_insert_with(|| vec![0.0; total]);
        lay(
            track,
            &hit.samples,
            onset,
            speed,
            amplitude(level_db),
            ring_until,
            fade_samples,
        );
        if stroke.seconds >= 0.0 && stroke.seconds * f64::from(SAMPLE_RATE) < length_samples as f64
        {
            played.push((*stroke, onset as usize, level_db));
        }
    }

    let polish = uniform(rng, 0.0, 1.0);
    let (room_t60, room_delay_ms) = (log_uniform(rng, 0.12, 1.3), uniform(rng, 0.0, 18.0));
    let room = Room::random(rng, room_t60, room_delay_ms);
    let room_wet = if chance(rng, 0.7) {
        amplitude(uniform(rng, -26.0, -3.0))
    } else {
        0.0
    };
    let (plate_t60, plate_delay_ms) = (log_uniform(rng, 0.4, 2.0), uniform(rng, 0.0, 40.0));
    let plate = Room::random(rng, plate_t60, plate_delay_ms);
    let plate_wet = if chance(rng, 0.25) {
        amplitude(uniform(rng, -22.0, -8.0))
    } else {
        0.0
    };
    let mut dry = vec![0.0f32; total];
    let mut send = vec![0.0f32; total];
    let mut plate_send = vec![0.0f32; total];
    for (class, track) in &mut tracks {
        shape_track(rng, *class, track, polish);
        mix(&mut dry, track, 1.0);
        let room_gain = match class {
            DrumClass::Kick => uniform(rng, 0.1, 0.8),
            _ => uniform(rng, 0.5, 1.2),
        };
        mix(&mut send, track, room_gain);
        if *class == DrumClass::Snare || class.is_tom() || *class == DrumClass::Clap {
            mix(&mut plate_send, track, 1.0);
        }
    }
    let hits = audible(&dry, &tracks, &played);
    if chance(rng, 0.35) {
        rattle(rng, &played, &mut dry, &mut send);
    }

    let mut audio = dry;
    for _ in 0..rng.random_range(0..=2) {
        if chance(rng, 0.45) {
            let spilled = spilled_microphone(rng, planner, &tracks, total);
            mix(&mut audio, &spilled, amplitude(uniform(rng, -16.0, -1.0)));
        }
    }
    // Overheads: a later, brighter copy of everything.
    if chance(rng, 0.4) {
        let delay = (uniform(rng, 0.001, 0.007) * RATE) as usize;
        let mut copy = vec![0.0; total];
        copy[delay..].copy_from_slice(&send[..total - delay]);
        Biquad::high_pass(log_uniform(rng, 100.0, 700.0), 0.7).run(&mut copy);
        mix(&mut audio, &copy, amplitude(uniform(rng, -14.0, -2.0)));
    }
    if room_wet > 0.0 {
        if chance(rng, 0.3) {
            compress(
                &mut send,
                uniform(rng, 15.0, 30.0),
                uniform(rng, 4.0, 20.0),
                1.0,
                uniform(rng, 60.0, 250.0),
            );
        }
        room.add(planner, &send, room_wet, &mut audio);
    }
    if plate_wet > 0.0 {
        plate.add(planner, &plate_send, plate_wet, &mut audio);
    }
    bus(rng, &mut audio);
    Drums { audio, hits }
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
    let gain = gain / 32_768.0;
    let start = onset - ONSET_SAMPLE as f64 / f64::from(speed);
    let first = start.ceil().max(0.0) as usize;
    let fade_rate = (-4.0 / fade_samples.max(16.0)).exp();
    let mut fade = 1.0f32;
    let mut position = (first as f64 - start) * f64::from(speed);
    for (offset, out) in track.iter_mut().skip(first).enumerate() {
        let index = position as usize;
        if index + 2 >= samples.len() || fade < 1e-3 {
            break;
        }
        let t = (position - index as f64) as f32;
        let at = |i: usize| f32::from(samples[i]);
        // Catmull-Rom: bright enough at these small speed changes.
        let (a, b, c, d) = (
            at(index.saturating_sub(1)),
            at(index),
            at(index + 1),
            at(index + 2),
        );
        let value = b + 0.5
            * t
            * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)));
        *out += gain * fade * value;
        if (first + offset) as f64 > ring_until {
            fade *= fade_rate;
        }
        position += f64::from(speed);
    }
}

/// A close microphone that hears its own drum and, coloured and squashed, everything around it.
fn spilled_microphone(
    rng: &mut impl Rng,
    planner: &mut RealFftPlanner<f32>,
    tracks: &BTreeMap<DrumClass, Vec<f32>>,
    total: usize,
) -> Vec<f32> {
    let own: &[DrumClass] = match rng.random_range(0..5) {
        0 => &[DrumClass::Kick],
        1 => &[
            DrumClass::HighTom,
            DrumClass::MidTom,
            DrumClass::LowTom,
            DrumClass::FloorTom,
        ],
        2 => &[
            DrumClass::ClosedHat,
            DrumClass::OpenHat,
            DrumClass::PedalHat,
        ],
        _ => &[DrumClass::Snare],
    };
    let mut around = vec![0.0f32; total];
    let mut microphone = vec![0.0f32; total];
    for (class, track) in tracks {
        let bus = if own.contains(class) {
            &mut microphone
        } else {
            &mut around
        };
        mix(bus, track, 1.0);
    }
    let (t60, delay_ms) = (log_uniform(rng, 0.03, 0.25), uniform(rng, 0.3, 4.0));
    let wet = amplitude(uniform(rng, -18.0, -3.0));
    Room::random(rng, t60, delay_ms).add(planner, &around, wet, &mut microphone);
    random_eq(rng, &mut microphone, 10.0);
    if chance(rng, 0.6) {
        let (depth_db, ratio) = (uniform(rng, 10.0, 30.0), log_uniform(rng, 3.0, 12.0));
        let (attack_ms, release_ms) = (log_uniform(rng, 0.5, 20.0), log_uniform(rng, 40.0, 250.0));
        let before = peak(&microphone);
        compress(&mut microphone, depth_db, ratio, attack_ms, release_ms);
        let after = peak(&microphone).max(1e-6);
        scale(&mut microphone, before / after);
    }
    microphone
}

/// Snare wires answer every kick and tom: a soft buzz that is no stroke.
fn rattle(rng: &mut impl Rng, played: &[(Stroke, usize, f32)], dry: &mut [f32], send: &mut [f32]) {
    let gain_db = uniform(rng, -46.0, -24.0);
    let (hz, q) = (log_uniform(rng, 1_500.0, 6_000.0), uniform(rng, 0.4, 1.0));
    let (rise, t60) = (uniform(rng, 0.003, 0.015), uniform(rng, 0.08, 0.35));
    let mut buzz: Vec<f32> = (0..(t60 * RATE) as usize)
        .map(|_| rng.random::<f32>() * 2.0 - 1.0)
        .collect();
    Biquad::band_pass(hz, q).run(&mut buzz);
    for (i, x) in buzz.iter_mut().enumerate() {
        let t = i as f32 / RATE;
        *x *= (t / rise).min(1.0) * (-6.907 * t / t60).exp();
    }
    for (stroke, onset, level_db) in played {
        if stroke.class != DrumClass::Kick && !stroke.class.is_tom() {
            continue;
        }
        let gain = amplitude(gain_db + level_db);
        for bus in [&mut *dry, &mut *send] {
            mix(&mut bus[*onset..], &buzz, gain);
        }
    }
}

/// What a mixing engineer does to one microphone.
fn shape_track(rng: &mut impl Rng, class: DrumClass, track: &mut [f32], polish: f32) {
    if chance(rng, 0.6) {
        random_eq(rng, track, 2.0 + 7.0 * polish);
    }
    if chance(rng, 0.35 * polish) {
        compress(
            track,
            uniform(rng, 6.0, 20.0),
            uniform(rng, 2.0, 8.0),
            uniform(rng, 2.0, 30.0),
            uniform(rng, 40.0, 200.0),
        );
    }
    if chance(rng, 0.12) {
        let drive = log_uniform(rng, 1.0, 8.0);
        saturate(track, drive);
    }
    if class == DrumClass::Kick && chance(rng, 0.15) {
        Biquad::low_pass(log_uniform(rng, 150.0, 2_000.0), 0.7).run(track);
    }
}

/// The drum bus: tone, glue, dirt, ceiling. The peak is 1 afterwards unless all is silent.
fn bus(rng: &mut impl Rng, audio: &mut [f32]) {
    if chance(rng, 0.5) {
        let range_db = uniform(rng, 2.0, 8.0);
        random_eq(rng, audio, range_db);
    }
    if chance(rng, 0.45) {
        compress(
            audio,
            uniform(rng, 6.0, 24.0),
            log_uniform(rng, 1.5, 10.0),
            log_uniform(rng, 0.5, 40.0),
            log_uniform(rng, 30.0, 400.0),
        );
    }
    if chance(rng, 0.35) {
        let drive = log_uniform(rng, 0.7, 8.0);
        saturate(audio, drive);
    }
    if chance(rng, 0.25) {
        clip(audio, uniform(rng, 1.0, 9.0));
    }
    let top = peak(audio);
    if top > 1e-6 {
        scale(audio, 1.0 / top);
    }
}

/// Energy as it is, and of the first difference, which weighs the top of the spectrum.
pub fn energies(audio: &[f32]) -> (f32, f32) {
    let flat: f32 = audio.iter().map(|x| x * x).sum();
    let bright: f32 = audio.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum();
    (flat + 1e-12, bright + 1e-12)
}

fn audible(
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
