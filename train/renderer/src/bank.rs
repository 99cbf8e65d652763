//! The bank of drum one-shots: recorded and synthesized hits, grouped by instrument.

use std::collections::BTreeMap;
use std::path::Path;

use crate::class::DrumClass;
use anyhow::{Context, Result, bail};
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

/// Where the sounds of a kit come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Skin, wood and bronze before a microphone.
    Acoustic,
    /// Machines and synthesizers that somebody recorded.
    Machine,
    /// Renders of a few open drum models, and kits that were computed.
    Computed,
}

impl Origin {
    fn of(kit: &str, kit_type: &str) -> Self {
        let modelled = ["synth", "plaits_", "peaks_", "stk_perc", "procedural"];
        if modelled.iter().any(|prefix| kit.starts_with(prefix)) {
            Self::Computed
        } else if kit_type == "electronic" {
            Self::Machine
        } else {
            Self::Acoustic
        }
    }
}

/// All instruments by class.
#[derive(Default)]
pub struct Bank {
    /// Instruments in a stable order.
    pub instruments: BTreeMap<DrumClass, Vec<Instrument>>,
    /// Kits by name.
    pub origins: BTreeMap<String, Origin>,
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
    gm_note: Option<u8>,
    kit: String,
    kit_type: String,
    articulation: String,
    mic: String,
    tier: String,
    velocity_rank: Option<f32>,
}

/// Names in the bank's index; hand percussion goes by its key. Toms of kits with fewer than four
/// are spread by their own label.
fn class_of(row: &Row) -> Option<DrumClass> {
    Some(match row.class.as_str() {
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
        "shaker" if row.gm_note == Some(69) => DrumClass::Cabasa,
        "shaker" => DrumClass::Shaker,
        "woodblock" => DrumClass::Woodblock,
        "triangle" => DrumClass::Triangle,
        "conga_bongo" => row
            .gm_note
            .and_then(DrumClass::from_gm_note)
            .unwrap_or(DrumClass::HighConga),
        "perc_other" => match row.gm_note {
            Some(key @ (65 | 66 | 73 | 74 | 85)) => DrumClass::from_gm_note(key)?,
            _ => DrumClass::OtherPercussion,
        },
        _ => return None,
    })
}

/// Share-alike sounds stay out of training and serve as further hold-out. Salamander's author has
/// put it in the public domain since the snapshot was tagged share-alike.
fn usable(row: &Row, split: Split, is_hold_out_folder: bool) -> bool {
    let trained = row.tier == "permissive" || row.kit == "salamander";
    match split {
        Split::Train => trained,
        Split::HoldOut => is_hold_out_folder || row.tier == "sharealike" && !trained,
    }
}

/// Ghost strokes are the soft end of their snare; they get the ranks below this.
const GHOST_RANK: f32 = 0.2;

/// Snares played softly with the wires are one instrument with the snare of the same kit.
fn articulation_group(row: &Row) -> String {
    match row.class.as_str() {
        "snare_brush" => format!("brush {}", row.articulation),
        "conga_bongo" | "perc_other" | "woodblock" => row
            .articulation
            .trim_end_matches(char::is_numeric)
            .to_owned(),
        _ => row.articulation.clone(),
    }
}

impl Bank {
    /// Reads the folders of one-shots below every root: `oneshots` and `synth_oneshots`, or for
    /// validation `holdout_oneshots`, `holdout2` and what of `oneshots` is share-alike.
    ///
    /// # Errors
    /// When an index or a sound cannot be read, or when no root has any.
    pub fn load(roots: &[impl AsRef<Path>], split: Split) -> Result<Self> {
        let folders = match split {
            Split::Train => ["oneshots", "synth_oneshots"].as_slice(),
            Split::HoldOut => &["holdout_oneshots", "holdout2", "oneshots"],
        };
        let mut bank = Self::default();
        for (root, name) in roots
            .iter()
            .flat_map(|r| folders.iter().map(move |n| (r, n)))
        {
            let folder = root.as_ref().join(name);
            if folder.join("index.jsonl").exists() {
                bank.load_folder(&folder, split, name.starts_with("holdout"))?;
            }
        }
        if bank.instruments.is_empty() {
            bail!("no one-shots: each --bank needs a folder such as oneshots/ with an index.jsonl");
        }
        bank.join_ghosts();
        Ok(bank)
    }

    fn load_folder(&mut self, folder: &Path, split: Split, is_hold_out: bool) -> Result<()> {
        let index = folder.join("index.jsonl");
        let text = std::fs::read_to_string(&index)
            .with_context(|| format!("reading {}", index.display()))?;
        let rows: Vec<Row> = text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .with_context(|| format!("parsing {}", index.display()))?;
        let loaded: Vec<(Row, DrumClass, Vec<i16>)> = rows
            .into_par_iter()
            .filter(|row| usable(row, split, is_hold_out))
            .filter_map(|row| class_of(&row).map(|class| (row, class)))
            .map(|(row, class)| {
                let samples = decode(&folder.join(&row.file))?;
                Ok((row, class, samples))
            })
            .collect::<Result<_>>()?;

        let mut groups: BTreeMap<(DrumClass, String, String, String), Vec<OneShot>> =
            BTreeMap::new();
        for (row, class, samples) in loaded {
            let ghost = if row.class == "snare_ghost" {
                "ghost"
            } else {
                ""
            };
            self.origins
                .insert(row.kit.clone(), Origin::of(&row.kit, &row.kit_type));
            let key = (
                class,
                row.kit.clone(),
                format!("{ghost}{}", articulation_group(&row)),
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

    /// Ghost strokes become the softest hits of the snare of their kit that has the most.
    fn join_ghosts(&mut self) {
        let Some(snares) = self.instruments.get_mut(&DrumClass::Snare) else {
            return;
        };
        let (ghosts, mut rest): (Vec<Instrument>, Vec<Instrument>) = std::mem::take(snares)
            .into_iter()
            .partition(|i| i.articulation.starts_with("ghost"));
        for ghost in ghosts {
            let own = rest
                .iter_mut()
                .filter(|i| i.kit == ghost.kit && i.mic == ghost.mic);
            let Some(snare) = own.max_by_key(|i| i.hits.len()) else {
                rest.push(ghost);
                continue;
            };
            for hit in &mut snare.hits {
                hit.velocity_rank = hit.velocity_rank.max(GHOST_RANK);
            }
            snare.hits.extend(ghost.hits.into_iter().map(|hit| OneShot {
                velocity_rank: hit.velocity_rank * GHOST_RANK,
                ..hit
            }));
            snare
                .hits
                .sort_by(|a, b| a.velocity_rank.total_cmp(&b.velocity_rank));
        }
        *snares = rest;
    }

    /// Whether a kit was recorded rather than computed.
    pub fn is_recorded(&self, kit: &str) -> bool {
        self.origins
            .get(kit)
            .is_some_and(|o| *o != Origin::Computed)
    }

    /// Adds an instrument; its hits are sorted here.
    pub fn add(&mut self, class: DrumClass, mut instrument: Instrument) {
        instrument
            .hits
            .sort_by(|a, b| a.velocity_rank.total_cmp(&b.velocity_rank));
        // Kits that no index describes are invented ones.
        self.origins
            .entry(instrument.kit.clone())
            .or_insert(Origin::Computed);
        self.instruments.entry(class).or_default().push(instrument);
    }

    /// Instruments of a class; empty when the bank has none.
    pub fn of(&self, class: DrumClass) -> &[Instrument] {
        self.instruments.get(&class).map_or(&[], Vec::as_slice)
    }

    /// Kits that have at least a kick, a snare and a closed hat.
    pub fn full_kits(&self) -> Vec<String> {
        let has = |class, kit: &str| self.of(class).iter().any(|i| i.kit == kit);
        let mut kits: Vec<String> = self
            .of(DrumClass::Kick)
            .iter()
            .map(|i| i.kit.clone())
            .filter(|kit| has(DrumClass::Snare, kit) && has(DrumClass::ClosedHat, kit))
            .collect();
        kits.dedup();
        kits
    }
}

/// The WAV files of a folder, in order of their names.
pub(crate) fn load_folder(folder: &Path) -> Result<Vec<Vec<i16>>> {
    let context = || format!("reading {}", folder.display());
    let entries = std::fs::read_dir(folder).with_context(context)?;
    let mut paths: Vec<_> = entries
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()
        .with_context(context)?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "wav"));
    paths.sort();
    if paths.is_empty() {
        bail!("{}: has no WAV files", folder.display());
    }
    paths.par_iter().map(|path| decode(path)).collect()
}

/// A sound file of the bank, mono at [`SAMPLE_RATE`].
pub(crate) fn decode(path: &Path) -> Result<Vec<i16>> {
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
