//! One instrument alone: music of songs and scores, made playable for it, with what players do to it
//! (pedal, strums, loose timing), on a SoundFont or on an invented instrument.

use std::f32::consts::TAU;
use std::sync::Arc;

use hitscribe_engine::DrumClass;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rustysynth::SoundFont;

use crate::SAMPLE_RATE;
use crate::band::{EXCERPT_SAMPLES, EXCERPT_SECONDS, PoolNote, Row, amplify, synthesize};
use crate::dsp::{
    chance, compress, log_uniform, normal, peak, random_eq, saturate, scale, uniform,
};
use crate::smf::MidiNote;

/// What one player plays.
struct Instrument {
    /// General MIDI programs, drawn evenly.
    programs: &'static [u8],
    lowest_key: u8,
    highest_key: u8,
    /// How often it plays all voices of a piece instead of one.
    polyphony: f32,
    /// Relative frequency in the data.
    weight: f32,
}

const fn instrument(
    programs: &'static [u8],
    keys: (u8, u8),
    polyphony: f32,
    weight: f32,
) -> Instrument {
    Instrument {
        programs,
        lowest_key: keys.0,
        highest_key: keys.1,
        polyphony,
        weight,
    }
}

const INSTRUMENTS: [Instrument; 16] = [
    instrument(&[0, 0, 0, 1, 1, 2, 3], (21, 108), 0.95, 8.0),
    instrument(&[4, 5, 6, 7], (28, 96), 0.9, 1.2),
    instrument(&[8, 9, 10, 11, 12, 13, 46], (48, 103), 0.5, 0.8),
    instrument(&[16, 17, 18, 19, 20, 21], (36, 96), 0.8, 1.0),
    instrument(&[24, 24, 25, 25], (40, 86), 0.6, 5.0),
    instrument(&[26, 27, 28, 29, 30], (40, 88), 0.5, 2.5),
    instrument(&[32, 33, 34, 35, 36, 38, 39], (24, 60), 0.0, 1.8),
    instrument(&[40, 41, 110], (55, 100), 0.1, 0.7),
    instrument(&[42, 43], (30, 74), 0.1, 0.5),
    instrument(&[44, 45, 48, 49, 50], (36, 96), 0.7, 0.9),
    instrument(&[52, 53, 54, 85, 91], (45, 84), 0.4, 0.8),
    instrument(&[56, 59, 61], (52, 86), 0.3, 0.7),
    instrument(&[57, 58, 60], (32, 76), 0.2, 0.5),
    instrument(&[64, 65, 66, 67, 68, 69, 70, 71], (44, 88), 0.1, 0.9),
    instrument(&[72, 73, 74, 75], (60, 100), 0.1, 0.6),
    instrument(
        &[80, 81, 82, 87, 88, 89, 90, 104, 105, 107],
        (36, 96),
        0.5,
        0.9,
    ),
];

fn draw(rng: &mut impl Rng) -> &'static Instrument {
    INSTRUMENTS
        .choose_weighted(rng, |i| i.weight)
        .unwrap_or(&INSTRUMENTS[0])
}

/// Renders one excerpt; `None` when nothing is played in it.
pub(crate) fn excerpt(
    rng: &mut ChaCha8Rng,
    song: &[MidiNote],
    font: &Arc<SoundFont>,
) -> Option<(Vec<f32>, Row)> {
    let instrument = draw(rng);
    let program = *instrument.programs.choose(rng)?;
    let end = song.last()?.onset;
    let stretch = f64::from(log_uniform(rng, 0.6, 1.6));
    let start = f64::from(uniform(rng, 0.0, (end - EXCERPT_SECONDS).max(0.5) as f32));
    let in_excerpt = |seconds: f64| {
        let seconds = (seconds - start) / stretch;
        (0.0..EXCERPT_SECONDS)
            .contains(&seconds)
            .then_some(seconds as f32)
    };
    let mut row = Row::default();
    let mut heard: Vec<(MidiNote, f32)> = Vec::new();
    for note in song {
        let Some(onset) = in_excerpt(note.onset) else {
            continue;
        };
        if note.channel != 9 {
            heard.push((*note, onset));
        } else if let Some(class) = DrumClass::from_gm_note(note.key) {
            let velocity = f32::from(note.velocity) / 127.0;
            row.strokes.push((onset, class as u8, velocity));
        }
    }
    if !chance(rng, instrument.polyphony) {
        let channel = heard.choose(rng)?.0.channel;
        heard.retain(|(note, _)| note.channel == channel);
    }
    let shift = transposition(rng, instrument, &heard)?;
    let strength = uniform(rng, 40.0, 112.0);
    let spread = uniform(rng, 3.0, 16.0);
    for (note, onset) in heard {
        row.notes.push(PoolNote {
            onset,
            offset: onset + (((note.offset - note.onset) / stretch) as f32).max(0.05),
            key: fold(i16::from(note.key) + shift, instrument),
            velocity: (strength + normal(rng, spread)).clamp(12.0, 127.0) as u8,
            program,
        });
    }
    let is_guitar = (24..32).contains(&program);
    let is_plucked = is_guitar || matches!(program, 0..=15 | 46);
    if is_guitar && chance(rng, 0.6) {
        strum(rng, &mut row.notes);
    }
    loosen(rng, &mut row.notes);
    if is_plucked && chance(rng, 0.5) {
        let longest = log_uniform(rng, 0.4, 4.0);
        ring_on(rng, &mut row.notes, longest);
    }
    end_before_repetition(&mut row.notes);

    let mut audio = if chance(rng, 0.22) {
        Tone::invent(rng, is_plucked).play(rng, &row.notes)
    } else {
        synthesize(font, &row.notes, chance(rng, 0.5))?
    };
    match program {
        26..=31 if chance(rng, 0.4) => amplify(rng, &mut audio),
        32..=39 if chance(rng, 0.4) => {
            compress(&mut audio, uniform(rng, 6.0, 20.0), 4.0, 5.0, 120.0);
            saturate(&mut audio, log_uniform(rng, 0.7, 5.0));
        }
        _ => {}
    }
    if chance(rng, 0.6) {
        random_eq(rng, &mut audio, 7.0);
    }
    let top = peak(&audio).max(1e-6);
    scale(&mut audio, 1.0 / top);
    Some((audio, row))
}

/// Semitones that bring the notes into the instrument's range, somewhere in it.
fn transposition(
    rng: &mut impl Rng,
    instrument: &Instrument,
    notes: &[(MidiNote, f32)],
) -> Option<i16> {
    let mut keys: Vec<i16> = notes.iter().map(|(n, _)| i16::from(n.key)).collect();
    keys.sort_unstable();
    let median = *keys.get(keys.len() / 2)?;
    let (low, high) = (
        i16::from(instrument.lowest_key),
        i16::from(instrument.highest_key),
    );
    let room = (high - low) / 6;
    let centre = (low + high) / 2 + rng.random_range(-room..=room);
    let octaves = (f32::from(centre - median) / 12.0).round() as i16;
    Some(12 * octaves + rng.random_range(-5..=6))
}

/// The key, moved by octaves into the instrument's range.
fn fold(key: i16, instrument: &Instrument) -> u8 {
    let (low, high) = (
        i16::from(instrument.lowest_key),
        i16::from(instrument.highest_key),
    );
    let mut key = key;
    while key < low {
        key += 12;
    }
    while key > high {
        key -= 12;
    }
    key as u8
}

/// Chords become strums: the strings one after the other, up or down.
fn strum(rng: &mut impl Rng, notes: &mut [PoolNote]) {
    let step = log_uniform(rng, 0.003, 0.03);
    for chord in notes.chunk_by_mut(|a, b| b.onset - a.onset < 1e-3) {
        if chance(rng, 0.75) {
            chord.sort_by_key(|n| n.key);
        } else {
            chord.sort_by_key(|n| std::cmp::Reverse(n.key));
        }
        for (index, note) in chord.iter_mut().enumerate() {
            note.onset += index as f32 * step;
            note.offset = note.offset.max(note.onset + 0.05);
        }
    }
}

/// Nobody plays on the grid.
fn loosen(rng: &mut impl Rng, notes: &mut [PoolNote]) {
    let sigma = uniform(rng, 0.0, 0.02);
    for note in notes.iter_mut() {
        let length = note.offset - note.onset;
        note.onset = (note.onset + normal(rng, sigma)).max(0.0);
        note.offset = note.onset + length;
    }
    notes.sort_by(|a, b| a.onset.total_cmp(&b.onset));
}

/// A sustain pedal, or strings that are left to ring: notes last until it is lifted.
fn ring_on(rng: &mut impl Rng, notes: &mut [PoolNote], longest_seconds: f32) {
    let mut lift = 0.0;
    for note in notes {
        while lift < note.onset {
            lift += uniform(rng, 0.3, 1.0) * longest_seconds;
        }
        note.offset = note.offset.max(lift);
    }
}

/// A key that is struck again ends what it sounded before.
fn end_before_repetition(notes: &mut [PoolNote]) {
    let mut next_onset = [f32::INFINITY; 128];
    for note in notes.iter_mut().rev() {
        let next = &mut next_onset[usize::from(note.key)];
        note.offset = note.offset.min(*next - 0.005).max(note.onset + 0.01);
        *next = note.onset;
    }
}

/// An invented instrument: partials that decay each at its own rate, and the noise of the attack.
struct Tone {
    /// Amplitude of each partial.
    partials: Vec<f32>,
    /// How far partials are stretched: frequency `n f sqrt(1 + b n^2)`.
    inharmonicity: f32,
    attack_seconds: f32,
    release_seconds: f32,
    /// Decay time of the lowest partial at 220 Hz; none for what is bowed or blown.
    decay_seconds: Option<f32>,
    /// How much faster high partials and high notes decay.
    damping: f32,
    noise: f32,
    vibrato_cents: f32,
}

impl Tone {
    fn invent(rng: &mut impl Rng, is_plucked: bool) -> Self {
        let tilt = uniform(rng, 0.4, 2.0);
        let even = uniform(rng, 0.1, 1.0);
        let partials = (1..=24)
            .map(|n: u8| {
                let odd_or_even = if n.is_multiple_of(2) { even } else { 1.0 };
                f32::from(n).powf(-tilt) * odd_or_even * normal(rng, 0.6).exp()
            })
            .collect();
        Self {
            partials,
            inharmonicity: if is_plucked {
                log_uniform(rng, 1e-5, 8e-4)
            } else {
                0.0
            },
            attack_seconds: if is_plucked {
                log_uniform(rng, 0.001, 0.008)
            } else {
                log_uniform(rng, 0.005, 0.08)
            },
            release_seconds: log_uniform(rng, 0.02, 0.25),
            decay_seconds: is_plucked.then(|| log_uniform(rng, 0.3, 3.0)),
            damping: uniform(rng, 0.2, 0.9),
            noise: log_uniform(rng, 0.003, 0.3),
            vibrato_cents: if is_plucked {
                0.0
            } else {
                uniform(rng, 0.0, 30.0)
            },
        }
    }

    fn play(&self, rng: &mut impl Rng, notes: &[PoolNote]) -> Vec<f32> {
        let mut audio = vec![0.0; EXCERPT_SAMPLES];
        for note in notes {
            self.strike(rng, *note, &mut audio);
        }
        audio
    }

    fn strike(&self, rng: &mut impl Rng, note: PoolNote, audio: &mut [f32]) {
        const RATE: f32 = SAMPLE_RATE as f32;
        /// Samples between two steps of the vibrato.
        const BLOCK: usize = 64;
        let hz = 440.0 * 2f32.powf((f32::from(note.key) - 69.0) / 12.0);
        let first = (note.onset * RATE) as usize;
        let held = ((note.offset - note.onset) * RATE) as usize;
        let length = held + (self.release_seconds * 4.0 * RATE) as usize;
        let Some(out) = audio.get_mut(first..) else {
            return;
        };
        let length = length.min(out.len());
        let strength = f32::from(note.velocity) / 127.0;
        let mut sound = vec![0.0f32; length];
        let (rate, depth) = (
            uniform(rng, 4.5, 6.5) * TAU / RATE,
            self.vibrato_cents / 1200.0 * std::f32::consts::LN_2,
        );
        for (index, amplitude) in self.partials.iter().enumerate() {
            let n = (index + 1) as f32;
            let partial_hz = n * hz * (1.0 + self.inharmonicity * n * n).sqrt();
            if partial_hz > 0.45 * RATE {
                break;
            }
            // A soft stroke is a dull one.
            let mut level = amplitude * strength.powf(1.0 + 0.12 * n);
            let fade = self.decay_seconds.map_or(1.0, |seconds| {
                let seconds = seconds * (220.0 / partial_hz).powf(self.damping);
                (-1.0 / (seconds.max(0.02) * RATE)).exp()
            });
            let step = TAU * partial_hz / RATE;
            let (mut im, mut re) = (rng.random::<f32>() * TAU).sin_cos();
            for (block, samples) in sound.chunks_mut(BLOCK).enumerate() {
                if level < 1e-5 {
                    break;
                }
                let swing = 1.0 + depth * (rate * (block * BLOCK) as f32).sin();
                let (sin, cos) = (step * swing).sin_cos();
                for x in samples {
                    *x += level * im;
                    (re, im) = (re * cos - im * sin, re * sin + im * cos);
                    level *= fade;
                }
            }
        }
        let attack = (self.attack_seconds * RATE).max(1.0);
        let release = (-1.0 / (self.release_seconds * RATE)).exp();
        let noise_fade = (-1.0 / (0.01 * RATE)).exp();
        let (mut gain, mut noise) = (1.0, self.noise * strength);
        for (i, (x, y)) in sound.iter().zip(out).enumerate() {
            if i > held {
                gain *= release;
            }
            noise *= noise_fade;
            let hiss = noise * (rng.random::<f32>() * 2.0 - 1.0);
            *y += gain * (x * (i as f32 / attack).min(1.0) + hiss);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn note(onset: f32, offset: f32, key: u8) -> PoolNote {
        PoolNote {
            onset,
            offset,
            key,
            velocity: 90,
            program: 24,
        }
    }

    #[test]
    fn a_repeated_key_ends_the_note_before_it() {
        let mut notes = [note(0.0, 5.0, 60), note(1.0, 1.5, 62), note(2.0, 3.0, 60)];
        end_before_repetition(&mut notes);
        assert!(notes[0].offset < 2.0 && notes[0].offset > 1.9);
        assert_eq!(notes[1].offset, 1.5);
    }

    #[test]
    fn a_strum_keeps_its_chord_and_its_order_in_time() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut notes = [note(1.0, 2.0, 64), note(1.0, 2.0, 40), note(3.0, 4.0, 50)];
        strum(&mut rng, &mut notes);
        assert!(notes[1].onset > notes[0].onset && notes[1].onset < 1.1);
        assert_eq!(notes[2].onset, 3.0);
    }

    #[test]
    fn keys_are_moved_by_octaves_into_the_range() {
        for key in 0..128 {
            for instrument in &INSTRUMENTS {
                let folded = fold(key, instrument);
                assert!((instrument.lowest_key..=instrument.highest_key).contains(&folded));
                assert_eq!((i16::from(folded) - key) % 12, 0);
            }
        }
    }

    #[test]
    fn an_invented_tone_sounds_where_the_note_is() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let audio = Tone::invent(&mut rng, true).play(&mut rng, &[note(1.0, 1.5, 60)]);
        let energy = |from: usize, to: usize| audio[from..to].iter().map(|x| x * x).sum::<f32>();
        assert_eq!(energy(0, 31_999), 0.0);
        assert!(energy(32_000, 35_200) > 1e-3);
        assert!(audio.iter().all(|x| x.is_finite()));
    }
}
