//! One instrument alone: music of songs and scores, made playable for it, with what players do to
//! it (pedal, strums, loose timing), on a SoundFont or on an invented instrument.

use crate::class::DrumClass;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use crate::accompaniment::amplifier::amplify;
use crate::accompaniment::excerpt::{EXCERPT_SECONDS, INVENTED, PoolNote, Row};
use crate::accompaniment::fingers::with_fingers;
use crate::accompaniment::fonts::Fonts;
use crate::accompaniment::tone::Tone;
use crate::accompaniment::touch::touch;
use crate::accompaniment::voice::sing_notes;
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

const INSTRUMENTS: [Instrument; 17] = [
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
    instrument(&[SUNG], (41, 81), 0.1, 1.8),
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

/// A voice, which SoundFonts hardly have.
const SUNG: u8 = 85;

fn draw(rng: &mut impl Rng) -> &'static Instrument {
    INSTRUMENTS
        .choose_weighted(rng, |i| i.weight)
        .unwrap_or(&INSTRUMENTS[0])
}

/// Renders one excerpt; `None` when nothing is played in it.
pub(crate) fn excerpt(
    rng: &mut ChaCha8Rng,
    song: &[MidiNote],
    fonts: &Fonts,
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
    if chance(rng, 0.8) {
        dynamics(rng, &mut row.notes);
    }
    if is_plucked && chance(rng, 0.5) {
        let longest = log_uniform(rng, 0.4, 4.0);
        ring_on(rng, &mut row.notes, longest);
    }
    end_before_repetition(&mut row.notes);
    let played = match program {
        24..=39 => with_fingers(rng, &row.notes),
        _ => row.notes.clone(),
    };

    let mut audio = if program == SUNG && chance(rng, 0.85) {
        sing_notes(rng, &row.notes)
    } else if chance(rng, 0.22) {
        row.notes.iter_mut().for_each(|n| n.program |= INVENTED);
        Tone::invent(rng, is_plucked).play(rng, &played)
    } else {
        let wet = chance(rng, 0.5);
        fonts.play(rng, &played, wet)?
    };
    let noisy = if is_plucked { 0.6 } else { 0.2 };
    if chance(rng, noisy) {
        touch(rng, &mut audio, &row.notes);
    }
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

/// Players swell and fade, and most play what is higher louder: the melody.
pub(super) fn dynamics(rng: &mut impl Rng, notes: &mut [PoolNote]) {
    let (depth, per_octave) = (uniform(rng, 0.0, 16.0), 3.0 + normal(rng, 4.0));
    let mean = notes.iter().map(|n| f32::from(n.key)).sum::<f32>() / notes.len().max(1) as f32;
    let (mut knot, mut next) = ((0.0, normal(rng, depth)), (0.0, 0.0));
    for note in notes {
        while next.0 <= note.onset {
            knot = next;
            next = (knot.0 + uniform(rng, 0.8, 5.0), normal(rng, depth));
        }
        let share = (note.onset - knot.0) / (next.0 - knot.0);
        let swell = knot.1 + share * (next.1 - knot.1);
        let accent = per_octave * (f32::from(note.key) - mean) / 12.0;
        note.velocity = (f32::from(note.velocity) + swell + accent).clamp(8.0, 127.0) as u8;
    }
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
    fn dynamics_keep_velocities_in_range_and_vary_them() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut notes: Vec<PoolNote> = (0..60u8)
            .map(|i| note(f32::from(i) * 0.4, f32::from(i) * 0.4 + 0.3, 40 + i % 40))
            .collect();
        dynamics(&mut rng, &mut notes);
        let (low, high) = (
            notes.iter().map(|n| n.velocity).min(),
            notes.iter().map(|n| n.velocity).max(),
        );
        assert!(low >= Some(8) && high <= Some(127) && high > low.map(|v| v + 5));
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
}
