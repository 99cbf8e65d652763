//! Whole songs in Slakh's layout: a stem and its notes for each instrument, and their sum. For
//! trying out what is done with recordings of one's own.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use hitscribe_core::Note;
use hitscribe_core::midi::{DRUM_CHANNEL, MidiSettings, write_midi_file};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use rustysynth::SoundFont;

use crate::accompaniment::amplifier::amplify;
use crate::accompaniment::band::{songs, substitute};
use crate::accompaniment::excerpt::{EXCERPT_SECONDS, PoolNote, synthesize, synthesize_drums};
use crate::accompaniment::fonts::load_fonts;
use crate::dsp::{
    amplitude, chance, compress, log_uniform, mix, normal, peak, random_eq, rms, saturate, scale,
    uniform,
};
use crate::smf::MidiNote;
use crate::wav::write_wav;

/// Parts with fewer notes are left out.
const FEWEST_NOTES: usize = 8;
/// Drum kits of General MIDI 2: standard, room, power, jazz, brush.
const KITS: [u8; 6] = [0, 0, 8, 16, 32, 40];
const BASSES: Range<u8> = 32..40;
const GUITARS: Range<u8> = 24..32;

/// The sounds with which a small band plays the parts of a program; its notes name the first of
/// them. It leaves out effects and the instruments of single countries.
fn sounds_of(program: u8) -> Option<&'static [u8]> {
    Some(match program {
        0..24 | 80..104 => &[0, 4],
        24..32 => &[27, 25, 30],
        32..40 => &[33, 34],
        40..80 => &[48, 49],
        _ => return None,
    })
}

/// Who plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// Every part of the song, each on an instrument like its own.
    Whole,
    /// Drums, keys, guitar, bass and strings: the busiest part of each, on few sounds.
    Small,
}

/// One instrument of a song.
struct Part {
    is_drums: bool,
    /// What its notes name, where that is not what plays them.
    named: Option<u8>,
    audio: Vec<f32>,
    notes: Vec<PoolNote>,
}

/// Renders the songs `range` of the archive into `folder/TrackNNNNN`, with other instruments, keys
/// and levels each time that the archive begins anew. Songs without bass are left out.
///
/// # Errors
/// When the archive or a SoundFont cannot be read, a file not be written, or no song was left.
pub fn render_songs(
    archive: &Path,
    sound_fonts: &[impl AsRef<Path>],
    folder: &Path,
    range: Range<usize>,
    band: Band,
    seed: u64,
) -> Result<()> {
    let fonts = load_fonts(sound_fonts)?;
    let songs = songs(archive, "freedoom/")?;
    let rendered = range.into_par_iter().map(|index| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index as u64);
        let font = &fonts[rng.random_range(0..fonts.len())];
        let parts = song(&mut rng, &songs[index % songs.len()], font, band);
        let has_bass = |p: &Part| !p.is_drums && BASSES.contains(&p.notes[0].program);
        if !parts.iter().any(has_bass) {
            return Ok(0);
        }
        write(&folder.join(format!("Track{index:05}")), parts).map(|()| 1)
    });
    let count: usize = rendered.sum::<Result<usize>>()?;
    if count == 0 {
        bail!("none of these songs has a bass: ask for more of them");
    }
    Ok(())
}

/// The parts of an excerpt, each as loud as it is beside the others.
fn song(rng: &mut ChaCha8Rng, song: &[MidiNote], font: &Arc<SoundFont>, band: Band) -> Vec<Part> {
    let end = song.last().map_or(0.0, |n| n.onset);
    let start = f64::from(uniform(rng, 0.0, (end - EXCERPT_SECONDS).max(0.5) as f32));
    let transpose = rng.random_range(-3i8..=3);
    let mut parts = Vec::new();
    for channel in 0..16u8 {
        let is_drums = channel == DRUM_CHANNEL;
        if band == Band::Small && !is_drums && !plays_in_small_band(song, channel, start) {
            continue;
        }
        let own: Vec<&MidiNote> = song.iter().filter(|n| n.channel == channel).collect();
        let Some(first) = own.first() else { continue };
        let sounds = sounds_of(first.program).filter(|_| band == Band::Small && !is_drums);
        let program = match sounds {
            _ if is_drums => KITS[rng.random_range(0..KITS.len())],
            Some(sounds) => sounds[rng.random_range(0..sounds.len())],
            None => substitute(rng, first.program),
        };
        let notes: Vec<PoolNote> = own
            .into_iter()
            .filter_map(|n| {
                let onset = n.onset - start;
                let offset =
                    (n.offset - start).clamp(onset + 0.05, EXCERPT_SECONDS.max(onset + 0.05));
                let key = n
                    .key
                    .checked_add_signed(if is_drums { 0 } else { transpose })?;
                let inside = (0.0..EXCERPT_SECONDS - 0.05).contains(&onset) && key <= 127;
                inside.then_some(PoolNote {
                    onset: onset as f32,
                    offset: offset as f32,
                    key,
                    velocity: n.velocity,
                    program,
                })
            })
            .collect();
        if notes.len() < FEWEST_NOTES {
            continue;
        }
        let Some(mut audio) = (if is_drums {
            synthesize_drums(font, &notes)
        } else {
            synthesize(font, &notes, !BASSES.contains(&program))
        }) else {
            continue;
        };
        if !is_drums && GUITARS.contains(&program) && chance(rng, 0.5) {
            amplify(rng, &mut audio);
        }
        if !is_drums && BASSES.contains(&program) && chance(rng, 0.5) {
            compress(&mut audio, uniform(rng, 6.0, 20.0), 4.0, 5.0, 120.0);
            saturate(&mut audio, log_uniform(rng, 0.7, 5.0));
        }
        if chance(rng, 0.5) {
            random_eq(rng, &mut audio, 6.0);
        }
        let level = rms(&audio);
        // A SoundFont may lack what is played.
        if level > 1e-5 {
            let balance = if is_drums { 3.0 } else { -3.0 };
            scale(&mut audio, amplitude(balance + normal(rng, 3.0)) / level);
            parts.push(Part {
                is_drums,
                named: sounds.map(|sounds| sounds[0]),
                audio,
                notes,
            });
        }
    }
    parts
}

/// Whether the channel has more notes in the excerpt from `start` on than any other of its family.
fn plays_in_small_band(song: &[MidiNote], channel: u8, start: f64) -> bool {
    let excerpt = start..start + EXCERPT_SECONDS;
    let program = |channel| {
        song.iter()
            .find(|n| n.channel == channel)
            .map(|n| n.program)
    };
    let count = |channel| {
        let own = song.iter().filter(|n| n.channel == channel);
        own.filter(|n| excerpt.contains(&n.onset)).count()
    };
    let family = |channel| program(channel).and_then(sounds_of);
    let Some(own) = family(channel) else {
        return false;
    };
    let mut rivals =
        (0..16).filter(|&c| c != channel && c != DRUM_CHANNEL && family(c) == Some(own));
    rivals.all(|rival| (count(channel), channel) > (count(rival), rival))
}

fn sum(parts: &[Part]) -> Vec<f32> {
    let length = parts.iter().map(|p| p.audio.len()).max().unwrap_or(0);
    let mut out = vec![0.0; length];
    for part in parts {
        mix(&mut out, &part.audio, 1.0);
    }
    out
}

fn write(folder: &Path, mut parts: Vec<Part>) -> Result<()> {
    let (stems, midi) = (folder.join("stems"), folder.join("MIDI"));
    for folder in [&stems, &midi] {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    // One gain for all keeps their balance; a part alone may be louder than all together.
    let loudest = parts.iter().map(|p| peak(&p.audio));
    let top = loudest.fold(peak(&sum(&parts)), f32::max).max(1e-6);
    let mut all = Vec::new();
    for (index, part) in parts.iter_mut().enumerate() {
        scale(&mut part.audio, 0.98 / top);
        let notes: Vec<Note> = part.notes.iter().map(|n| note(n, part)).collect();
        write_wav(&stems.join(format!("S{index:02}.wav")), &part.audio)?;
        write_midi_file(
            &midi.join(format!("S{index:02}.mid")),
            &notes,
            &MidiSettings::default(),
        )?;
        all.extend(notes);
    }
    write_midi_file(&folder.join("all_src.mid"), &all, &MidiSettings::default())?;
    write_wav(&folder.join("mix.wav"), &sum(&parts))
}

fn note(note: &PoolNote, part: &Part) -> Note {
    let is_drum = part.is_drums;
    Note {
        onset_seconds: note.onset.into(),
        offset_seconds: note.offset.into(),
        pitch: note.key,
        velocity: note.velocity.max(1),
        program: if is_drum {
            0
        } else {
            part.named.unwrap_or(note.program)
        },
        is_drum,
        openness: None,
        confidence: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SAMPLE_RATE;
    use crate::recordings::{Recordings, Stem};

    fn part(program: u8, is_drums: bool) -> Part {
        let notes = (0..20).map(|i| PoolNote {
            onset: i as f32 * 0.5,
            offset: i as f32 * 0.5 + 0.3,
            key: 36,
            velocity: 100,
            program,
        });
        Part {
            is_drums,
            named: None,
            audio: vec![0.7; 10 * SAMPLE_RATE as usize],
            notes: notes.collect(),
        }
    }

    #[test]
    fn a_small_band_has_the_busiest_part_of_each_family() {
        let notes = |channel: u8, program: u8, count: usize| {
            (0..count).map(move |i| MidiNote {
                onset: i as f64 * 0.1,
                offset: i as f64 * 0.1 + 0.1,
                channel,
                key: 60,
                velocity: 90,
                program,
            })
        };
        let parts = [
            (0, 0, 20),
            (1, 81, 30),
            (2, 29, 9),
            (3, 30, 9),
            (4, 120, 40),
        ];
        let song: Vec<MidiNote> = parts.iter().flat_map(|&(c, p, n)| notes(c, p, n)).collect();
        let playing = (0..16).filter(|&c| plays_in_small_band(&song, c, 0.0));
        assert_eq!(playing.collect::<Vec<u8>>(), [1, 3]);
        let mut part = part(30, false);
        part.named = Some(27);
        assert_eq!(note(&part.notes[0], &part).program, 27);
    }

    #[test]
    fn a_song_is_read_as_a_recording_in_stems() {
        let folder = std::env::temp_dir().join(format!("hitscribe-song-{}", std::process::id()));
        let track = folder.join("Track00001");
        write(&track, vec![part(33, false), part(0, true)]).unwrap();
        let heard = [Stem::Bass, Stem::Drums].map(|stem| {
            let recordings = Recordings::open(&folder, stem).unwrap();
            recordings.token_segment(1, 4, 0).unwrap().ids.len()
        });
        let vocals = Recordings::open(&folder, Stem::Vocals).err();
        let mix = hound::WavReader::open(track.join("mix.wav")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(heard.iter().all(|&ids| ids > 4), "{heard:?}");
        assert!(vocals.is_some());
        // 0.7 + 0.7 would not fit.
        let loudest = mix.into_samples::<i16>().map(|s| s.unwrap()).max();
        assert_eq!(loudest, Some((0.98f32 * 32_767.0).round() as i16));
    }
}
