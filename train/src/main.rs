//! `hitscribe-train`: renders the data that the training loop reads.

use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use hitscribe_train::band::render_pool;
use hitscribe_train::bank::Split;
use hitscribe_train::segment::{Segment, Studio};
use realfft::RealFftPlanner;

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
        /// Names the random stream.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Writes segments to standard output, in the record format of `data.py`.
    Segments {
        /// Folder of the sample bank.
        #[arg(long)]
        bank: PathBuf,
        /// Folder of the accompaniment.
        #[arg(long)]
        pool: Option<PathBuf>,
        /// Kits that training does not see, for validation.
        #[arg(long)]
        hold_out: bool,
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
}

/// Labels in one record: more would be 60 hits per second.
const MAX_HITS: usize = 256;

/// A record: `SEGMENT_SAMPLES` 16-bit samples, the number of hits as u32, then `MAX_HITS` times
/// (seconds, class, velocity 0..=1, audibility in dB) as f32; all little-endian.
fn write_record(out: &mut impl Write, segment: &Segment) -> std::io::Result<()> {
    for x in &segment.audio {
        let sample = (x * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16;
        out.write_all(&sample.to_le_bytes())?;
    }
    let hits = &segment.hits[..segment.hits.len().min(MAX_HITS)];
    out.write_all(&(hits.len() as u32).to_le_bytes())?;
    for hit in hits {
        let class = f32::from(hit.stroke.class as u8);
        for value in [
            hit.stroke.seconds as f32,
            class,
            hit.stroke.velocity,
            hit.audibility_db,
        ] {
            out.write_all(&value.to_le_bytes())?;
        }
    }
    for _ in hits.len()..MAX_HITS {
        out.write_all(&[0; 16])?;
    }
    Ok(())
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Pool {
            bank,
            sound_font,
            out,
            count,
            seed,
        } => {
            let fonts: Vec<_> = sound_font.iter().map(PathBuf::as_path).collect();
            render_pool(&bank.join("midi/midi_main.zip"), &fonts, &out, count, seed)
        }
        Command::Segments {
            bank,
            pool,
            hold_out,
            procedural_kits,
            seed,
            first,
            count,
        } => {
            let (split, kits) = if hold_out {
                (Split::HoldOut, 0)
            } else {
                (Split::Train, procedural_kits)
            };
            let studio = Studio::open(&bank, pool.as_deref(), split, kits, seed)?;
            let mut planner = RealFftPlanner::new();
            let mut out = BufWriter::with_capacity(1 << 20, stdout().lock());
            for index in first..first.saturating_add(count) {
                let segment = studio.segment(&mut planner, seed, index);
                match write_record(&mut out, &segment) {
                    // The reader has what it wants.
                    Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                    other => other.context("writing segments")?,
                }
            }
            out.flush().context("writing segments")
        }
    }
}
