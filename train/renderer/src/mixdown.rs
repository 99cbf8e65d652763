//! A take as it is mixed: pieces bled, compressed, put in a room and through a drum bus.

use std::collections::BTreeMap;

use crate::class::DrumClass;
use hitscribe_dsp::RealFftPlanner;
use rand::Rng;

use crate::SAMPLE_RATE;
use crate::dsp::{
    Biquad, Room, amplitude, chance, clip, compress, log_uniform, mix, peak, random_eq, saturate,
    scale, uniform,
};
use crate::groove::Stroke;
use crate::perform::{Drums, Hit, Take, audible};

const RATE: f32 = SAMPLE_RATE as f32;

/// Which microphones a take is recorded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Microphones {
    /// One for each piece, and what engineers add to them.
    Many,
    /// Two above the kit: much cymbal, little kick, some room.
    Overheads,
    /// One close to a single drum, into which the others bleed.
    Close,
}

/// Records and mixes a take with these microphones.
pub fn record(
    rng: &mut impl Rng,
    planner: &mut RealFftPlanner,
    take: Take,
    microphones: Microphones,
) -> Drums {
    match microphones {
        Microphones::Many => mixdown(rng, planner, take),
        Microphones::Overheads => overheads(rng, planner, take),
        Microphones::Close => close(rng, planner, take),
    }
}

fn close(rng: &mut impl Rng, planner: &mut RealFftPlanner, mut take: Take) -> Drums {
    let total = take.total_samples;
    let microphone = spilled_microphone(rng, planner, &take.tracks, total);
    // What bleeds is judged by what of it arrives.
    let mut arriving = vec![0.0f32; total];
    for (class, track) in &mut take.tracks {
        if !microphone.own.contains(class) {
            scale(track, microphone.spill);
        }
        mix(&mut arriving, track, 1.0);
    }
    let hits = audible(&arriving, &take.tracks, &take.played);
    finished(microphone.audio, hits)
}

/// What one microphone close to a drum picks up.
struct Spilled {
    audio: Vec<f32>,
    own: &'static [DrumClass],
    /// Gain of everything else.
    spill: f32,
}

fn overheads(rng: &mut impl Rng, planner: &mut RealFftPlanner, mut take: Take) -> Drums {
    let total = take.total_samples;
    let (metal_db, kick_db) = (uniform(rng, 0.0, 9.0), uniform(rng, -8.0, 1.0));
    let mut dry = vec![0.0f32; total];
    for (class, track) in &mut take.tracks {
        let gain_db = match class {
            DrumClass::Kick => kick_db,
            c if c.is_metal() => metal_db,
            _ => 0.0,
        };
        scale(track, amplitude(gain_db));
        if chance(rng, 0.5) {
            random_eq(rng, track, 4.0);
        }
        mix(&mut dry, track, 1.0);
    }
    let hits = audible(&dry, &take.tracks, &take.played);
    let (t60, delay_ms) = (log_uniform(rng, 0.15, 1.2), uniform(rng, 1.0, 15.0));
    let wet = amplitude(uniform(rng, -14.0, 1.0));
    let mut audio = dry.clone();
    Room::random(rng, t60, delay_ms).add(planner, &dry, wet, &mut audio);
    Biquad::high_pass(log_uniform(rng, 40.0, 350.0), 0.7).run(&mut audio);
    if chance(rng, 0.5) {
        bus(rng, &mut audio);
    }
    finished(audio, hits)
}

fn finished(mut audio: Vec<f32>, hits: Vec<Hit>) -> Drums {
    let top = peak(&audio);
    if top > 1e-6 {
        scale(&mut audio, 1.0 / top);
    }
    Drums { audio, hits }
}

/// Mixes a take as records are: processed tracks, spill, overheads, room, plate, drum bus.
fn mixdown(rng: &mut impl Rng, planner: &mut RealFftPlanner, take: Take) -> Drums {
    let Take {
        mut tracks,
        played,
        total_samples: total,
    } = take;
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
            mix(
                &mut audio,
                &spilled.audio,
                amplitude(uniform(rng, -16.0, -1.0)),
            );
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

/// A close microphone that hears its own drum and, coloured and squashed, everything around it.
fn spilled_microphone(
    rng: &mut impl Rng,
    planner: &mut RealFftPlanner,
    tracks: &BTreeMap<DrumClass, Vec<f32>>,
    total: usize,
) -> Spilled {
    let own: &'static [DrumClass] = match rng.random_range(0..5) {
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
    Spilled {
        audio: microphone,
        own,
        spill: wet,
    }
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
