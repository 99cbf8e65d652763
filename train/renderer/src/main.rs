//! `hitscribe-train`: renders the data that the training loop reads.

mod records;

use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use hitscribe_core::tokens::yourmt3::Layout;
use hitscribe_dsp::RealFftPlanner;
use hitscribe_train::SAMPLE_RATE;
use hitscribe_train::accompaniment::band::{Shares, render_pool};
use hitscribe_train::accompaniment::songs::{Band, render_songs};
use hitscribe_train::bank::Split;
use hitscribe_train::grid::Half;
use hitscribe_train::grid::score::score;
use hitscribe_train::recordings::{Excerpt, Policy, Recordings, Stem};
use hitscribe_train::segment::Studio;

use crate::records::{write_drums, write_pitched, write_streams, write_tokens};

#[derive(Parser)]
#[command(about = "Renders training data for the built-in model.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Renders accompaniment from songs, scores and SoundFonts, once.
    Pool {
        /// Folder of the sample bank.
        #[arg(long)]
        bank: PathBuf,
        /// Plain SF2 files.
        #[arg(long, required = true)]
        sound_font: Vec<PathBuf>,
        /// Folder to write.
        #[arg(long)]
        out: PathBuf,
        /// Excerpts of 24 s.
        #[arg(long, default_value_t = 400)]
        count: usize,
        /// Share of excerpts that one instrument plays alone.
        #[arg(long, default_value_t = 0.0)]
        solo_share: f32,
        /// Share of excerpts with invented riffs and sequences: guitar walls, synthesizers, slapped
        /// basses.
        #[arg(long, default_value_t = 0.0)]
        riff_share: f32,
        /// Songs and scores that training does not hear, for validation.
        #[arg(long)]
        hold_out: bool,
        /// Names the random stream.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Writes segments to standard output, in the record format of `data.py`.
    Segments {
        /// Folder of a sample bank; may be given several times.
        #[arg(long, required = true)]
        bank: Vec<PathBuf>,
        /// Folder of the accompaniment; may be given several times.
        #[arg(long)]
        pool: Vec<PathBuf>,
        /// Folder of recorded speech, WAV at 32 kHz.
        #[arg(long)]
        talk: Option<PathBuf>,
        /// Folder of real loops with labels: X.wav at 32 kHz with X.csv (seconds, class, velocity).
        #[arg(long)]
        loops: Option<PathBuf>,
        /// Kits that training does not see, for validation.
        #[arg(long)]
        hold_out: bool,
        /// Performances on kits as they were recorded, without band, room or processing.
        #[arg(long, conflicts_with = "pitched")]
        dry: bool,
        /// Labels pitched notes instead of hits.
        #[arg(long, requires = "pool")]
        pitched: bool,
        /// Length of a segment: a multiple of 8 ms up to 16 s.
        #[arg(long, default_value_t = 4.096, value_parser = seconds)]
        seconds: f64,
        /// Invented kits beside the recorded ones.
        #[arg(long, default_value_t = 60)]
        procedural_kits: usize,
        /// Names the random stream.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// First segment.
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Number of segments.
        #[arg(long)]
        count: u64,
    },
    /// Renders half of the validation grid: kits, drummers, songs and speakers that training never
    /// has.
    Grid {
        /// Folder of a sample bank; may be given several times.
        #[arg(long, required = true)]
        bank: Vec<PathBuf>,
        /// Folder of the accompaniment that `pool --hold-out` rendered; may be given several times.
        #[arg(long, required = true)]
        pool: Vec<PathBuf>,
        /// Folder of recorded speech, WAV at 32 kHz.
        #[arg(long)]
        talk: PathBuf,
        /// Folder to write.
        #[arg(long)]
        out: PathBuf,
        /// Which seeds.
        #[arg(long)]
        half: Half,
        /// Clips of each scenario.
        #[arg(long, default_value_t = 6)]
        clips: u64,
    },
    /// Scores transcriptions of half of the grid.
    GridScore {
        /// Folder of the half.
        #[arg(long)]
        grid: PathBuf,
        /// Folder of the transcriptions: SCENARIO/NN.mid, or NN.csv with seconds, class and
        /// velocity.
        #[arg(long)]
        pred: PathBuf,
        /// Write all counts to this file.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Renders songs of the bank in Slakh's layout, with a stem for each instrument.
    Songs {
        /// Folder of the sample bank.
        #[arg(long)]
        bank: PathBuf,
        /// Plain SF2 files.
        #[arg(long, required = true)]
        sound_font: Vec<PathBuf>,
        /// Folder to write.
        #[arg(long)]
        out: PathBuf,
        /// First song: the bank's in order of their names, then all of them again.
        #[arg(long, default_value_t = 0)]
        first: usize,
        /// Songs of 24 s; those in which no bass plays are left out.
        #[arg(long)]
        count: usize,
        /// Drums, keys, guitar, bass and strings only, one part and a few sounds each; their notes
        /// have one program a family: 0, 27, 33 and 48.
        #[arg(long)]
        small_band: bool,
        /// Names the random stream.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Writes segments of a user's recordings to standard output, in the record format of
    /// `data.py`.
    Recordings {
        /// Folder with X.wav and X.mid, or songs with stems/X.flac and MIDI/X.mid.
        #[arg(long)]
        folder: PathBuf,
        /// What is labelled: hits for drums, notes for every other stem.
        #[arg(long)]
        stem: Stem,
        /// Labels with the tokens of a published model instead, in the record format of its
        /// `data.py`.
        #[arg(long)]
        tokens: Option<Tokens>,
        /// With YourMT3's tokens: one stream for all notes instead of 13 channels.
        #[arg(long, requires = "tokens")]
        one_stream: bool,
        #[command(flatten)]
        policy: Policy,
        /// With tokens: those of this many segments before each.
        #[arg(long, default_value_t = 0, requires = "tokens")]
        history: usize,
        /// Names the random stream.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// First segment.
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Number of segments.
        #[arg(long)]
        count: u64,
    },
}

/// A clip of the grid lasts 20 s.
const GRID_SAMPLES: usize = 20 * SAMPLE_RATE as usize;

/// Event vocabularies.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Tokens {
    /// MT3's, MT3-PyTorch's and MR-MT3's, for segments of 2.048 s at 16 kHz.
    Mt3,
    /// YourMT3's.
    Yourmt3,
}

fn split_of(hold_out: bool) -> Split {
    if hold_out {
        Split::HoldOut
    } else {
        Split::Train
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let frames = seconds * f64::from(SAMPLE_RATE) / 256.0;
    if (1.0..=2_000.0).contains(&frames) && (frames - frames.round()).abs() < 1e-6 {
        Ok(seconds)
    } else {
        Err("must be a multiple of 0.008 s, at most 16 s".to_owned())
    }
}

/// Writes one record per index until the reader has what it wants.
fn write_all(
    indices: std::ops::Range<u64>,
    mut write: impl FnMut(&mut dyn Write, u64) -> std::io::Result<()>,
) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, stdout().lock());
    for index in indices {
        match write(&mut out, index) {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            other => other.context("writing segments")?,
        }
    }
    out.flush().context("writing segments")
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Pool {
            bank,
            sound_font,
            out,
            count,
            solo_share,
            riff_share,
            hold_out,
            seed,
        } => {
            let fonts: Vec<_> = sound_font.iter().map(PathBuf::as_path).collect();
            let archive = bank.join("midi/midi_main.zip");
            let shares = Shares {
                riffs: riff_share,
                solo: solo_share,
            };
            render_pool(
                &archive,
                &fonts,
                &out,
                count,
                shares,
                split_of(hold_out),
                seed,
            )
        }
        Command::Segments {
            bank,
            pool,
            talk,
            loops,
            hold_out,
            dry,
            pitched,
            seconds,
            procedural_kits,
            seed,
            first,
            count,
        } => {
            let split = split_of(hold_out);
            let kits = if hold_out { 0 } else { procedural_kits };
            let samples = (seconds * f64::from(SAMPLE_RATE)).round() as usize;
            let mut studio = Studio::open(&bank, &pool, split, kits, seed)?.with_length(samples);
            if let Some(folder) = &talk {
                studio = studio.with_talk(folder)?;
            }
            if let Some(folder) = &loops {
                studio = studio.with_loops(folder)?;
            }
            let mut planner = RealFftPlanner::new();
            write_all(first..first.saturating_add(count), |out, index| {
                if pitched {
                    write_pitched(out, &studio.pitched_segment(&mut planner, seed, index))
                } else if dry {
                    write_drums(out, &studio.dry_segment(seed, index))
                } else {
                    write_drums(out, &studio.segment(&mut planner, seed, index))
                }
            })
        }
        Command::Recordings {
            folder,
            stem,
            tokens,
            one_stream,
            policy,
            history,
            seed,
            first,
            count,
        } => {
            let recordings = Recordings::open(&folder, stem)?.with_policy(policy);
            let layout = match one_stream {
                true => Layout::OneStream,
                false => Layout::Channels,
            };
            let failed = std::io::Error::other;
            write_all(
                first..first.saturating_add(count),
                |out, index| match tokens {
                    Some(Tokens::Mt3) => {
                        let segment = recordings.token_segment(seed, index, history);
                        write_tokens(out, &segment.map_err(failed)?)
                    }
                    Some(Tokens::Yourmt3) => {
                        let segment = recordings.stream_segment(seed, index, layout);
                        write_streams(out, &segment.map_err(failed)?)
                    }
                    None => match recordings.segment(seed, index) {
                        Excerpt::Drums(segment) => write_drums(out, &segment),
                        Excerpt::Pitched(segment) => write_pitched(out, &segment),
                    },
                },
            )
        }
        Command::Grid {
            bank,
            pool,
            talk,
            out,
            half,
            clips,
        } => {
            let studio = Studio::open(&bank, &pool, Split::HoldOut, 0, 1)?;
            let studio = studio.with_talk(&talk)?.with_length(GRID_SAMPLES);
            hitscribe_train::grid::render(&studio, &out, half, clips)
        }
        Command::GridScore { grid, pred, json } => {
            let report = score(&grid, &pred)?;
            #[expect(clippy::print_stdout, reason = "the result of the command")]
            {
                println!("{}", report.table());
            }
            if let Some(path) = json {
                std::fs::write(&path, serde_json::to_string_pretty(&report)?)
                    .with_context(|| format!("writing {}", path.display()))?;
            }
            Ok(())
        }
        Command::Songs {
            bank,
            sound_font,
            out,
            first,
            count,
            small_band,
            seed,
        } => {
            let archive = bank.join("midi/midi_main.zip");
            let songs = first..first.saturating_add(count);
            let band = if small_band { Band::Small } else { Band::Whole };
            render_songs(&archive, &sound_font, &out, songs, band, seed)
        }
    }
}
