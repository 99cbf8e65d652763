//! What is played: human drum performances from MIDI files.

use std::path::Path;

use crate::class::DrumClass;
use anyhow::Result;
use rand::Rng;

use crate::smf::{midi_files, midi_notes};

/// One stroke.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    /// Time in seconds from the start of the performance.
    pub seconds: f64,
    /// What is struck.
    pub class: DrumClass,
    /// 0..=1, MIDI velocity over 127.
    pub velocity: f32,
}

/// A performance: strokes in order of time.
#[derive(Clone, Debug, Default)]
pub struct Performance {
    /// In order of time.
    pub strokes: Vec<Stroke>,
}

impl Performance {
    /// Time of the last stroke in seconds.
    pub fn seconds(&self) -> f64 {
        self.strokes.last().map_or(0.0, |s| s.seconds)
    }

    /// Makes every piece of the kit as loud as it is in a mix. Pads of electronic kits are set up
    /// unequally: the kicks of some drummers never come above a third of full velocity.
    fn balance(&mut self) {
        for class in DrumClass::ALL {
            let own = |s: &Stroke| s.class == class;
            let played = self.strokes.iter().filter(|s| own(s));
            let mut velocities: Vec<f32> = played.map(|s| s.velocity).collect();
            if velocities.is_empty() {
                continue;
            }
            velocities.sort_by(f32::total_cmp);
            let loud = velocities[velocities.len() * 9 / 10];
            let wanted = match class {
                DrumClass::Kick | DrumClass::Snare | DrumClass::Crash => 0.92,
                DrumClass::PedalHat => 0.7,
                _ => 0.85,
            };
            let gain = (wanted / loud.max(0.05)).clamp(0.9, 4.0);
            for stroke in self.strokes.iter_mut().filter(|s| own(s)) {
                stroke.velocity = (stroke.velocity * gain).min(1.0);
            }
        }
    }

    /// Whether its time is kept on the ride.
    pub fn is_ridden(&self) -> bool {
        let on_the_ride = |s: &&Stroke| matches!(s.class, DrumClass::Ride | DrumClass::RideBell);
        self.strokes.iter().filter(on_the_ride).count() * 6 > self.strokes.len()
    }
}

/// The electronic kit of the Groove performances is not General MIDI: edges and rims have keys of
/// their own.
fn class_of_groove_key(key: u8) -> Option<DrumClass> {
    Some(match key {
        36 => DrumClass::Kick,
        38 | 40 => DrumClass::Snare,
        37 => DrumClass::SideStick,
        48 | 50 => DrumClass::HighTom,
        45 | 47 => DrumClass::MidTom,
        43 | 58 => DrumClass::FloorTom,
        42 | 22 => DrumClass::ClosedHat,
        46 | 26 => DrumClass::OpenHat,
        44 => DrumClass::PedalHat,
        49 | 52 | 55 | 57 => DrumClass::Crash,
        51 | 59 => DrumClass::Ride,
        53 => DrumClass::RideBell,
        _ => return None,
    })
}
/// The human performances. `training` leaves out the drummers that validation uses.
///
/// # Errors
/// When the archive cannot be read.
pub fn performances(archive: &Path, training: bool) -> Result<Vec<Performance>> {
    let mut result = Vec::new();
    for (name, bytes) in midi_files(archive, "groove/")? {
        let validation = ["groove/drummer5/", "groove/drummer9/"]
            .iter()
            .any(|p| name.starts_with(p));
        if validation == training {
            continue;
        }
        let Ok(notes) = midi_notes(&bytes) else {
            continue;
        };
        let strokes: Vec<Stroke> = notes
            .iter()
            .filter_map(|n| {
                let class = class_of_groove_key(n.key)?;
                Some(Stroke {
                    seconds: n.onset,
                    class,
                    velocity: f32::from(n.velocity) / 127.0,
                })
            })
            .collect();
        if strokes.len() > 8 {
            let mut performance = Performance { strokes };
            performance.balance();
            result.push(performance);
        }
    }
    Ok(result)
}

/// A window of a performance: time scaled by `stretch`, cut to `-lead..length`, zero at its start.
pub fn window(
    rng: &mut impl Rng,
    performance: &Performance,
    stretch: f64,
    length: f64,
    lead: f64,
) -> Vec<Stroke> {
    let last_start = (performance.seconds() * stretch - 0.4 * length).max(0.1);
    let start = rng.random_range(-0.2..last_start);
    performance
        .strokes
        .iter()
        .map(|s| Stroke {
            seconds: s.seconds * stretch - start,
            ..*s
        })
        .filter(|s| s.seconds > -lead && s.seconds < length)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_balanced_and_their_accents_stay() {
        let stroke = |class, velocity| Stroke {
            seconds: 0.0,
            class,
            velocity,
        };
        let mut performance = Performance {
            strokes: (0..20)
                .flat_map(|i| {
                    let soft = 0.1 + 0.01 * i as f32;
                    [stroke(DrumClass::Kick, soft), stroke(DrumClass::Snare, 0.9)]
                })
                .collect(),
        };
        performance.balance();
        let kicks: Vec<f32> = performance
            .strokes
            .iter()
            .step_by(2)
            .map(|s| s.velocity)
            .collect();
        assert!(
            kicks.is_sorted() && kicks[18] > 0.85 && kicks[0] < 0.4,
            "{kicks:?}"
        );
        assert!((performance.strokes[1].velocity - 0.92).abs() < 1e-3);
    }

    #[test]
    fn the_electronic_kit_is_not_general_midi() {
        assert_eq!(class_of_groove_key(58), Some(DrumClass::FloorTom));
        assert_eq!(class_of_groove_key(55), Some(DrumClass::Crash));
        assert_eq!(class_of_groove_key(22), Some(DrumClass::ClosedHat));
        assert_eq!(class_of_groove_key(54), None);
    }
}
