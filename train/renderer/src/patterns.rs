//! Drum patterns: performances moved to other pieces, and what no performance has.

use crate::class::DrumClass;
use rand::Rng;
use rand::seq::IndexedRandom;

use crate::dsp::{chance, log_uniform, normal, uniform};
use crate::groove::Stroke;

const CYMBALS: [DrumClass; 5] = [
    DrumClass::Crash,
    DrumClass::Ride,
    DrumClass::China,
    DrumClass::Splash,
    DrumClass::RideBell,
];
/// What a loud song's time is kept on instead of the hat: most often a crash.
const RIDDEN: [DrumClass; 8] = [
    DrumClass::Crash,
    DrumClass::Crash,
    DrumClass::Crash,
    DrumClass::Ride,
    DrumClass::Ride,
    DrumClass::RideBell,
    DrumClass::China,
    DrumClass::Splash,
];
const TOMS: [DrumClass; 4] = [
    DrumClass::HighTom,
    DrumClass::MidTom,
    DrumClass::LowTom,
    DrumClass::FloorTom,
];
const HATS: [DrumClass; 3] = [
    DrumClass::ClosedHat,
    DrumClass::PedalHat,
    DrumClass::OpenHat,
];
const HAND: [DrumClass; 8] = [
    DrumClass::Tambourine,
    DrumClass::Shaker,
    DrumClass::Cowbell,
    DrumClass::Clap,
    DrumClass::Cabasa,
    DrumClass::HighConga,
    DrumClass::Woodblock,
    DrumClass::Triangle,
];

fn pick<T: Copy>(rng: &mut impl Rng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())]
}

/// Moves some pieces of a performance to others, so that every class is heard in real timing.
pub fn orchestrate(rng: &mut impl Rng, strokes: &mut Vec<Stroke>) {
    let mut swap = |rng: &mut _, from: DrumClass, to: DrumClass, probability: f32| {
        if chance(rng, probability) {
            strokes
                .iter_mut()
                .filter(|s| s.class == from)
                .for_each(|s| s.class = to);
        }
    };
    let (cymbal, tom, hand) = (pick(rng, &RIDDEN), pick(rng, &TOMS), pick(rng, &HAND));
    swap(rng, DrumClass::Snare, DrumClass::Clap, 0.06);
    swap(rng, DrumClass::Snare, DrumClass::SideStick, 0.08);
    swap(rng, DrumClass::Snare, tom, 0.07);
    swap(rng, DrumClass::ClosedHat, cymbal, 0.18);
    swap(rng, DrumClass::ClosedHat, DrumClass::OpenHat, 0.1);
    swap(rng, DrumClass::ClosedHat, tom, 0.05);
    swap(rng, DrumClass::ClosedHat, hand, 0.06);
    let other_cymbal = pick(rng, &RIDDEN);
    swap(rng, DrumClass::Ride, other_cymbal, 0.2);
    swap(rng, DrumClass::Ride, DrumClass::ClosedHat, 0.08);
    swap(rng, DrumClass::Kick, DrumClass::FloorTom, 0.04);
    swap(rng, DrumClass::PedalHat, DrumClass::ClosedHat, 0.2);
    for s in strokes.iter_mut() {
        if s.class == DrumClass::Crash && chance(rng, 0.15) {
            s.class = if chance(rng, 0.5) {
                DrumClass::China
            } else {
                DrumClass::Splash
            };
        }
        if s.class == DrumClass::Ride && chance(rng, 0.06) {
            s.class = DrumClass::RideBell;
        }
        if s.class == DrumClass::MidTom && chance(rng, 0.35) {
            s.class = DrumClass::LowTom;
        }
    }
    for class in [
        DrumClass::ClosedHat,
        DrumClass::Ride,
        DrumClass::Kick,
        DrumClass::Snare,
        DrumClass::OpenHat,
    ] {
        if chance(rng, 0.05) {
            strokes.retain(|s| s.class != class);
        }
    }
    // Accents of a crash together with a kick: common in songs, rare in exercises.
    if chance(rng, 0.3) {
        let cymbal = if chance(rng, 0.8) {
            DrumClass::Crash
        } else {
            cymbal
        };
        let extra: Vec<Stroke> = strokes
            .iter()
            .filter(|s| s.class == DrumClass::Kick && chance(rng, 0.2))
            .map(|s| Stroke {
                class: cymbal,
                ..*s
            })
            .collect();
        strokes.extend(extra);
    }
}

/// Strokes on a loose grid: hand percussion, rolls, blast beats, fills, lone hits, flams.
pub fn invented(rng: &mut impl Rng, length: f64, lead: f64) -> Vec<Stroke> {
    let mut strokes = Vec::new();
    let sloppiness = uniform(rng, 0.001, 0.012);
    let mut put = |rng: &mut _, seconds: f64, class, velocity: f32| {
        let seconds = seconds + f64::from(normal(rng, sloppiness));
        strokes.push(Stroke {
            seconds,
            class,
            velocity: (velocity + normal(rng, 0.06)).clamp(0.08, 1.0),
        });
    };
    let step = f64::from(log_uniform(rng, 0.06, 0.35));
    match rng.random_range(0..9) {
        0 => {
            // Lone hits of any class.
            let mut t = -lead;
            while t < length {
                let class = pick(rng, &DrumClass::ALL);
                let velocity = uniform(rng, 0.15, 1.0);
                put(rng, t, class, velocity);
                t += f64::from(log_uniform(rng, 0.08, 1.2));
            }
        }
        1 => {
            // A roll that swells or dies.
            let class = pick(
                rng,
                &[
                    TOMS[0],
                    TOMS[1],
                    TOMS[2],
                    TOMS[3],
                    DrumClass::Snare,
                    DrumClass::Snare,
                    DrumClass::Kick,
                    DrumClass::Crash,
                ],
            );
            let (from, to) = (uniform(rng, 0.1, 0.9), uniform(rng, 0.1, 0.9));
            let step = f64::from(uniform(rng, 0.035, 0.12));
            let count = (length / step) as usize;
            for i in 0..count {
                let alternate = if i % 2 == 0 { 0.0 } else { -0.08 };
                put(
                    rng,
                    i as f64 * step,
                    class,
                    from + (to - from) * i as f32 / count as f32 + alternate,
                );
            }
        }
        2 => {
            // Blast beat.
            let cymbal = pick(rng, &[CYMBALS[0], CYMBALS[1], CYMBALS[2], HATS[0], HATS[2]]);
            let step = f64::from(uniform(rng, 0.055, 0.12));
            let together = chance(rng, 0.3);
            let (kick, snare, top) = (
                uniform(rng, 0.5, 1.0),
                uniform(rng, 0.5, 1.0),
                uniform(rng, 0.4, 1.0),
            );
            for i in 0..((length + lead) / step) as usize {
                let t = i as f64 * step - lead;
                if i % 2 == 0 || together {
                    put(rng, t, DrumClass::Kick, kick);
                }
                if i % 2 == 1 || together {
                    put(rng, t, DrumClass::Snare, snare);
                }
                if i % 2 == 0 || chance(rng, 0.1) {
                    put(rng, t, cymbal, top);
                }
            }
        }
        3 => {
            // Tom fills, kick and crash at the end, over and over.
            let mut t = -lead + f64::from(uniform(rng, 0.0, 0.5));
            while t < length {
                let mut order: Vec<DrumClass> = TOMS.to_vec();
                if chance(rng, 0.6) {
                    order.insert(0, DrumClass::Snare);
                }
                if chance(rng, 0.25) {
                    order.reverse();
                }
                let strokes_each = rng.random_range(1..=4);
                for class in order {
                    for _ in 0..strokes_each {
                        let velocity = uniform(rng, 0.4, 1.0);
                        put(rng, t, class, velocity);
                        if chance(rng, 0.15) {
                            put(rng, t, DrumClass::Kick, velocity);
                        }
                        t += step;
                    }
                }
                put(rng, t, DrumClass::Crash, 0.9);
                put(rng, t, DrumClass::Kick, 0.9);
                t += step * f64::from(rng.random_range(1..6u8));
            }
        }
        4 => {
            // Flams, drags and ghost notes.
            let class = pick(
                rng,
                &[
                    DrumClass::Snare,
                    DrumClass::Snare,
                    TOMS[0],
                    TOMS[3],
                    DrumClass::SideStick,
                ],
            );
            let mut t = -lead;
            while t < length {
                let velocity = uniform(rng, 0.4, 1.0);
                put(rng, t, class, velocity);
                if chance(rng, 0.4) {
                    let grace = f64::from(uniform(rng, 0.022, 0.05));
                    let softer = velocity * uniform(rng, 0.3, 0.8);
                    put(rng, t - grace, class, softer);
                    if chance(rng, 0.3) {
                        put(rng, t - 2.0 * grace, class, velocity * 0.4);
                    }
                } else if chance(rng, 0.5) {
                    put(rng, t + step * 0.5, class, 0.18);
                }
                t += step * f64::from(rng.random_range(1..4u8));
            }
        }
        5 => {
            // A straight beat whose hat breathes between closed and open, pedal on the other beats.
            let step = f64::from(uniform(rng, 0.1, 0.3));
            let openness = uniform(rng, 0.05, 0.5);
            for i in 0..((length + lead) / step) as usize {
                let t = i as f64 * step - lead;
                let accent = if i % 2 == 0 { 0.75 } else { 0.45 };
                let hat = if chance(rng, openness) {
                    DrumClass::OpenHat
                } else if chance(rng, 0.15) {
                    DrumClass::PedalHat
                } else {
                    DrumClass::ClosedHat
                };
                put(rng, t, hat, accent);
                if i % 4 == 0 || chance(rng, 0.15) {
                    put(rng, t, DrumClass::Kick, 0.8);
                }
                if i % 4 == 2 {
                    put(rng, t, DrumClass::Snare, 0.85);
                }
            }
        }
        6 | 7 => swing(rng, length, lead, &mut put),
        _ => {
            // Programmed: a strict cycle of sixteen steps, few velocities.
            let step = f64::from(uniform(rng, 0.08, 0.22));
            let classes: Vec<DrumClass> = DrumClass::ALL.choose_multiple(rng, 5).copied().collect();
            let masks: Vec<u16> = classes
                .iter()
                .map(|_| rng.random::<u16>() & rng.random::<u16>())
                .collect();
            for i in 0..((length + lead) / step) as usize {
                for (class, mask) in classes.iter().zip(&masks) {
                    if mask >> (i % 16) & 1 == 1 {
                        let velocity = if i % 4 == 0 { 0.95 } else { 0.75 };
                        put(rng, i as f64 * step - lead, *class, velocity);
                    }
                }
            }
        }
    }
    strokes.retain(|s| s.seconds > -lead && s.seconds < length);
    strokes
}

/// Jazz time with loose hands.
pub fn jazz(rng: &mut impl Rng, length: f64, lead: f64) -> Vec<Stroke> {
    let mut strokes = Vec::new();
    let sloppiness = uniform(rng, 0.002, 0.012);
    swing(rng, length, lead, &mut |rng, seconds, class, velocity| {
        strokes.push(Stroke {
            seconds: seconds + f64::from(normal(rng, sloppiness)),
            class,
            velocity: (velocity + normal(rng, 0.06)).clamp(0.05, 1.0),
        });
    });
    strokes.retain(|s| s.seconds > -lead && s.seconds < length);
    strokes
}

/// Jazz time: a ridden cymbal with its skip notes, the pedal on two and four, soft comping below.
fn swing<R: Rng>(
    rng: &mut R,
    length: f64,
    lead: f64,
    put: &mut impl FnMut(&mut R, f64, DrumClass, f32),
) {
    let beat = 60.0 / f64::from(log_uniform(rng, 90.0, 290.0));
    // Slow tempos swing in triplets, fast ones nearly in eighths.
    let skip = beat * f64::from(uniform(rng, 0.56, 0.72));
    let on_hats = chance(rng, 0.15);
    let time = pick(
        rng,
        &[
            DrumClass::Ride,
            DrumClass::Ride,
            DrumClass::Ride,
            DrumClass::Ride,
            DrumClass::RideBell,
            DrumClass::Crash,
        ],
    );
    let level = uniform(rng, 0.45, 0.85);
    let skips = uniform(rng, 0.3, 1.0);
    let pedal = chance(rng, 0.8).then(|| uniform(rng, 0.3, 0.8));
    let feathered = chance(rng, 0.4).then(|| uniform(rng, 0.1, 0.35));
    let comping = uniform(rng, 0.05, 0.5);
    let left_hand = if chance(rng, 0.2) {
        DrumClass::SideStick
    } else {
        DrumClass::Snare
    };
    for index in 0..((length + lead) / beat) as usize {
        let t = index as f64 * beat - lead;
        let back_beat = index % 2 == 1;
        let top = match (on_hats, back_beat) {
            (true, true) => DrumClass::ClosedHat,
            (true, false) => DrumClass::OpenHat,
            (false, _) => time,
        };
        put(rng, t, top, level * if back_beat { 1.1 } else { 0.9 });
        if back_beat && chance(rng, skips) {
            put(rng, t + skip, top, level * 0.75);
        }
        if let (true, false, Some(strength)) = (back_beat, on_hats, pedal) {
            put(rng, t, DrumClass::PedalHat, strength);
        }
        if let Some(strength) = feathered {
            put(rng, t, DrumClass::Kick, strength);
        }
        for position in [0.0, skip] {
            if chance(rng, comping) {
                let strength = uniform(rng, 0.12, 0.75);
                put(rng, t + position, left_hand, strength);
            }
            if chance(rng, comping * 0.5) {
                let strength = uniform(rng, 0.25, 0.8);
                put(rng, t + position, DrumClass::Kick, strength);
            }
        }
        if chance(rng, 0.03) {
            put(rng, t + skip, DrumClass::Crash, 0.8);
        }
    }
}

/// Eighths or sixteenths on one hand-percussion class, laid over a beat.
pub fn hand_percussion(rng: &mut impl Rng, length: f64, lead: f64) -> Vec<Stroke> {
    let class = pick(rng, &HAND);
    let step = f64::from(uniform(rng, 0.1, 0.45));
    let every = if class == DrumClass::Clap {
        4
    } else {
        rng.random_range(1..=3)
    };
    let loudness = uniform(rng, 0.4, 1.0);
    (0..((length + lead) / step) as usize)
        .filter(|i| i % every == 0)
        .map(|i| {
            let accent = if i % (2 * every) == 0 {
                1.0
            } else {
                uniform(rng, 0.5, 0.9)
            };
            Stroke {
                seconds: i as f64 * step - lead + f64::from(normal(rng, 0.008)),
                class,
                velocity: loudness * accent,
            }
        })
        .filter(|s| s.seconds > -lead && s.seconds < length)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn invented_strokes_stay_in_range_and_cover_every_class() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..300 {
            for stroke in invented(&mut rng, 4.0, 1.0) {
                assert!(stroke.seconds > -1.0 && stroke.seconds < 4.0);
                assert!((0.0..=1.0).contains(&stroke.velocity));
                seen.insert(stroke.class);
            }
        }
        assert_eq!(seen.len(), DrumClass::ALL.len());
    }
}
