//! The bank of drum one-shots: recorded and synthesized hits, grouped by instrument.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use hitscribe_core::DrumClass;
use hitscribe_core::audio::mono::read_mono;
use rayon::prelude::*;
use serde::Deserialize;

use crate::SAMPLE_RATE;

/// Every one-shot starts this many samples before its onset.
pub const ONSET_SAMPLE: usize = 128;

/// One recorded hit: mono at [`SAMPLE_RATE`], peak-normalised, onset at [`ONSET_SAMPLE`].
pub struct OneShot {
    /// 16-bit samples.
    pub samples: Vec<i16>,
    /// Rank of its original level within its instrument, 0 softest, 1 loudest.
    pub velocity_rank: f32,
}

/// One instrument under one microphone: hits of different strengths, softest first.
pub struct Instrument {
    /// Kit it belongs to.
    pub kit: String,
    /// Microphone: single, mix, close, overhead, room, lofi.
    pub mic: String,
    /// Playing technique, free text of the source.
    pub articulation: String,
    /// At least one, sorted by `velocity_rank`.
    pub hits: Vec<OneShot>,
}

/// Whether a kit is computed rather than recorded: by the procedural kits or as `synth_oneshots`.
pub fn is_computed(kit: &str) -> bool {
    kit.starts_with("procedural") || kit.starts_with("synth_")
}

/// All instruments by class. `None` holds percussion that is not a class of the model: distractors.
pub struct Bank {
    /// Instruments in a stable order.
    pub instruments: BTreeMap<Option<DrumClass>, Vec<Instrument>>,
}

/// Which half of the bank to read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Kits for training whose licence permits it.
    Train,
    /// Kits that no training has seen.
    HoldOut,
}

#[derive(Deserialize)]
struct Row {
    file: String,
    class: String,
    kit: String,
    articulation: String,
    mic: String,
    tier: String,
    velocity_rank: Option<f32>,
}

/// Names in the bank's index; toms of kits with fewer than four are spread by their own label.
fn class_of(label: &str) -> Option<DrumClass> {
    Some(match label {
        "kick" => DrumClass::Kick,
        "snare" | "snare_ghost" | "snare_brush" => DrumClass::Snare,
        "sidestick" => DrumClass::SideStick,
        "clap" => DrumClass::Clap,
        "tom_high" => DrumClass::HighTom,
        "tom_mid" => DrumClass::MidTom,
        "tom_low" => DrumClass::LowTom,
        "tom_floor" => DrumClass::FloorTom,
        "hihat_closed" => DrumClass::ClosedHat,
        "hihat_pedal" => DrumClass::PedalHat,
        "hihat_open" => DrumClass::OpenHat,
        "crash" => DrumClass::Crash,
        "ride" => DrumClass::Ride,
        "ride_bell" => DrumClass::RideBell,
        "china" => DrumClass::China,
        "splash" => DrumClass::Splash,
        "cowbell" => DrumClass::Cowbell,
        "tambourine" => DrumClass::Tambourine,
        "shaker" => DrumClass::Shaker,
        _ => return None,
    })
}

/// Salamander's author has put it in the public domain since the snapshot was tagged share-alike.
fn usable(row: &Row, split: Split) -> bool {
    split == Split::HoldOut || row.tier == "permissive" || row.kit == "salamander"
}

/// Snares played softly with the wires are one instrument with the snare of the same kit.
fn articulation_group(row: &Row) -> String {
    match row.class.as_str() {
        "snare_ghost" => "ghost".to_owned(),
        "snare_brush" => format!("brush {}", row.articulation),
        _ => row.articulation.clone(),
    }
}

impl Bank {
    /// Reads `root/oneshots`, and `root/synth_oneshots` where it exists, or `root/holdout_oneshots`.
    ///
    /// # Errors
    /// When an index or a sound cannot be read.
    pub fn load(root: &Path, split: Split) -> Result<Self> {
        let folders = match split {
            Split::Train => ["oneshots", "synth_oneshots"].as_slice(),
            Split::HoldOut => &["holdout_oneshots"],
        };
        let mut bank = Self {
            instruments: BTreeMap::new(),
        };
        for (index, name) in folders.iter().enumerate() {
            let folder = root.join(name);
            if index == 0 || folder.exists() {
                bank.load_folder(&folder, split)?;
            }
        }
        Ok(bank)
    }

    fn load_folder(&mut self, folder: &Path, split: Split) -> Result<()> {
        let index = folder.join("index.jsonl");
        let text = std::fs::read_to_string(&index)
            .with_context(|| format!("reading {}", index.display()))?;
        let rows: Vec<Row> = text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .with_context(|| format!("parsing {}", index.display()))?;
        let loaded: Vec<(Row, Vec<i16>)> = rows
            .into_par_iter()
            .filter(|row| usable(row, split))
            .map(|row| {
                let samples = decode(&folder.join(&row.file))?;
                Ok((row, samples))
            })
            .collect::<Result<_>>()?;

        let mut groups: BTreeMap<(Option<DrumClass>, String, String, String), Vec<OneShot>> =
            BTreeMap::new();
        for (row, samples) in loaded {
            let key = (
                class_of(&row.class),
                row.kit.clone(),
                articulation_group(&row),
                row.mic.clone(),
            );
            let velocity_rank = row.velocity_rank.unwrap_or(0.6);
            groups.entry(key).or_default().push(OneShot {
                samples,
                velocity_rank,
            });
        }
        for ((class, kit, articulation, mic), hits) in groups {
            self.add(
                class,
                Instrument {
                    kit,
                    mic,
                    articulation,
                    hits,
                },
            );
        }
        Ok(())
    }

    /// Adds an instrument; its hits are sorted here.
    pub fn add(&mut self, class: Option<DrumClass>, mut instrument: Instrument) {
        instrument
            .hits
            .sort_by(|a, b| a.velocity_rank.total_cmp(&b.velocity_rank));
        self.instruments.entry(class).or_default().push(instrument);
    }

    /// Instruments of a class; empty when the bank has none.
    pub fn of(&self, class: Option<DrumClass>) -> &[Instrument] {
        self.instruments.get(&class).map_or(&[], Vec::as_slice)
    }

    /// Kits that have at least a kick, a snare and a closed hat.
    pub fn full_kits(&self) -> Vec<String> {
        let has = |class, kit: &str| self.of(Some(class)).iter().any(|i| i.kit == kit);
        let mut kits: Vec<String> = self
            .of(Some(DrumClass::Kick))
            .iter()
            .map(|i| i.kit.clone())
            .filter(|kit| has(DrumClass::Snare, kit) && has(DrumClass::ClosedHat, kit))
            .collect();
        kits.dedup();
        kits
    }
}

fn decode(path: &Path) -> Result<Vec<i16>> {
    let recording = read_mono(path, SAMPLE_RATE)?;
    if recording.file_rate_hz != SAMPLE_RATE {
        bail!(
            "{}: {} Hz, the bank is at {SAMPLE_RATE} Hz",
            path.display(),
            recording.file_rate_hz
        );
    }
    let samples = recording.samples.iter();
    Ok(samples.map(|x| (x * 32_768.0) as i16).collect())
}
