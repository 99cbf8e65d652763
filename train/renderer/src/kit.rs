//! A kit for one segment: which instrument plays each class, how loud, how tuned, how varied.

use std::collections::BTreeMap;

use hitscribe_core::DrumClass;
use rand::Rng;

use crate::bank::{Bank, Instrument, OneShot, is_computed};
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
    /// Velocity to level: dB between the softest and the loudest stroke.
    pub range_db: f32,
    /// Seconds that it rings before it is damped; infinite where it rings out.
    pub damping_seconds: f32,
    /// What is stacked on it.
    pub layer: Option<Layer<'a>>,
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
    as_recorded: bool,
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
        DrumClass::Ride => -11.0,
        DrumClass::ClosedHat | DrumClass::Tambourine => -11.0,
        DrumClass::PedalHat | DrumClass::Shaker => -14.0,
    }
}

fn is_metal(class: DrumClass) -> bool {
    use DrumClass::{China, ClosedHat, Crash, OpenHat, PedalHat, Ride, RideBell, Splash};
    matches!(
        class,
        China | ClosedHat | Crash | OpenHat | PedalHat | Ride | RideBell | Splash
    )
}

impl<'a> Kit<'a> {
    /// A random kit: one base kit, some pieces borrowed from others.
    pub fn random(rng: &mut impl Rng, bank: &'a Bank, full_kits: &[String]) -> Self {
        let mics = match rng.random_range(0..4) {
            0 => vec!["overhead", "mix", "single"],
            1 => vec!["close", "mix", "single"],
            2 => vec!["room", "overhead", "mix", "single"],
            _ => vec!["mix", "single"],
        };
        Self {
            bank,
            base: full_kits[rng.random_range(0..full_kits.len())].clone(),
            borrow: if chance(rng, 0.4) {
                uniform(rng, 0.2, 1.0)
            } else {
                0.0
            },
            speed: 2f32.powf(normal(rng, 0.13)),
            range_db: uniform(rng, 16.0, 42.0),
            mics,
            spread_db: uniform(rng, 1.5, 6.0),
            metal_db: if chance(rng, 0.3) {
                uniform(rng, 2.0, 10.0)
            } else {
                0.0
            },
            as_recorded: false,
            pieces: BTreeMap::new(),
        }
    }

    /// A kit as it was recorded, at its usual levels; only what it lacks comes from others.
    pub fn as_recorded(rng: &mut impl Rng, bank: &'a Bank, full_kits: &[String]) -> Self {
        Self {
            bank,
            base: full_kits[rng.random_range(0..full_kits.len())].clone(),
            borrow: 0.0,
            speed: 1.0,
            range_db: 24.0,
            mics: vec!["mix", "single"],
            spread_db: 0.0,
            metal_db: 0.0,
            as_recorded: true,
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

    fn choose(&self, rng: &mut impl Rng, class: DrumClass) -> Option<Piece<'a>> {
        let all = self.bank.of(Some(class));
        let own: Vec<&Instrument> = if chance(rng, self.borrow) {
            Vec::new()
        } else {
            all.iter().filter(|i| i.kit == self.base).collect()
        };
        let from = if own.is_empty() {
            // Another kit, each kit alike, however many instruments it holds; recorded ones first.
            let mut kits: Vec<&str> = all.iter().map(|i| i.kit.as_str()).collect();
            kits.dedup();
            let recorded: Vec<&str> = kits.iter().copied().filter(|k| !is_computed(k)).collect();
            let pool = if !recorded.is_empty() && chance(rng, 0.7) {
                &recorded
            } else {
                &kits
            };
            let kit = *pool.get(rng.random_range(0..pool.len().max(1)))?;
            all.iter().filter(|i| i.kit == kit).collect()
        } else {
            own
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
        if self.as_recorded {
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
        let metal_db = if is_metal(class) { self.metal_db } else { 0.0 };
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

impl Piece<'_> {
    /// Level of a stroke in dB.
    pub fn level_db(&self, velocity: f32) -> f32 {
        self.gain_db - self.range_db * (1.0 - velocity.clamp(0.0, 1.0))
    }
}
