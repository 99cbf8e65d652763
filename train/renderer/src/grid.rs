//! The validation grid: clips of situations, from kits, drummers, songs and speakers that training
//! never has, and the scores of a transcription of them.
//!
//! `FOLDER/HALF/SCENARIO/NN.wav` with `NN.csv` (a line for each stroke: seconds, index of the
//! class, velocity 0..=1, audibility in dB) and `NN.json` (the audible ones as evaluation sets have
//! them).

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use hitscribe_dsp::RealFftPlanner;
use rayon::prelude::*;
use serde_json::json;

use crate::SAMPLE_RATE;
use crate::labels::INAUDIBLE_DB;
use crate::segment::{Scenario, Segment, Studio};
use crate::wav::write_wav;

pub mod score;

/// Decisions are made on one half of the seeds, final figures come from the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Half {
    /// For thresholds, rules, shares, checkpoints.
    Tune,
    /// For the figures that are published.
    Final,
}

impl Half {
    const fn seed(self) -> u64 {
        match self {
            Self::Tune => 190_001,
            Self::Final => 190_002,
        }
    }

    /// Name of its folder.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tune => "tune",
            Self::Final => "final",
        }
    }
}

/// Renders `clips` clips of every scenario into `folder`.
///
/// # Errors
/// When something cannot be written.
pub fn render(studio: &Studio, folder: &Path, half: Half, clips: u64) -> Result<()> {
    let jobs: Vec<(Scenario, u64)> = Scenario::ALL
        .into_iter()
        .flat_map(|scenario| (0..clips * scenario.weight()).map(move |index| (scenario, index)))
        .collect();
    jobs.into_par_iter().try_for_each(|(scenario, index)| {
        let clip = studio.clip(&mut RealFftPlanner::new(), scenario, half.seed(), index);
        let folder = folder.join(half.name()).join(scenario.name());
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        write(&folder, &format!("{index:02}"), scenario, &clip)
    })
}

/// Writes one clip and its references.
fn write(folder: &Path, name: &str, scenario: Scenario, clip: &Segment) -> Result<()> {
    let path = |extension: &str| folder.join(format!("{name}.{extension}"));
    write_wav(&path("wav"), &clip.audio)?;
    let mut csv = String::new();
    for hit in &clip.hits {
        let (s, class) = (hit.stroke, hit.stroke.class as u8);
        let db = hit.audibility.db();
        writeln!(csv, "{:.6},{class},{:.4},{db:.2}", s.seconds, s.velocity)?;
    }
    let save = |extension: &str, text: String| {
        let path = path(extension);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    save("csv", csv)?;
    let audible = clip
        .hits
        .iter()
        .filter(|h| h.audibility.db() >= INAUDIBLE_DB);
    let drums: Vec<_> = audible
        .map(|h| {
            json!({
                "t": h.stroke.seconds,
                "midi": h.stroke.class.gm_note(),
                "velocity": (h.stroke.velocity * 127.0).round().clamp(1.0, 127.0) as u8,
            })
        })
        .collect();
    let kind = match scenario {
        Scenario::Noise | Scenario::BandAlone => "nodrums",
        _ => "drums",
    };
    let reference = json!({
        "set": scenario.name(), "track": name, "kind": kind, "drums": drums, "notes": [],
        "duration": clip.audio.len() as f64 / f64::from(SAMPLE_RATE), "sr": SAMPLE_RATE,
    });
    save("json", reference.to_string())
}
