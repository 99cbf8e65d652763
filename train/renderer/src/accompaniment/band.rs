//! Accompaniment: songs and scores played by SoundFonts, without their drums, rendered once into a
//! pool from which segments take random excerpts. The drums of a song are kept as strokes, so that
//! a segment can play them on a kit of its own, in time with the band.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use crate::class::DrumClass;
use anyhow::{Context, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::accompaniment::amplifier::amplify;
use crate::accompaniment::excerpt::{EXCERPT_SAMPLES, EXCERPT_SECONDS, Excerpt, PoolNote, Row};
use crate::accompaniment::fonts::Fonts;
use crate::accompaniment::riffs;
use crate::accompaniment::solo::{self, dynamics};
use crate::accompaniment::touch::touch;
use crate::bank::Split;
use crate::dsp::{
    amplitude, chance, compress, log_uniform, mix, normal, peak, random_eq, rms, saturate, scale,
    uniform,
};
use crate::groove::Stroke;
use crate::smf::{MidiNote, midi_files, midi_notes};

/// Programs that stand in for one another: a song is heard with other instruments each time.
pub(crate) fn substitute(rng: &mut impl Rng, program: u8) -> u8 {
    let family: &[u8] = match program {
        0..=7 => &[0, 1, 2, 3, 4, 5, 6, 7],
        8..=15 => &[8, 9, 10, 11, 12, 13, 14, 15, 4, 5],
        16..=23 => &[16, 17, 18, 19, 20, 21, 22],
        24..=31 => &[24, 25, 26, 27, 27, 28, 29, 29, 30, 30, 30],
        32..=39 => &[32, 33, 33, 34, 34, 35, 36, 37, 38, 39],
        40..=47 => &[40, 41, 42, 43, 44, 45, 46],
        48..=55 => &[48, 49, 50, 51, 52, 53, 54],
        56..=63 => &[56, 57, 58, 59, 60, 61, 62, 63],
        64..=79 => &[64, 65, 66, 67, 68, 69, 71, 73, 75],
        80..=103 => &[80, 81, 82, 84, 85, 87, 88, 89, 90, 92, 95],
        _ => &[104, 105, 106, 107, 110, 46],
    };
    family[rng.random_range(0..family.len())]
}

/// What a pool is made of, each share 0..=1; songs and scores are the rest.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// Riffs and sequences that are invented.
    pub riffs: f32,
    /// Of what is left: one instrument alone.
    pub solo: f32,
}

/// Renders `count` excerpts into `folder` (`pool.pcm`, 16-bit mono; `pool.jsonl`).
///
/// # Errors
/// When the archive or a SoundFont cannot be read, or the pool not written.
pub fn render_pool(
    archive: &Path,
    sound_fonts: &[&Path],
    folder: &Path,
    count: usize,
    shares: Shares,
    split: Split,
    seed: u64,
) -> Result<()> {
    let fonts = Fonts::load(sound_fonts)?;
    let songs = half(songs(archive, "freedoom/")?, split);
    let scores = [
        songs_of(archive, "openscore_lieder/")?,
        songs_of(archive, "openscore_quartets/")?,
    ]
    .concat();
    let scores = half(scores, split);
    std::fs::create_dir_all(folder)?;
    let mut pcm = BufWriter::new(File::create(folder.join("pool.pcm"))?);
    let mut index = BufWriter::new(File::create(folder.join("pool.jsonl"))?);
    let chunk = 32;
    for first in (0..count).step_by(chunk) {
        let rendered: Vec<(Vec<f32>, Row)> = (first..(first + chunk).min(count))
            .into_par_iter()
            .filter_map(|i| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(i as u64);
                if shares.riffs > 0.0 && chance(&mut rng, shares.riffs) {
                    let font = fonts.general(&mut rng);
                    return riffs::excerpt(&mut rng, font);
                }
                let is_solo = shares.solo > 0.0 && chance(&mut rng, shares.solo);
                let songs_share = if is_solo { 0.25 } else { 0.65 };
                let song = if chance(&mut rng, songs_share) {
                    &songs[rng.random_range(0..songs.len())]
                } else {
                    &scores[rng.random_range(0..scores.len())]
                };
                if is_solo {
                    solo::excerpt(&mut rng, song, &fonts)
                } else {
                    excerpt(&mut rng, song, &fonts)
                }
            })
            .collect();
        for (audio, row) in rendered {
            for x in audio {
                pcm.write_all(&((x * 32_000.0) as i16).to_le_bytes())?;
            }
            serde_json::to_writer(&mut index, &row)?;
            index.write_all(b"\n")?;
        }
    }
    pcm.flush()?;
    index.flush()?;
    Ok(())
}

/// Every eighth song is for validation.
fn half(songs: Vec<Vec<MidiNote>>, split: Split) -> Vec<Vec<MidiNote>> {
    let held_out = |index: usize| index % 8 == 5;
    let indexed = songs.into_iter().enumerate();
    indexed
        .filter(|(index, _)| held_out(*index) == (split == Split::HoldOut))
        .map(|(_, song)| song)
        .collect()
}

/// The songs of the archive with more than 20 notes, in order of their names.
pub(crate) fn songs(archive: &Path, prefix: &str) -> Result<Vec<Vec<MidiNote>>> {
    let parsed = midi_files(archive, prefix)?
        .into_iter()
        .filter_map(|(_, bytes)| midi_notes(&bytes).ok());
    Ok(parsed.filter(|notes| notes.len() > 20).collect())
}

/// As [`songs`], every ninth only: scores are many and alike.
fn songs_of(archive: &Path, prefix: &str) -> Result<Vec<Vec<MidiNote>>> {
    let parsed = midi_files(archive, prefix)?
        .into_iter()
        .step_by(9)
        .filter_map(|(_, bytes)| midi_notes(&bytes).ok());
    Ok(parsed.filter(|notes| notes.len() > 20).collect())
}

/// Renders one excerpt; `None` when it holds no pitched note.
fn excerpt(rng: &mut ChaCha8Rng, song: &[MidiNote], fonts: &Fonts) -> Option<(Vec<f32>, Row)> {
    let end = song.last()?.onset;
    let stretch = uniform(rng, 0.8, 1.25);
    let start = f64::from(uniform(rng, 0.0, (end - EXCERPT_SECONDS).max(0.5) as f32));
    let transpose = rng.random_range(-5i16..=5);
    let loose = uniform(rng, 0.0, 0.015);
    let mut programs = [0u8; 16];
    let mut gains_db = [0f32; 16];
    for channel in 0..16 {
        gains_db[channel] = normal(rng, 4.0);
        programs[channel] = 255;
    }
    // Some songs are played by one instrument only, some lose parts.
    let keep = if chance(rng, 0.5) {
        1.0
    } else {
        uniform(rng, 0.25, 1.0)
    };
    let kept: Vec<bool> = (0..16).map(|_| chance(rng, keep)).collect();
    let mut row = Row {
        strokes: Vec::new(),
        notes: Vec::new(),
    };
    for note in song {
        let onset = ((note.onset - start) / f64::from(stretch)) as f32;
        if onset < 0.0 || f64::from(onset) > EXCERPT_SECONDS {
            continue;
        }
        if note.channel == 9 {
            if let Some(class) = DrumClass::from_gm_note(note.key) {
                row.strokes
                    .push((onset, class as u8, f32::from(note.velocity) / 127.0));
            }
            continue;
        }
        let channel = usize::from(note.channel);
        if !kept[channel] {
            continue;
        }
        if programs[channel] == 255 {
            programs[channel] = substitute(rng, note.program);
        }
        let key = (i16::from(note.key) + transpose).clamp(12, 115) as u8;
        let velocity = (f32::from(note.velocity) + normal(rng, 10.0)).clamp(15.0, 127.0) as u8;
        let onset = (onset + normal(rng, loose)).max(0.0);
        let length = ((note.offset - note.onset) as f32 / stretch).max(0.05);
        row.notes.push(PoolNote {
            onset,
            offset: onset + length,
            key,
            velocity,
            program: programs[channel],
        });
    }
    if row.notes.is_empty() {
        return None;
    }
    row.notes.sort_by(|a, b| a.onset.total_cmp(&b.onset));
    if chance(rng, 0.5) {
        dynamics(rng, &mut row.notes);
    }
    let mut audio = vec![0.0f32; EXCERPT_SAMPLES];
    type Member = fn(u8) -> bool;
    let guitars: Member = |p| (24..32).contains(&p);
    let basses: Member = |p| (32..40).contains(&p);
    let others: Member = |p| !(24..40).contains(&p);
    for (group, member) in [guitars, basses, others].into_iter().enumerate() {
        let notes: Vec<PoolNote> = row
            .notes
            .iter()
            .copied()
            .filter(|n| member(n.program))
            .collect();
        if notes.is_empty() {
            continue;
        }
        let mut stem = fonts.play(rng, &notes, group == 2)?;
        if chance(rng, if group == 2 { 0.2 } else { 0.6 }) {
            touch(rng, &mut stem, &notes);
        }
        match group {
            0 if chance(rng, 0.6) => amplify(rng, &mut stem),
            1 if chance(rng, 0.4) => {
                let depth = uniform(rng, 6.0, 20.0);
                compress(&mut stem, depth, 4.0, 5.0, 120.0);
                saturate(&mut stem, log_uniform(rng, 0.7, 5.0));
            }
            _ => {}
        }
        if chance(rng, 0.5) {
            random_eq(rng, &mut stem, 6.0);
        }
        let level = rms(&stem).max(1e-6);
        mix(&mut audio, &stem, amplitude(gains_db[group]) / level);
    }
    let top = peak(&audio).max(1e-6);
    scale(&mut audio, 1.0 / top);
    Some((audio, row))
}

/// Reads a pool that [`render_pool`] wrote.
///
/// # Errors
/// When a file is missing or does not fit the other.
pub fn load_pool(folder: &Path) -> Result<Vec<Excerpt>> {
    let context = || format!("reading the pool in {}", folder.display());
    let index = BufReader::new(File::open(folder.join("pool.jsonl")).with_context(context)?);
    let mut pcm = BufReader::new(File::open(folder.join("pool.pcm")).with_context(context)?);
    let mut bytes = vec![0u8; EXCERPT_SAMPLES * 2];
    index
        .lines()
        .map(|line| {
            let row: Row =
                serde_json::from_str(&line.with_context(context)?).with_context(context)?;
            pcm.read_exact(&mut bytes).with_context(context)?;
            let samples = bytes
                .chunks_exact(2)
                .map(|b| i16::from_le_bytes([b[0], b[1]]))
                .collect();
            let strokes = row
                .strokes
                .iter()
                .filter_map(|(t, class, velocity)| {
                    let class = *DrumClass::ALL.get(usize::from(*class))?;
                    Some(Stroke {
                        seconds: f64::from(*t),
                        class,
                        velocity: *velocity,
                    })
                })
                .collect();
            Ok(Excerpt {
                samples,
                strokes,
                notes: row.notes,
            })
        })
        .collect()
}
