//! An excerpt of accompaniment: its notes, and a SoundFont that plays them.

use std::sync::Arc;

use rustysynth::{SoundFont, Synthesizer, SynthesizerSettings};
use serde::{Deserialize, Serialize};

use crate::SAMPLE_RATE;
use crate::groove::Stroke;

/// Length of one excerpt in the pool.
pub const EXCERPT_SECONDS: f64 = 24.0;
pub(crate) const EXCERPT_SAMPLES: usize = (EXCERPT_SECONDS * SAMPLE_RATE as f64) as usize;

/// A pitched note of an excerpt.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct PoolNote {
    /// Start in seconds from the start of the excerpt.
    pub onset: f32,
    /// End in seconds.
    pub offset: f32,
    /// Key 0..=127.
    pub key: u8,
    /// Velocity 1..=127.
    pub velocity: u8,
    /// General MIDI program, [`INVENTED`] higher where an invented instrument plays in its place.
    pub program: u8,
}

/// Added to the program of notes whose instrument is invented: nobody knows its family.
pub const INVENTED: u8 = 128;

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) strokes: Vec<(f32, u8, f32)>,
    pub(crate) notes: Vec<PoolNote>,
}

/// An excerpt of accompaniment.
pub struct Excerpt {
    /// Mono, peak-normalised.
    pub samples: Vec<i16>,
    /// The song's own drums, not in `samples`. Empty where the song has none.
    pub strokes: Vec<Stroke>,
    /// The pitched notes in `samples`.
    pub notes: Vec<PoolNote>,
}

/// [`EXCERPT_SAMPLES`] of notes on the programs that they name.
pub(crate) fn synthesize(font: &Arc<SoundFont>, notes: &[PoolNote], wet: bool) -> Option<Vec<f32>> {
    let mut programs: Vec<u8> = notes.iter().map(|n| n.program).collect();
    programs.sort_unstable();
    programs.dedup();
    let channel_of = |program: u8| {
        let index = programs.binary_search(&program).unwrap_or(0).min(14);
        (if index >= DRUMS { index + 1 } else { index }) as i32
    };
    play(font, notes, wet, channel_of)
}

/// [`EXCERPT_SAMPLES`] of notes on the drum kit that a program stands for.
pub(crate) fn synthesize_drums(font: &Arc<SoundFont>, notes: &[PoolNote]) -> Option<Vec<f32>> {
    play(font, notes, false, |_| DRUMS as i32)
}

/// The synthesizer's channel for drums.
const DRUMS: usize = 9;

fn play(
    font: &Arc<SoundFont>,
    notes: &[PoolNote],
    wet: bool,
    channel_of: impl Fn(u8) -> i32,
) -> Option<Vec<f32>> {
    let mut settings = SynthesizerSettings::new(SAMPLE_RATE as i32);
    settings.enable_reverb_and_chorus = wet;
    let mut synth = Synthesizer::new(font, &settings).ok()?;
    for note in notes {
        let program = i32::from(note.program);
        synth.process_midi_message(channel_of(note.program), 0xC0, program, 0);
    }
    let mut events: Vec<(usize, bool, PoolNote)> = Vec::with_capacity(notes.len() * 2);
    for note in notes {
        events.push(((note.onset * SAMPLE_RATE as f32) as usize, true, *note));
        events.push(((note.offset * SAMPLE_RATE as f32) as usize, false, *note));
    }
    events.sort_by_key(|(at, on, _)| (*at, *on));
    let mut left = vec![0.0f32; EXCERPT_SAMPLES];
    let mut right = vec![0.0f32; EXCERPT_SAMPLES];
    let mut done = 0;
    for (at, on, note) in events {
        let at = at.min(EXCERPT_SAMPLES);
        if at > done {
            synth.render(&mut left[done..at], &mut right[done..at]);
            done = at;
        }
        let channel = channel_of(note.program);
        if on {
            synth.note_on(channel, i32::from(note.key), i32::from(note.velocity));
        } else {
            synth.note_off(channel, i32::from(note.key));
        }
    }
    synth.render(&mut left[done..], &mut right[done..]);
    left.iter_mut()
        .zip(&right)
        .for_each(|(l, r)| *l = 0.5 * (*l + r));
    Some(left)
}
