//! A user's own recordings as segments: audio with MIDI beside it, whole songs or stems.
//!
//! Two layouts. A folder with `stems/` and `MIDI/` in it (as Slakh has them) is a song in parts:
//! each `MIDI/X.mid` holds the notes of `stems/X.flac` (or another format). Anywhere else `X.mid`
//! beside `X.wav` is a song in one part. What a part is follows from its notes: channel 10 is
//! drums, the program tells the rest.

mod mixture;
mod policy;
mod tokens;

use std::path::{Path, PathBuf};

use crate::class::DrumClass;
use anyhow::{Context, Result, bail};
use hitscribe_core::audio::file::EXTENSIONS;
use hitscribe_core::audio::mono::read_mono;
use hitscribe_core::tokens::yourmt3::{DRUM_PROGRAM, training_program};
use hitscribe_dsp::RealFftPlanner;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::SAMPLE_RATE;
use crate::dsp::{chance, interpolated, mix, peak, scale};
use crate::groove::Stroke;
use crate::perform::{Audibility, Hit};
use crate::segment::{
    LabelledNote, PitchedSegment, SEGMENT_SAMPLES, SEGMENT_SECONDS, Segment, master,
};
use crate::smf::{MidiNote, midi_notes};

use mixture::{Mixture, Window};
pub use policy::Policy;
pub use tokens::{MAX_IDS, StreamSegment, TokenSegment};

/// What the model is to be tuned on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Stem {
    /// Channel 10.
    Drums,
    /// Bass programs.
    Bass,
    /// Voices and choirs.
    Vocals,
    /// Voices and choirs, as one singing voice where labels have one.
    Singing,
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
        of == self || (of, self) == (Self::Vocals, Self::Singing)
    }

    /// The program that YourMT3's labels have for a note: that of its group, or [`DRUM_PROGRAM`].
    /// Stems of voices have programs of their own for a singer and a choir.
    fn instrument(self, note: &MidiNote) -> u8 {
        const SINGER: u8 = 100;
        const CHOIR: u8 = 101;
        match (self, note.channel, note.program) {
            (_, 9, _) => DRUM_PROGRAM,
            (Self::Vocals, _, 52 | 91) => CHOIR,
            (Self::Vocals | Self::Singing, ..) => SINGER,
            (_, _, program) => training_program(program),
        }
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
    policy: Policy,
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
        let policy = Policy::default();
        Ok(Self {
            songs,
            stem,
            policy,
        })
    }

    /// With labelled parts dropped, and added from other songs.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Segment number `index` of the stream that `seed` names; always the same. The stem is moved
    /// by up to two semitones and 0.8 to 1.1 in gain, with other parts of its song, of other songs,
    /// or alone. What the policy adds is labelled, too.
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
