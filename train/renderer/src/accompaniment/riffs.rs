//! Accompaniment that no score of the bank has: walls of distorted guitars, slapped and sequenced
//! basses, pads, plucked synthesizers, risers. Its attacks are what detectors take for drums.

use std::f32::consts::TAU;
use std::sync::Arc;

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rustysynth::SoundFont;

use crate::SAMPLE_RATE;
use crate::accompaniment::band::{EXCERPT_SAMPLES, EXCERPT_SECONDS, PoolNote, Row, synthesize};
use crate::accompaniment::touch::touch;
use crate::dsp::{
    Biquad, amplitude, chance, compress, log_uniform, mix, normal, peak, random_eq, rms, run_all,
    saturate, scale, tanh, uniform,
};

const RATE: f32 = SAMPLE_RATE as f32;

/// Steps of natural minor and the major chords' roots that songs go through.
const SCALE: [u8; 7] = [0, 2, 3, 5, 7, 8, 10];

/// What all parts share.
struct Song {
    /// Seconds of a sixteenth.
    step: f32,
    /// Root of every bar, MIDI keys around the lowest string of a guitar.
    roots: Vec<u8>,
}

impl Song {
    fn invent(rng: &mut impl Rng) -> Self {
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

    fn steps(&self) -> usize {
        (EXCERPT_SECONDS as f32 / self.step) as usize
    }

    fn root(&self, step: usize) -> u8 {
        self.roots[(step / 16).min(self.roots.len() - 1)]
    }
}

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

fn note(onset: f32, length: f32, key: u8, velocity: f32, program: u8) -> PoolNote {
    PoolNote {
        onset: onset.max(0.0),
        offset: onset.max(0.0) + length.max(0.02),
        key,
        velocity: velocity.clamp(20.0, 127.0) as u8,
        program,
    }
}

/// Chugs and power chords, played twice as records have them, through a high-gain amplifier.
fn guitars(
    rng: &mut ChaCha8Rng,
    song: &Song,
    font: &Arc<SoundFont>,
) -> Option<(Vec<f32>, Vec<PoolNote>)> {
    let figure: Vec<(bool, bool)> = {
        let density = uniform(rng, 0.35, 0.95);
        let open = uniform(rng, 0.05, 0.6);
        (0..32)
            .map(|i| (i % 8 == 0 || chance(rng, density), chance(rng, open)))
            .collect()
    };
    let jumps: Vec<u8> = (0..32)
        .map(|_| {
            if chance(rng, 0.2) {
                *SCALE.choose(rng).unwrap_or(&0)
            } else {
                0
            }
        })
        .collect();
    let program = *[27u8, 27, 26, 28, 25].choose(rng).unwrap_or(&27);
    let mut notes = Vec::new();
    for index in 0..song.steps() {
        let (played, open) = figure[index % 32];
        if !played {
            continue;
        }
        let t = index as f32 * song.step;
        let root = song.root(index) + 12 + jumps[index % 32];
        if open {
            let until = (1..17).find(|n| figure[(index + n) % 32].0).unwrap_or(16);
            let length = until as f32 * song.step * uniform(rng, 0.8, 1.0);
            for interval in [0, 7, 12] {
                notes.push(note(
                    t,
                    length,
                    root + interval,
                    uniform(rng, 85.0, 120.0),
                    program,
                ));
            }
        } else {
            let length = uniform(rng, 0.04, 0.09).min(song.step);
            notes.push(note(t, length, root, uniform(rng, 70.0, 115.0), 28));
            if chance(rng, 0.5) {
                notes.push(note(t, length, root + 7, uniform(rng, 60.0, 105.0), 28));
            }
        }
    }
    let amplifier = Amplifier::random(rng);
    let mut sum = vec![0.0f32; EXCERPT_SAMPLES];
    for take in 0..rng.random_range(1..=2) {
        let spread = if take == 0 { 0.003 } else { 0.01 };
        let played: Vec<PoolNote> = notes
            .iter()
            .map(|n| {
                let late = normal(rng, spread);
                note(
                    n.onset + late,
                    n.offset - n.onset,
                    n.key,
                    f32::from(n.velocity),
                    n.program,
                )
            })
            .collect();
        let mut stem = synthesize(font, &played, false)?;
        touch(rng, &mut stem, &played);
        amplifier.drive(rng, &mut stem);
        mix(&mut sum, &stem, 1.0);
    }
    Some((sum, notes))
}

/// A valve amplifier and its loudspeaker.
struct Amplifier {
    tight_hz: f32,
    gain: f32,
    bias: f32,
    cabinet: [Biquad; 6],
    /// Below this everything is silent.
    gate: Option<f32>,
}

impl Amplifier {
    fn random(rng: &mut impl Rng) -> Self {
        let top = log_uniform(rng, 3_300.0, 6_500.0);
        Self {
            tight_hz: log_uniform(rng, 80.0, 700.0),
            gain: amplitude(uniform(rng, 12.0, 56.0)),
            bias: uniform(rng, 0.0, 0.4),
            cabinet: [
                Biquad::high_pass(uniform(rng, 65.0, 120.0), 1.0),
                Biquad::bell(uniform(rng, 90.0, 160.0), 1.2, uniform(rng, 0.0, 6.0)),
                Biquad::bell(uniform(rng, 300.0, 800.0), 0.8, uniform(rng, -9.0, 2.0)),
                Biquad::bell(uniform(rng, 1_800.0, 3_800.0), 1.0, uniform(rng, 0.0, 9.0)),
                Biquad::low_pass(top, 0.9),
                Biquad::low_pass(top * uniform(rng, 1.0, 1.5), 0.8),
            ],
            gate: chance(rng, 0.4).then(|| amplitude(uniform(rng, -50.0, -30.0))),
        }
    }

    fn drive(&self, rng: &mut impl Rng, stem: &mut [f32]) {
        let top = peak(stem).max(1e-6);
        scale(stem, 1.0 / top);
        let hiss = amplitude(uniform(rng, -85.0, -65.0));
        let fall = (-1.0 / (0.02 * RATE)).exp();
        let (mut level, mut open) = (0.0f32, 1.0f32);
        for x in stem.iter_mut() {
            if let Some(gate) = self.gate {
                level = x.abs().max(level * fall);
                let target = if level > gate { 1.0 } else { 0.0 };
                open += 0.005 * (target - open);
            }
            *x = open * (*x + hiss * (rng.random::<f32>() - 0.5));
        }
        Biquad::high_pass(self.tight_hz, 0.7).run(stem);
        for x in stem.iter_mut() {
            *x = tanh(*x * self.gain + self.bias) - tanh(self.bias);
        }
        Biquad::high_pass(40.0, 0.7).run(stem);
        for x in stem.iter_mut() {
            *x = tanh(1.5 * *x);
        }
        run_all(&self.cabinet, stem);
    }
}

fn bass_guitar(
    rng: &mut ChaCha8Rng,
    song: &Song,
    font: &Arc<SoundFont>,
) -> Option<(Vec<f32>, Vec<PoolNote>)> {
    let slapped = chance(rng, 0.35);
    let program = if slapped {
        *[36u8, 37].choose(rng).unwrap_or(&36)
    } else {
        *[33u8, 34, 34].choose(rng).unwrap_or(&34)
    };
    let mask = rng.random::<u16>() | 0x8080;
    let notes: Vec<PoolNote> = (0..song.steps())
        .filter(|i| mask >> (15 - i % 16) & 1 == 1)
        .map(|i| {
            let octave = if slapped && i % 4 == 2 { 12 } else { 0 };
            let length = song.step * uniform(rng, 0.4, 1.8);
            let velocity = uniform(rng, 70.0, 120.0);
            note(
                i as f32 * song.step,
                length,
                song.root(i) + octave,
                velocity,
                program,
            )
        })
        .collect();
    let mut stem = synthesize(font, &notes, false)?;
    if slapped || chance(rng, 0.4) {
        touch(rng, &mut stem, &notes);
    }
    if chance(rng, 0.6) {
        saturate(&mut stem, log_uniform(rng, 1.0, 20.0));
    }
    if chance(rng, 0.5) {
        compress(&mut stem, uniform(rng, 6.0, 20.0), 5.0, 4.0, 120.0);
    }
    Some((stem, notes))
}

fn lead(
    rng: &mut ChaCha8Rng,
    song: &Song,
    font: &Arc<SoundFont>,
) -> Option<(Vec<f32>, Vec<PoolNote>)> {
    let mut notes = Vec::new();
    let mut index = 0;
    while index < song.steps() {
        let long = rng.random_range(1..9usize);
        if chance(rng, 0.7) {
            let key = song.root(index)
                + 24
                + SCALE.choose(rng).unwrap_or(&0)
                + 12 * u8::from(chance(rng, 0.5));
            let length = long as f32 * song.step;
            notes.push(note(
                index as f32 * song.step,
                length,
                key,
                uniform(rng, 70.0, 115.0),
                27,
            ));
        }
        index += long;
    }
    let mut stem = synthesize(font, &notes, true)?;
    Amplifier::random(rng).drive(rng, &mut stem);
    Some((stem, notes))
}

/// Short chords of a piano or an organ.
fn stabs(
    rng: &mut ChaCha8Rng,
    song: &Song,
    font: &Arc<SoundFont>,
) -> Option<(Vec<f32>, Vec<PoolNote>)> {
    let program = *[0u8, 1, 2, 4, 16, 17, 55, 61].choose(rng).unwrap_or(&0);
    let mask = rng.random::<u16>() & rng.random::<u16>() | 0x8000;
    let mut notes = Vec::new();
    for i in (0..song.steps()).filter(|i| mask >> (15 - i % 16) & 1 == 1) {
        let length = song.step * uniform(rng, 0.5, 2.5);
        for interval in [24, 27, 31, 36] {
            let velocity = uniform(rng, 65.0, 120.0);
            notes.push(note(
                i as f32 * song.step,
                length,
                song.root(i) + interval,
                velocity,
                program,
            ));
        }
    }
    let mut stem = synthesize(font, &notes, chance(rng, 0.5))?;
    if chance(rng, 0.4) {
        touch(rng, &mut stem, &notes);
    }
    Some((stem, notes))
}

/// An analogue voice: detuned saws or pulses, a filter that closes, an envelope.
struct Voice {
    detune_cents: Vec<f32>,
    square: bool,
    cutoff_hz: f32,
    /// How many times higher the filter is at the start, and for how long.
    sweep: (f32, f32),
    attack: f32,
    decay: Option<f32>,
    release: f32,
}

impl Voice {
    fn play(&self, rng: &mut impl Rng, notes: &[PoolNote]) -> Vec<f32> {
        let mut audio = vec![0.0f32; EXCERPT_SAMPLES];
        for note in notes {
            self.strike(rng, note, &mut audio);
        }
        audio
    }

    fn strike(&self, rng: &mut impl Rng, note: &PoolNote, audio: &mut [f32]) {
        let hz = 440.0 * 2f32.powf((f32::from(note.key) - 69.0) / 12.0);
        let first = ((note.onset * RATE) as usize).min(audio.len());
        let held = ((note.offset - note.onset) * RATE) as usize;
        let length = (held + (3.0 * self.release * RATE) as usize).min(audio.len() - first);
        let mut oscillators: Vec<(f32, f32)> = self
            .detune_cents
            .iter()
            .map(|cents| (rng.random::<f32>(), hz * 2f32.powf(cents / 1200.0) / RATE))
            .collect();
        let strength = f32::from(note.velocity) / 127.0 / oscillators.len() as f32;
        let release = (-1.0 / (self.release * RATE)).exp();
        let decay = self.decay.map_or(1.0, |t| (-1.0 / (t * RATE)).exp());
        let close = (-1.0 / (self.sweep.1 * RATE)).exp();
        let (mut gain, mut open) = (strength, self.sweep.0);
        let (mut low, mut lower, mut pole) = (0.0f32, 0.0f32, 0.0f32);
        let attack = (self.attack * RATE).max(1.0);
        for (i, out) in audio[first..first + length].iter_mut().enumerate() {
            let mut sum = 0.0;
            for (phase, step) in &mut oscillators {
                sum += if self.square {
                    if *phase < 0.5 { 0.7 } else { -0.7 }
                } else {
                    2.0 * *phase - 1.0
                };
                *phase += *step;
                *phase -= phase.floor();
            }
            if i % 16 == 0 {
                let cutoff = (self.cutoff_hz * (1.0 + open)).min(14_000.0);
                pole = 1.0 - (-TAU * cutoff / RATE).exp();
            }
            low += pole * (sum - low);
            lower += pole * (low - lower);
            open *= close;
            gain *= if i > held { release } else { decay };
            *out += gain * (i as f32 / attack).min(1.0) * lower;
        }
    }
}

fn detuned(rng: &mut impl Rng, most: usize) -> Vec<f32> {
    let spread = uniform(rng, 2.0, 25.0);
    let count = rng.random_range(1..=most);
    (0..count).map(|_| normal(rng, spread)).collect()
}

fn pad(rng: &mut ChaCha8Rng, song: &Song) -> (Vec<f32>, Vec<PoolNote>) {
    let mut notes = Vec::new();
    for (bar, root) in song.roots.iter().enumerate() {
        let t = bar as f32 * 16.0 * song.step;
        for interval in [24, 31, 36, 39] {
            if t < EXCERPT_SECONDS as f32 - 0.1 {
                notes.push(note(t, 15.5 * song.step, root + interval, 90.0, 89));
            }
        }
    }
    let voice = Voice {
        detune_cents: detuned(rng, 5),
        square: chance(rng, 0.2),
        cutoff_hz: log_uniform(rng, 400.0, 5_000.0),
        sweep: (uniform(rng, 0.0, 2.0), uniform(rng, 0.2, 2.0)),
        attack: log_uniform(rng, 0.005, 0.8),
        decay: None,
        release: log_uniform(rng, 0.05, 0.6),
    };
    (voice.play(rng, &notes), notes)
}

fn plucks(rng: &mut ChaCha8Rng, song: &Song) -> (Vec<f32>, Vec<PoolNote>) {
    let mask = rng.random::<u16>() | rng.random::<u16>() & 0xAAAA;
    let figure: Vec<u8> = (0..16)
        .map(|_| 24 + SCALE.choose(rng).unwrap_or(&0) + 12 * rng.random_range(0..2u8))
        .collect();
    let notes: Vec<PoolNote> = (0..song.steps())
        .filter(|i| mask >> (15 - i % 16) & 1 == 1)
        .map(|i| {
            let velocity = uniform(rng, 70.0, 115.0);
            let length = song.step * 0.8;
            note(
                i as f32 * song.step,
                length,
                song.root(i) + figure[i % 16],
                velocity,
                81,
            )
        })
        .collect();
    let voice = Voice {
        detune_cents: detuned(rng, 3),
        square: chance(rng, 0.4),
        cutoff_hz: log_uniform(rng, 200.0, 2_500.0),
        sweep: (log_uniform(rng, 1.0, 20.0), log_uniform(rng, 0.01, 0.15)),
        attack: log_uniform(rng, 0.0005, 0.005),
        decay: Some(log_uniform(rng, 0.05, 0.4)),
        release: log_uniform(rng, 0.01, 0.15),
    };
    (voice.play(rng, &notes), notes)
}

fn sequenced_bass(rng: &mut ChaCha8Rng, song: &Song) -> (Vec<f32>, Vec<PoolNote>) {
    let mask = match rng.random_range(0..3) {
        0 => 0x2222u16,
        1 => 0xAAAA,
        _ => rng.random::<u16>() | 0x8000,
    };
    let notes: Vec<PoolNote> = (0..song.steps())
        .filter(|i| mask >> (15 - i % 16) & 1 == 1)
        .map(|i| {
            let length = song.step * uniform(rng, 0.5, 1.5);
            note(i as f32 * song.step, length, song.root(i), 110.0, 38)
        })
        .collect();
    let voice = Voice {
        detune_cents: detuned(rng, 2),
        square: chance(rng, 0.5),
        cutoff_hz: log_uniform(rng, 80.0, 1_500.0),
        sweep: (log_uniform(rng, 0.3, 15.0), log_uniform(rng, 0.02, 0.3)),
        attack: log_uniform(rng, 0.0005, 0.01),
        decay: chance(rng, 0.5).then(|| log_uniform(rng, 0.1, 0.6)),
        release: log_uniform(rng, 0.01, 0.1),
    };
    let mut stem = voice.play(rng, &notes);
    if chance(rng, 0.5) {
        saturate(&mut stem, log_uniform(rng, 1.0, 10.0));
    }
    (stem, notes)
}

/// Noise that rises over bars and stops.
fn riser(rng: &mut ChaCha8Rng, song: &Song) -> Vec<f32> {
    let mut audio = vec![0.0f32; EXCERPT_SAMPLES];
    let length = (16.0 * song.step * RATE * uniform(rng, 1.0, 4.0)) as usize;
    let (from, to) = (
        log_uniform(rng, 200.0, 2_000.0),
        log_uniform(rng, 2_000.0, 12_000.0),
    );
    let (mut low, mut slow) = (0.0f32, 0.0f32);
    for (i, x) in audio.iter_mut().enumerate() {
        let share = (i % length) as f32 / length as f32;
        let pole = 1.0 - (-TAU * from * (to / from).powf(share) / RATE).exp();
        low += pole * (rng.random::<f32>() - 0.5 - low);
        slow += 0.3 * pole * (low - slow);
        *x = share * share * (low - slow);
    }
    audio
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

    #[test]
    fn an_amplifier_evens_out_what_is_played() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let amplifier = Amplifier {
            gain: amplitude(40.0),
            gate: None,
            ..Amplifier::random(&mut rng)
        };
        let mut stem: Vec<f32> = (0..64_000)
            .map(|i| (i as f32 * 0.02).sin() * if i < 32_000 { 1.0 } else { 0.1 })
            .collect();
        amplifier.drive(&mut rng, &mut stem);
        let (loud, soft) = (rms(&stem[8_000..30_000]), rms(&stem[40_000..62_000]));
        assert!(soft > 0.5 * loud, "{loud} {soft}");
    }
}
