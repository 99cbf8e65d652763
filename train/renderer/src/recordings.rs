//! A user's own recordings as segments: audio with MIDI beside it, whole songs or stems.
//!
//! Two layouts. A folder with `stems/` and `MIDI/` in it (as Slakh has them) is a song in parts:
//! each `MIDI/X.mid` holds the notes of `stems/X.flac` (or another format). Anywhere else `X.mid`
//! beside `X.wav` is a song in one part. What a part is follows from its notes: channel 10 is
//! drums, the program tells the rest.

mod tokens;

use std::path::{Path, PathBuf};

use crate::class::DrumClass;
use anyhow::{Context, Result, bail};
use hitscribe_core::audio::file::EXTENSIONS;
use hitscribe_core::audio::mono::read_mono;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use realfft::RealFftPlanner;

use crate::SAMPLE_RATE;
use crate::dsp::{chance, interpolated, mix, peak, scale, uniform};
use crate::groove::Stroke;
use crate::perform::{Audibility, Hit};
use crate::segment::{
    LabelledNote, PitchedSegment, SEGMENT_SAMPLES, SEGMENT_SECONDS, Segment, master,
};
use crate::smf::{MidiNote, midi_notes};

pub use tokens::{MAX_IDS, TOKEN_SEGMENT_SAMPLES, TokenSegment};

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
    /// Every part.
    Mix,
}

impl Stem {
    fn holds(self, note: &MidiNote) -> bool {
        if self == Self::Mix {
            return true;
        }
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

    /// What the recording holds from the start of the window on, at its speed.
    fn heard(&self, window: Window) -> Vec<f32> {
        (0..window.samples)
            .map(|i| interpolated(&self.samples, window.start + i as f64 * window.ratio))
            .collect()
    }
}

/// A stretch of a recording.
#[derive(Clone, Copy)]
struct Window {
    /// First sample of the recording, which may lie before its start.
    start: f64,
    /// Samples of the recording for each one of the window.
    ratio: f64,
    /// Length.
    samples: usize,
}

impl Window {
    /// A time of the recording in seconds from the start of the window.
    fn seconds(self, of_recording: f64) -> f64 {
        let rate = f64::from(SAMPLE_RATE);
        (of_recording * rate - self.start) / self.ratio / rate
    }
}

/// The stem and what plays along, of the same length, and the notes of the stem as they are heard.
struct Mixture {
    own: Vec<f32>,
    around: Vec<f32>,
    /// In order of their onsets, in seconds from the start; those that begin before it and sound in
    /// it are among them.
    notes: Vec<MidiNote>,
    /// Seconds from the start to that of the recording.
    start_seconds: f64,
    /// Seconds from the start to the end of the recording.
    end_seconds: f64,
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
    silent: f32,
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
        Ok(Self {
            songs,
            stem,
            silent: 0.0,
        })
    }

    /// Leaves out each part of the stem with this probability, but one.
    #[must_use]
    pub fn with_silent(mut self, share: f32) -> Self {
        self.silent = share;
        self
    }

    /// Segment number `index` of the stream that `seed` names; always the same. The stem is moved
    /// by up to two semitones and 0.8 to 1.1 in gain, with other parts of its song, of other songs,
    /// or alone.
    pub fn segment(&self, seed: u64, index: u64) -> Excerpt {
        let mut rng = random_stream(seed, index);
        let Mixture {
            own: mut audio,
            around,
            notes,
            ..
        } = self.mixture(&mut rng, SEGMENT_SAMPLES, 0.0);
        if self.stem == Stem::Drums {
            let hits = notes.iter().filter_map(|n| hit(n, &audio, &around));
            let hits = hits.collect();
            mix(&mut audio, &around, 1.0);
            finish(&mut rng, &mut audio);
            Excerpt::Drums(Segment { audio, hits })
        } else {
            mix(&mut audio, &around, 1.0);
            finish(&mut rng, &mut audio);
            let notes = notes.iter().map(|n| LabelledNote {
                onset: n.onset as f32,
                offset: n.offset as f32,
                key: n.key,
                velocity: f32::from(n.velocity) / 127.0,
                program: n.program,
            });
            let notes = notes.collect();
            Excerpt::Pitched(PitchedSegment { audio, notes })
        }
    }

    /// The stem from a random place on, moved, and what is heard with it. The notes are those of
    /// `history_seconds` before it too.
    fn mixture(&self, rng: &mut impl Rng, samples: usize, history_seconds: f64) -> Mixture {
        let song = &self.songs[rng.random_range(0..self.songs.len())];
        let (mut wanted, others): (Vec<&Part>, Vec<&Part>) =
            song.iter().partition(|p| p.holds(self.stem));
        if self.silent > 0.0 && wanted.len() > 1 {
            let one = rng.random_range(0..wanted.len());
            let mut index = 0;
            wanted.retain(|_| {
                index += 1;
                index - 1 == one || !chance(rng, self.silent)
            });
        }
        let longest = wanted.iter().map(|p| p.samples.len()).max().unwrap_or(0) as f64;
        let semitones = rng.random_range(-2i8..=2);
        let window = Window {
            ratio: 2f64.powf(f64::from(semitones) / 12.0),
            start: rng.random_range(-0.1..1.0) * longest - 0.4 * samples as f64,
            samples,
        };

        let mut own = vec![0.0f32; samples];
        for part in &wanted {
            mix(&mut own, &part.heard(window), uniform(rng, 0.8, 1.1));
        }
        let mut around = vec![0.0f32; samples];
        match rng.random::<f32>() {
            p if p < 0.5 => {
                for part in others {
                    if chance(rng, 0.8) {
                        let gain = uniform(rng, 0.8, 1.1);
                        mix(&mut around, &part.heard(window), gain);
                    }
                }
            }
            p if p < 0.75 => self.parts_of_other_songs(rng, &mut around),
            _ => {}
        }

        // The keys of drums are no pitches.
        let moved = |n: &MidiNote| if n.channel == 9 { 0 } else { semitones };
        let length = samples as f64 / f64::from(SAMPLE_RATE);
        let notes = wanted.iter().flat_map(|p| &p.notes);
        let mut notes: Vec<MidiNote> = notes
            .filter(|n| self.stem.holds(n))
            .map(|n| MidiNote {
                onset: window.seconds(n.onset),
                offset: window.seconds(n.offset),
                key: n.key.saturating_add_signed(moved(n)),
                ..*n
            })
            .filter(|n| n.offset > -history_seconds && n.onset < length)
            .collect();
        notes.sort_by(|a, b| a.onset.total_cmp(&b.onset));
        Mixture {
            own,
            around,
            notes,
            start_seconds: window.seconds(0.0),
            end_seconds: window.seconds(longest / f64::from(SAMPLE_RATE)),
        }
    }

    fn parts_of_other_songs(&self, rng: &mut impl Rng, around: &mut [f32]) {
        for _ in 0..rng.random_range(1..=3) {
            let song = &self.songs[rng.random_range(0..self.songs.len())];
            let part = &song[rng.random_range(0..song.len())];
            if part.holds(self.stem) {
                continue;
            }
            let window = Window {
                ratio: 2f64.powf(f64::from(uniform(rng, -2.0, 2.0)) / 12.0),
                start: rng.random::<f64>() * part.samples.len() as f64,
                samples: around.len(),
            };
            mix(around, &part.heard(window), uniform(rng, 0.8, 1.1));
        }
    }
}

/// The random numbers of one segment.
fn random_stream(seed: u64, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index);
    rng
}

/// Half of the segments stay as they were recorded.
fn finish(rng: &mut impl Rng, audio: &mut [f32]) {
    if chance(rng, 0.5) {
        master(rng, &mut RealFftPlanner::new(), audio);
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
        audibility: Audibility::beside(own, around, at),
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
mod tests;
