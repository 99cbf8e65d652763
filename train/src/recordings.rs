//! A user's own recordings as segments: audio with MIDI beside it, whole songs or stems.
//!
//! Two layouts. A folder with `stems/` and `MIDI/` in it (as Slakh has them) is a song in parts: each
//! `MIDI/X.mid` holds the notes of `stems/X.flac` (or another format). Anywhere else `X.mid` beside
//! `X.wav` is a song in one part. What a part is follows from its notes: channel 10 is drums, the program
//! tells the rest.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hitscribe_engine::DrumClass;
use hitscribe_engine::audio::decode::EXTENSIONS;
use hitscribe_engine::audio::mono::read_mono;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::SAMPLE_RATE;
use crate::dsp::{chance, interpolated, mix, peak, scale, uniform};
use crate::groove::Stroke;
use crate::perform::{Hit, audibility_db};
use crate::segment::{
    LabelledNote, PitchedSegment, SEGMENT_SAMPLES, SEGMENT_SECONDS, Segment, master,
};
use crate::smf::{MidiNote, midi_notes};

/// What the model is to be tuned on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Stem {
    /// Channel 10.
    Drums,
    /// Bass programs.
    Bass,
    /// Voices and choirs.
    Vocals,
    /// Every other pitched part.
    Other,
}

impl Stem {
    fn holds(self, note: &MidiNote) -> bool {
        let of = match (note.channel, note.program) {
            (9, _) => Self::Drums,
            (_, 32..=39) => Self::Bass,
            (_, 52..=54 | 85 | 91) => Self::Vocals,
            _ => Self::Other,
        };
        of == self
    }
}

/// One audio file and its notes.
struct Part {
    samples: Vec<i16>,
    notes: Vec<MidiNote>,
}

impl Part {
    fn load(midi: &Path, audio: &Path) -> Result<Self> {
        let bytes = std::fs::read(midi).with_context(|| format!("reading {}", midi.display()))?;
        let notes = midi_notes(&bytes).with_context(|| format!("reading {}", midi.display()))?;
        let samples = read_mono(audio, SAMPLE_RATE)?.samples;
        Ok(Self {
            samples: samples.iter().map(|x| (x * 32_767.0) as i16).collect(),
            notes,
        })
    }

    fn holds(&self, stem: Stem) -> bool {
        self.notes.iter().any(|n| stem.holds(n))
    }

    /// A segment's length from `start_samples` on, `ratio` times as fast.
    fn window(&self, start_samples: f64, ratio: f64) -> Vec<f32> {
        (0..SEGMENT_SAMPLES)
            .map(|i| interpolated(&self.samples, start_samples + i as f64 * ratio))
            .collect()
    }
}

/// A segment of the stem that was asked for.
pub enum Excerpt {
    /// With hits.
    Drums(Segment),
    /// With notes.
    Pitched(PitchedSegment),
}

/// Everything below a folder that has a stem, in memory: 64 kB a second and part.
pub struct Recordings {
    songs: Vec<Vec<Part>>,
    stem: Stem,
}

impl Recordings {
    /// Reads the songs below `folder` in which `stem` plays.
    ///
    /// # Errors
    /// When a file cannot be read, or when there is no such song.
    pub fn open(folder: &Path, stem: Stem) -> Result<Self> {
        let mut songs = Vec::new();
        collect(folder, &mut songs)?;
        songs.retain(|song| song.iter().any(|part| part.holds(stem)));
        if songs.is_empty() {
            bail!(
                "{}: no recording with {stem:?} in its MIDI; expected X.wav with X.mid beside it, or songs \
                 with stems/X.flac and MIDI/X.mid",
                folder.display()
            );
        }
        Ok(Self { songs, stem })
    }

    /// Segment number `index` of the stream that `seed` names; always the same. The stem is moved by up
    /// to two semitones and 0.8 to 1.1 in gain, with other parts of its song, of other songs, or alone.
    pub fn segment(&self, seed: u64, index: u64) -> Excerpt {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        let rng = &mut rng;
        let song = &self.songs[rng.random_range(0..self.songs.len())];
        let (wanted, others): (Vec<&Part>, Vec<&Part>) =
            song.iter().partition(|p| p.holds(self.stem));
        let longest = wanted.iter().map(|p| p.samples.len()).max().unwrap_or(0);
        let semitones = rng.random_range(-2i8..=2);
        let ratio = 2f64.powf(f64::from(semitones) / 12.0);
        let start = rng.random_range(-0.1..1.0) * longest as f64 - 0.4 * SEGMENT_SAMPLES as f64;

        let mut audio = vec![0.0f32; SEGMENT_SAMPLES];
        for part in &wanted {
            mix(
                &mut audio,
                &part.window(start, ratio),
                uniform(rng, 0.8, 1.1),
            );
        }
        let mut around = vec![0.0f32; SEGMENT_SAMPLES];
        match rng.random::<f32>() {
            p if p < 0.5 => {
                for part in others {
                    if chance(rng, 0.8) {
                        let gain = uniform(rng, 0.8, 1.1);
                        mix(&mut around, &part.window(start, ratio), gain);
                    }
                }
            }
            p if p < 0.75 => self.parts_of_other_songs(rng, &mut around),
            _ => {}
        }

        let rate = f64::from(SAMPLE_RATE);
        let seconds = |t: f64| (t * rate - start) / ratio / rate;
        let notes = wanted.iter().flat_map(|p| &p.notes);
        let mut notes: Vec<MidiNote> = notes
            .filter(|n| self.stem.holds(n))
            .map(|n| MidiNote {
                onset: seconds(n.onset),
                offset: seconds(n.offset),
                ..*n
            })
            .filter(|n| n.offset > 0.0 && n.onset < SEGMENT_SECONDS)
            .collect();
        notes.sort_by(|a, b| a.onset.total_cmp(&b.onset));
        if self.stem == Stem::Drums {
            let hits = notes.iter().filter_map(|n| hit(n, &audio, &around));
            let hits = hits.collect();
            mix(&mut audio, &around, 1.0);
            finish(rng, &mut audio);
            Excerpt::Drums(Segment { audio, hits })
        } else {
            mix(&mut audio, &around, 1.0);
            finish(rng, &mut audio);
            let notes = notes.iter().map(|n| LabelledNote {
                onset: n.onset as f32,
                offset: n.offset as f32,
                key: n.key.saturating_add_signed(semitones),
                velocity: f32::from(n.velocity) / 127.0,
            });
            let notes = notes.collect();
            Excerpt::Pitched(PitchedSegment { audio, notes })
        }
    }

    fn parts_of_other_songs(&self, rng: &mut impl Rng, around: &mut [f32]) {
        for _ in 0..rng.random_range(1..=3) {
            let song = &self.songs[rng.random_range(0..self.songs.len())];
            let part = &song[rng.random_range(0..song.len())];
            if part.holds(self.stem) {
                continue;
            }
            let ratio = 2f64.powf(f64::from(uniform(rng, -2.0, 2.0)) / 12.0);
            let start = rng.random::<f64>() * part.samples.len() as f64;
            mix(around, &part.window(start, ratio), uniform(rng, 0.8, 1.1));
        }
    }
}

/// Half of the segments stay as they were recorded.
fn finish(rng: &mut impl Rng, audio: &mut [f32]) {
    if chance(rng, 0.5) {
        master(rng, audio);
    }
    let top = peak(audio);
    if top > 1.0 {
        scale(audio, 1.0 / top);
    }
}

fn hit(note: &MidiNote, own: &[f32], around: &[f32]) -> Option<Hit> {
    let class = DrumClass::from_gm_note(note.key)?;
    if !(0.0..SEGMENT_SECONDS).contains(&note.onset) {
        return None;
    }
    let at = (note.onset * f64::from(SAMPLE_RATE)) as usize;
    Some(Hit {
        stroke: Stroke {
            seconds: note.onset,
            class,
            velocity: f32::from(note.velocity) / 127.0,
        },
        audibility_db: audibility_db(own, around, at),
    })
}

fn collect(folder: &Path, songs: &mut Vec<Vec<Part>>) -> Result<()> {
    let context = || format!("reading {}", folder.display());
    let (stems, midi) = (folder.join("stems"), folder.join("MIDI"));
    if stems.is_dir() && midi.is_dir() {
        let mut parts = Vec::new();
        for (notes, audio) in pairs(&midi, &stems)? {
            parts.push(Part::load(&notes, &audio)?);
        }
        songs.push(parts);
        return Ok(());
    }
    for (notes, audio) in pairs(folder, folder)? {
        songs.push(vec![Part::load(&notes, &audio)?]);
    }
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    folders.iter().try_for_each(|folder| collect(folder, songs))
}

/// The MIDI files of one folder that have audio of the same name in another.
fn pairs(midi: &Path, audio: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let context = || format!("reading {}", midi.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(midi).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let is_midi = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("mid") || e.eq_ignore_ascii_case("midi"));
        let (true, Some(name)) = (is_midi, path.file_stem()) else {
            continue;
        };
        let audio = EXTENSIONS
            .iter()
            .map(|extension| {
                let mut file = name.to_owned();
                file.push(".");
                file.push(extension);
                audio.join(file)
            })
            .find(|path| path.is_file());
        found.extend(audio.map(|audio| (path.clone(), audio)));
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn song(channel: u8) -> Vec<Part> {
        // A click each half second, a note at each click.
        let samples = (0..20 * 32_000)
            .map(|n| if n % 16_000 < 40 { 20_000 } else { 0 })
            .collect();
        let notes = (0..40).map(|beat| MidiNote {
            onset: f64::from(beat) * 0.5,
            offset: f64::from(beat) * 0.5 + 0.2,
            channel,
            program: 33,
            key: 38,
            velocity: 100,
        });
        let notes = notes.collect();
        vec![Part { samples, notes }]
    }

    fn of(stem: Stem, songs: Vec<Vec<Part>>) -> Recordings {
        Recordings { songs, stem }
    }

    #[test]
    fn hits_stay_on_their_clicks_when_the_recording_is_moved() {
        let recordings = of(Stem::Drums, vec![song(9)]);
        let mut judged = 0;
        for index in 0..20 {
            let Excerpt::Drums(segment) = recordings.segment(1, index) else {
                panic!("drums were asked for");
            };
            for hit in &segment.hits {
                let at = (hit.stroke.seconds * f64::from(SAMPLE_RATE)).round() as usize;
                if (200..SEGMENT_SAMPLES - 200).contains(&at) {
                    let energy = |range: std::ops::Range<usize>| {
                        segment.audio[range].iter().map(|x| x * x).sum::<f32>()
                    };
                    judged += usize::from(energy(at..at + 64) > 4.0 * energy(at - 72..at - 8));
                }
            }
        }
        assert!(judged > 60, "{judged}");
    }

    #[test]
    fn a_stem_is_known_by_its_notes() {
        let bass = of(Stem::Bass, vec![song(0)]);
        let Excerpt::Pitched(segment) = bass.segment(1, 3) else {
            panic!("notes were asked for");
        };
        assert!(segment.notes.iter().all(|n| (36..=40).contains(&n.key)));
        assert!(!song(0)[0].holds(Stem::Drums) && song(9)[0].holds(Stem::Drums));
    }

    #[test]
    fn folders_without_the_stem_are_refused_with_a_reason() {
        let folder = std::env::temp_dir().join(format!("hitscribe-none-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let error = Recordings::open(&folder, Stem::Drums).err().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(error.to_string().contains("no recording with Drums"));
    }
}
