//! A kit for one segment: which instrument plays each class, how loud, how tuned, how varied.

use std::collections::BTreeMap;

use crate::class::DrumClass;
use rand::Rng;
use rand::seq::IndexedRandom;

use crate::bank::{Bank, Instrument, OneShot, Origin};
use crate::dsp::{chance, normal, uniform};

/// A second sound under every stroke of a piece, as producers stack samples.
pub struct Layer<'a> {
    /// Where its sounds come from: the same class in any kit.
    pub instrument: &'a Instrument,
    /// Level against the piece itself in dB.
    pub gain_db: f32,
    /// Playback speed.
    pub speed: f32,
}

/// An instrument as it is used in one segment.
pub struct Piece<'a> {
    /// Where its sounds come from.
    pub instrument: &'a Instrument,
    /// Level of a full stroke in dB against the other pieces.
    pub gain_db: f32,
    /// Playback speed: above 1 is higher and shorter.
    pub speed: f32,
    /// Velocity to level: dB between a full stroke and one of a tenth of its velocity.
    pub range_db: f32,
    /// Seconds that it rings before it is damped; infinite where it rings out.
    pub damping_seconds: f32,
    /// What is stacked on it.
    pub layer: Option<Layer<'a>>,
}

/// Names of the kits that have at least a kick, a snare and a closed hat.
pub struct KitNames {
    by_origin: BTreeMap<Origin, Vec<String>>,
}

impl KitNames {
    /// Those of a bank.
    pub fn of(bank: &Bank) -> Self {
        let mut by_origin: BTreeMap<Origin, Vec<String>> = BTreeMap::new();
        for kit in bank.full_kits() {
            let origin = bank.origins.get(&kit).copied().unwrap_or(Origin::Computed);
            by_origin.entry(origin).or_default().push(kit);
        }
        Self { by_origin }
    }

    /// One at random. Recorded kits are few against the computed ones, so each origin has a share
    /// of its own; `electronic` kits come from machines and computers alone.
    fn draw(&self, rng: &mut impl Rng, electronic: bool) -> String {
        let weight = |origin: &Origin| match (origin, electronic) {
            (Origin::Acoustic, false) => 0.52,
            (Origin::Acoustic, true) => 0.0,
            (Origin::Machine, _) => 0.2,
            (Origin::Computed, _) => 0.28,
        };
        let origins: Vec<_> = self.by_origin.iter().collect();
        let drawn = origins.choose_weighted(rng, |(origin, _)| weight(origin));
        // Where every weight is zero, anything is better than nothing.
        let kits = drawn.ok().or(origins.first()).map(|(_, kits)| *kits);
        kits.and_then(|kits| kits.choose(rng).cloned())
            .unwrap_or_default()
    }
}

/// What a kit is to be like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Machines and computed kits only.
    pub electronic: bool,
    /// As it was recorded, at its usual levels.
    pub as_recorded: bool,
    /// The snare is played with brushes.
    pub brushes: bool,
}

/// Pieces that come from one kit when a kit borrows them.
fn family(class: DrumClass) -> u8 {
    use DrumClass::{ClosedHat, HighConga, LowConga, OpenHat, PedalHat, Ride, RideBell};
    match class {
        ClosedHat | PedalHat | OpenHat => 100,
        Ride | RideBell => 101,
        HighConga | LowConga => 102,
        c if c.is_tom() => 103,
        c => c as u8,
    }
}

/// The pieces of one segment's kit, chosen when they are first struck.
pub struct Kit<'a> {
    bank: &'a Bank,
    base: String,
    borrow: f32,
    speed: f32,
    range_db: f32,
    mics: Vec<&'static str>,
    spread_db: f32,
    /// How much louder its cymbals and hats are than usual: what overheads hear.
    metal_db: f32,
    wanted: Wanted,
    /// Where each family of pieces is borrowed from, if it is.
    donors: BTreeMap<u8, Option<String>>,
    pieces: BTreeMap<DrumClass, Piece<'a>>,
}

/// Levels at which a kit is usually mixed, dB against the snare. Peaks of one-shots are all equal.
fn usual_gain_db(class: DrumClass) -> f32 {
    match class {
        DrumClass::Kick | DrumClass::Snare => 0.0,
        DrumClass::Clap | DrumClass::Crash | DrumClass::China => -4.0,
        DrumClass::HighTom | DrumClass::MidTom | DrumClass::LowTom | DrumClass::FloorTom => -1.5,
        DrumClass::SideStick | DrumClass::Cowbell | DrumClass::RideBell => -8.0,
        DrumClass::OpenHat | DrumClass::Splash => -9.0,
        DrumClass::Ride => -10.0,
        DrumClass::ClosedHat => -9.0,
        DrumClass::Tambourine => -11.0,
        DrumClass::PedalHat | DrumClass::Shaker | DrumClass::Cabasa => -14.0,
        DrumClass::HighConga | DrumClass::LowConga | DrumClass::OtherPercussion => -3.0,
        DrumClass::Timbale => -2.0,
        DrumClass::Woodblock => -8.0,
        DrumClass::Triangle => -13.0,
    }
}

impl<'a> Kit<'a> {
    /// A random kit: one base kit, some pieces borrowed from others. One as it was recorded borrows
    /// only what it lacks.
    pub fn random(rng: &mut impl Rng, bank: &'a Bank, names: &KitNames, wanted: Wanted) -> Self {
        let base = names.draw(rng, wanted.electronic);
        if wanted.as_recorded {
            return Self {
                bank,
                base,
                borrow: 0.0,
                speed: 1.0,
                range_db: 24.0,
                mics: vec!["mix", "single"],
                spread_db: 0.0,
                metal_db: 0.0,
                wanted,
                donors: BTreeMap::new(),
                pieces: BTreeMap::new(),
            };
        }
        let mics = match rng.random_range(0..4) {
            0 => vec!["overhead", "mix", "single"],
            1 => vec!["close", "mix", "single"],
            2 => vec!["room", "overhead", "mix", "single"],
            _ => vec!["mix", "single"],
        };
        Self {
            bank,
            base,
            borrow: if chance(rng, 0.4) {
                uniform(rng, 0.2, 1.0)
            } else {
                0.0
            },
            speed: 2f32.powf(normal(rng, 0.13)),
            range_db: uniform(rng, 14.0, 36.0),
            mics,
            spread_db: uniform(rng, 1.5, 6.0),
            metal_db: if chance(rng, 0.3) {
                uniform(rng, 2.0, 10.0)
            } else {
                0.0
            },
            wanted,
            donors: BTreeMap::new(),
            pieces: BTreeMap::new(),
        }
    }

    /// The piece for a class; `None` when the whole bank has none.
    pub fn piece(&mut self, rng: &mut impl Rng, class: DrumClass) -> Option<&Piece<'a>> {
        if !self.pieces.contains_key(&class) {
            let piece = self.choose(rng, class)?;
            self.pieces.insert(class, piece);
        }
        self.pieces.get(&class)
    }

    /// The kit that a class is taken from.
    fn source(&mut self, rng: &mut impl Rng, class: DrumClass) -> Option<String> {
        let all = self.bank.of(class);
        let has = |kit: &str| all.iter().any(|i| i.kit == kit);
        let borrow = self.borrow;
        let donor = self.donors.entry(family(class)).or_insert_with(|| {
            if chance(rng, borrow) {
                another(rng, self.bank, all)
            } else {
                None
            }
        });
        match donor {
            Some(kit) if has(kit) => return Some(kit.clone()),
            None if has(&self.base) => return Some(self.base.clone()),
            _ => {}
        }
        let kit = another(rng, self.bank, all)?;
        donor.get_or_insert_with(|| kit.clone());
        Some(kit)
    }

    fn choose(&mut self, rng: &mut impl Rng, class: DrumClass) -> Option<Piece<'a>> {
        let all = self.bank.of(class);
        let is_brush = |i: &&Instrument| i.articulation.starts_with("brush");
        let brushes: Vec<&Instrument> = all.iter().filter(is_brush).collect();
        let from = if self.wanted.brushes && class == DrumClass::Snare && !brushes.is_empty() {
            brushes
        } else {
            let kit = self.source(rng, class)?;
            all.iter().filter(|i| i.kit == kit).collect()
        };
        let by_mic = self
            .mics
            .iter()
            .map(|mic| {
                from.iter()
                    .copied()
                    .filter(|i| i.mic == *mic)
                    .collect::<Vec<_>>()
            })
            .find(|found| !found.is_empty())
            .unwrap_or(from);
        let instrument = by_mic[rng.random_range(0..by_mic.len())];
        if self.wanted.as_recorded {
            return Some(Piece {
                instrument,
                gain_db: usual_gain_db(class),
                speed: self.speed,
                range_db: self.range_db,
                damping_seconds: f32::INFINITY,
                layer: None,
            });
        }
        let detune_octaves = match class {
            DrumClass::Ride | DrumClass::RideBell => 0.03,
            // Few kicks are recorded, and records have them from a thud to a boom.
            DrumClass::Kick => 0.2,
            _ => 0.12,
        };
        let damped = match class {
            // From nearly closed to fully open.
            DrumClass::OpenHat => chance(rng, 0.5).then(|| uniform(rng, 0.12, 0.8)),
            DrumClass::Crash | DrumClass::China | DrumClass::Ride => {
                chance(rng, 0.15).then(|| uniform(rng, 0.3, 1.0))
            }
            DrumClass::Kick | DrumClass::Snare => chance(rng, 0.2).then(|| uniform(rng, 0.06, 0.4)),
            c if c.is_tom() => chance(rng, 0.25).then(|| uniform(rng, 0.12, 0.6)),
            _ => None,
        };
        let metal_db = if class.is_metal() { self.metal_db } else { 0.0 };
        Some(Piece {
            instrument,
            gain_db: usual_gain_db(class) + metal_db + normal(rng, self.spread_db),
            speed: self.speed * 2f32.powf(normal(rng, detune_octaves)),
            range_db: self.range_db * uniform(rng, 0.8, 1.2),
            damping_seconds: damped.unwrap_or(f32::INFINITY),
            // Few kits are recorded; two of them on top of each other are a new one.
            layer: chance(rng, 0.25).then(|| Layer {
                instrument: &all[rng.random_range(0..all.len())],
                gain_db: uniform(rng, -14.0, 0.0),
                speed: 2f32.powf(normal(rng, detune_octaves)),
            }),
        })
    }
}

/// A kit that has instruments of a class, each kit alike, however many it holds; recorded ones
/// first.
fn another(rng: &mut impl Rng, bank: &Bank, all: &[Instrument]) -> Option<String> {
    let mut kits: Vec<&str> = all.iter().map(|i| i.kit.as_str()).collect();
    kits.dedup();
    let recorded: Vec<&str> = kits
        .iter()
        .copied()
        .filter(|k| bank.is_recorded(k))
        .collect();
    let pool = if !recorded.is_empty() && chance(rng, 0.7) {
        &recorded
    } else {
        &kits
    };
    pool.choose(rng).map(|kit| (*kit).to_owned())
}

impl Instrument {
    /// A recorded hit near `velocity`; repeated strokes get different ones where there are several.
    pub fn hit(&self, rng: &mut impl Rng, velocity: f32) -> &OneShot {
        let hits = &self.hits;
        let wanted = velocity + uniform(rng, -0.15, 0.15);
        let nearest = hits
            .partition_point(|h| h.velocity_rank < wanted)
            .min(hits.len() - 1);
        let jitter = if hits.len() > 4 {
            rng.random_range(-1i32..=1)
        } else {
            0
        };
        &hits[nearest
            .saturating_add_signed(jitter as isize)
            .min(hits.len() - 1)]
    }
}

/// No stroke is softer than one of this velocity.
const SOFTEST: f32 = 0.04;

impl Piece<'_> {
    /// Level of a stroke in dB.
    pub fn level_db(&self, velocity: f32) -> f32 {
        self.gain_db + self.range_db * velocity.clamp(SOFTEST, 1.0).log10()
    }
}
