//! What styles of music ask of a drummer or a machine: loops of machines, double kicks, ghost
//! notes, ensembles of hand drums, one drum alone. Strokes in seconds from the start of the
//! segment.

use rand::Rng;
use rand::seq::IndexedRandom;

use crate::class::DrumClass;
use crate::dsp::{chance, log_uniform, normal, uniform};
use crate::groove::Stroke;

use DrumClass::{
    Cabasa, China, Clap, ClosedHat, Cowbell, Crash, FloorTom, HighConga, HighTom, Kick, LowConga,
    LowTom, MidTom, OpenHat, OtherPercussion, PedalHat, Ride, RideBell, Shaker, SideStick, Snare,
    Tambourine, Timbale, Triangle, Woodblock,
};

/// Strokes as they are put down, within a span of time.
struct Score {
    strokes: Vec<Stroke>,
    sloppiness: f32,
    from: f64,
    to: f64,
}

impl Score {
    fn new(length: f64, lead: f64, sloppiness: f32) -> Self {
        Self {
            strokes: Vec::new(),
            sloppiness,
            from: -lead,
            to: length,
        }
    }

    fn put(&mut self, rng: &mut impl Rng, seconds: f64, class: DrumClass, velocity: f32) {
        let seconds = seconds + f64::from(normal(rng, self.sloppiness));
        if seconds > self.from && seconds < self.to {
            self.strokes.push(Stroke {
                seconds,
                class,
                velocity: velocity.clamp(0.03, 1.0),
            });
        }
    }

    fn finish(mut self) -> Vec<Stroke> {
        self.strokes.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        self.strokes
    }
}

/// A bar of sixteen steps, the first one in the highest bit.
fn step_is_set(mask: u16, step: usize) -> bool {
    mask >> (15 - step % 16) & 1 == 1
}

/// A loop of a machine: strict, repeated, few levels.
pub fn machine(rng: &mut impl Rng, length: f64, lead: f64) -> Vec<Stroke> {
    let bpm = f64::from(match rng.random_range(0..4) {
        0 => uniform(rng, 70.0, 100.0),
        1 => uniform(rng, 118.0, 140.0),
        2 => uniform(rng, 135.0, 180.0),
        _ => uniform(rng, 85.0, 130.0),
    });
    let step = 15.0 / bpm;
    let swing = if chance(rng, 0.3) {
        f64::from(uniform(rng, 0.0, 0.33))
    } else {
        0.0
    };
    let kick = *[
        0b1000_1000_1000_1000u16,
        0b1000_1000_1000_1000,
        0b1000_0010_0010_0000,
        0b1001_0000_1010_0000,
        0b1000_0001_0010_0100,
        0b1010_0000_0010_1000,
        0b1000_0000_0010_0000,
    ]
    .choose(rng)
    .unwrap_or(&0x8888);
    let kick = if chance(rng, 0.3) {
        kick ^ (rng.random::<u16>() & rng.random::<u16>() & 0x0F0F)
    } else {
        kick
    };
    let hats = *[
        0b1010_1010_1010_1010u16,
        0b1010_1010_1010_1010,
        0xFFFF,
        0xFFFF,
        0xFFFF,
        0b0010_0010_0010_0010,
        0b1011_1011_1011_1011,
        0b1101_1101_1101_1101,
    ]
    .choose(rng)
    .unwrap_or(&0xFFFF);
    let opens = *[
        0u16,
        0,
        0b0010_0010_0010_0010,
        0b0000_0000_0000_0010,
        0b0000_0010_0000_0010,
    ]
    .choose(rng)
    .unwrap_or(&0);
    let back = *[
        0b0000_1000_0000_1000u16,
        0b0000_1000_0000_1000,
        0b0000_0000_1000_0000,
        0b0000_1000_0000_1001,
        0b0001_0000_0100_1000,
    ]
    .choose(rng)
    .unwrap_or(&0x0808);
    let back_class = *[Snare, Snare, Snare, Clap, Clap, SideStick]
        .choose(rng)
        .unwrap_or(&Snare);
    let extras: Vec<(DrumClass, u16, f32)> = (0..rng.random_range(0..4usize))
        .map(|_| {
            let class = *[
                Clap, SideStick, HighTom, MidTom, LowTom, FloorTom, Cowbell, Shaker, Tambourine,
                HighConga, LowConga, Woodblock, Ride, Crash, Cabasa, Snare,
            ]
            .choose(rng)
            .unwrap_or(&Cowbell);
            let mask = rng.random::<u16>() & rng.random::<u16>();
            let sparse = if class == Crash { 0x8000 } else { mask };
            (class, sparse, uniform(rng, 0.4, 1.0))
        })
        .collect();
    let (with_kick, with_hats, with_back) =
        (chance(rng, 0.9), chance(rng, 0.92), chance(rng, 0.88));
    let rolls = if chance(rng, 0.25) {
        uniform(rng, 0.02, 0.15)
    } else {
        0.0
    };
    let accents = if chance(rng, 0.6) {
        uniform(rng, 0.4, 0.9)
    } else {
        1.0
    };
    let level = uniform(rng, 0.6, 1.0);
    let phase = rng.random_range(0..16usize);
    let mut score = Score::new(length, lead, if chance(rng, 0.2) { 0.003 } else { 0.0 });
    for index in 0..((length + lead) / step) as usize + 1 {
        let late = if index % 2 == 1 { swing * step } else { 0.0 };
        let t = index as f64 * step - lead + late;
        let at = index + phase;
        let accent = if at % 4 == 0 { 1.0 } else { accents };
        if with_kick && step_is_set(kick, at) {
            score.put(rng, t, Kick, level);
        }
        if with_back && step_is_set(back, at) {
            score.put(rng, t, back_class, level);
        }
        if with_hats && step_is_set(opens, at) {
            score.put(rng, t, OpenHat, level * 0.9);
        } else if with_hats && step_is_set(hats, at) {
            if chance(rng, rolls) {
                let count = *[2u8, 3, 4].choose(rng).unwrap_or(&2);
                for i in 0..count {
                    let t = t + step * f64::from(i) / f64::from(count);
                    score.put(rng, t, ClosedHat, level * accent * 0.8);
                }
            } else {
                score.put(rng, t, ClosedHat, level * accent * 0.85);
            }
        }
        for (class, mask, loudness) in &extras {
            if step_is_set(*mask, at) {
                score.put(rng, t, *class, level * loudness * accent);
            }
        }
    }
    score.finish()
}

/// Double kicks under metal, with blasts and fills.
pub fn metal(rng: &mut impl Rng, length: f64, lead: f64) -> Vec<Stroke> {
    let step = 15.0 / f64::from(uniform(rng, 110.0, 230.0));
    let mut score = Score::new(length, lead, uniform(rng, 0.0, 0.006));
    let cymbal = *[Crash, China, RideBell, OpenHat, ClosedHat, Ride]
        .choose(rng)
        .unwrap_or(&Crash);
    let every = *[2usize, 4, 4, 8].choose(rng).unwrap_or(&4);
    let (kick, snare) = (uniform(rng, 0.7, 1.0), uniform(rng, 0.8, 1.0));
    let steps = ((length + lead) / step) as usize + 1;
    let mut bar_kind = rng.random_range(0..5);
    for index in 0..steps {
        let t = index as f64 * step - lead;
        if index % 16 == 0 {
            bar_kind = if chance(rng, 0.6) {
                bar_kind
            } else {
                rng.random_range(0..6)
            };
            if chance(rng, 0.4) {
                score.put(rng, t, Crash, 0.95);
            }
        }
        let at = index % 16;
        match bar_kind {
            // Sixteenths below a backbeat.
            0..=2 => {
                let strength = kick * uniform(rng, 0.85, 1.0);
                score.put(rng, t, Kick, strength);
                if at == 4 || at == 12 {
                    score.put(rng, t, Snare, snare);
                }
            }
            // Gallop.
            3 => {
                if at % 4 != 1 {
                    score.put(rng, t, Kick, kick);
                }
                if at == 8 {
                    score.put(rng, t, Snare, snare);
                }
            }
            // Blast.
            4 => {
                let class = if index % 2 == 0 { Kick } else { Snare };
                let strength = kick * uniform(rng, 0.7, 1.0);
                score.put(rng, t, class, strength);
            }
            // A fill over the kicks.
            _ => {
                if index % 2 == 0 {
                    score.put(rng, t, Kick, kick);
                }
                let tom = [Snare, HighTom, MidTom, LowTom, FloorTom][at * 5 / 16];
                let strength = uniform(rng, 0.6, 1.0);
                score.put(rng, t, tom, strength);
            }
        }
        if bar_kind < 5 && index % every == 0 {
            let strength = uniform(rng, 0.6, 0.95);
            score.put(rng, t, cymbal, strength);
        }
    }
    score.finish()
}

/// Sixteenths with ghost notes: funk and breakbeats.
pub fn funk(rng: &mut impl Rng, length: f64, lead: f64) -> Vec<Stroke> {
    let step = 15.0 / f64::from(uniform(rng, 80.0, 140.0));
    let swing = f64::from(uniform(rng, 0.0, 0.3)) * step;
    let mut score = Score::new(length, lead, uniform(rng, 0.001, 0.009));
    let top = *[ClosedHat, ClosedHat, Ride, Ride, Shaker]
        .choose(rng)
        .unwrap_or(&ClosedHat);
    let sixteenths = chance(rng, 0.5);
    let ghosts = uniform(rng, 0.1, 0.6);
    let ghost_level = uniform(rng, 0.06, 0.3);
    let kick_mask = 0b1000_0000_0000_0000u16 | rng.random::<u16>() & rng.random::<u16>() & 0xF7F6;
    let back_shift = usize::from(chance(rng, 0.2)) * 2;
    let (accent, open) = (uniform(rng, 0.5, 0.95), uniform(rng, 0.0, 0.12));
    for index in 0..((length + lead) / step) as usize + 1 {
        let t = index as f64 * step - lead + if index % 2 == 1 { swing } else { 0.0 };
        let at = index % 16;
        let back_beat = at == 4 || at == 12 - back_shift;
        if step_is_set(kick_mask, at) && !back_beat || chance(rng, 0.02) {
            let strength = uniform(rng, 0.55, 1.0);
            score.put(rng, t, Kick, strength);
        }
        if back_beat {
            let strength = uniform(rng, 0.8, 1.0);
            score.put(rng, t, Snare, strength);
        } else if chance(rng, if at % 2 == 1 { ghosts } else { ghosts * 0.4 }) {
            let strength = ghost_level * uniform(rng, 0.6, 1.4);
            score.put(rng, t, Snare, strength);
        }
        if sixteenths || at % 2 == 0 {
            let level = if at % 4 == 0 {
                accent
            } else {
                accent * uniform(rng, 0.4, 0.9)
            };
            let class = if top == ClosedHat && at % 2 == 0 && chance(rng, open) {
                OpenHat
            } else {
                top
            };
            score.put(rng, t, class, level);
        }
        if top == Ride && (at == 4 || at == 12) && chance(rng, 0.3) {
            score.put(rng, t, PedalHat, 0.5);
        }
    }
    score.finish()
}

/// Hand drums and small percussion that play together, each with a figure of its own.
pub fn ensemble(rng: &mut impl Rng, length: f64, lead: f64) -> Vec<Stroke> {
    let step = f64::from(log_uniform(rng, 0.085, 0.2));
    let cycle = *[16usize, 16, 12, 24].choose(rng).unwrap_or(&16);
    let mut score = Score::new(length, lead, uniform(rng, 0.001, 0.012));
    let skins: &[&[DrumClass]] = &[
        &[HighConga, LowConga],
        &[HighConga, LowConga],
        &[OtherPercussion],
        &[OtherPercussion],
        &[Timbale, Timbale, Cowbell],
        &[HighConga],
    ];
    let small = [
        Shaker, Cabasa, Woodblock, Triangle, Tambourine, Cowbell, Clap, Shaker, Cabasa, Woodblock,
    ];
    let mut players: Vec<&[DrumClass]> = Vec::new();
    if chance(rng, 0.85) {
        let count = if chance(rng, 0.3) { 2 } else { 1 };
        players.extend(skins.choose_multiple(rng, count));
    }
    let most = if players.is_empty() { 3 } else { 2 };
    let count = rng.random_range(usize::from(players.is_empty())..=most);
    let smalls: Vec<DrumClass> = small.choose_multiple(rng, count).copied().collect();
    players.extend(smalls.iter().map(std::slice::from_ref));
    for player in players {
        // A figure: for each step nothing, or a sound and its strength; accents stay where they
        // are.
        let density = uniform(rng, 0.2, 0.95);
        let loudness = uniform(rng, 0.5, 1.0);
        let figure: Vec<Option<(DrumClass, f32)>> = (0..cycle)
            .map(|i| {
                let strong = if i % 4 == 0 { 0.25 } else { 0.0 };
                chance(rng, density + strong).then(|| {
                    let class = *player.choose(rng).unwrap_or(&OtherPercussion);
                    let soft = if chance(rng, 0.35) {
                        uniform(rng, 0.15, 0.5)
                    } else {
                        1.0
                    };
                    (class, loudness * soft * uniform(rng, 0.6, 1.0))
                })
            })
            .collect();
        let ornaments = uniform(rng, 0.0, 0.1);
        for index in 0..((length + lead) / step) as usize + 1 {
            let t = index as f64 * step - lead;
            let Some((class, level)) = figure[index % cycle] else {
                continue;
            };
            let strength = level * uniform(rng, 0.8, 1.1);
            score.put(rng, t, class, strength);
            if chance(rng, ornaments) {
                score.put(rng, t + step * 0.5, class, level * 0.7);
            }
        }
    }
    score.finish()
}

/// Drums of which one may be struck alone.
fn any_alone(rng: &mut impl Rng) -> DrumClass {
    let likely = [
        Kick, Kick, Kick, Snare, Snare, Snare, Snare, SideStick, HighTom, MidTom, LowTom, FloorTom,
        HighTom, FloorTom, ClosedHat, ClosedHat, OpenHat, PedalHat, Crash, Ride, Ride, RideBell,
        China,
    ];
    let all = DrumClass::ALL;
    let from = if chance(rng, 0.85) {
        &likely[..]
    } else {
        &all[..]
    };
    *from.choose(rng).unwrap_or(&Kick)
}

/// One drum alone, now and then two: single strokes, series from soft to loud, short rolls, and
/// pauses between them.
pub fn alone(rng: &mut impl Rng, length: f64, lead: f64) -> Vec<Stroke> {
    let count = if chance(rng, 0.25) { 2 } else { 1 };
    let classes: Vec<DrumClass> = (0..count).map(|_| any_alone(rng)).collect();
    strokes_of(rng, &classes, length, lead)
}

/// As [`alone`], on these drums.
pub fn strokes_of(
    rng: &mut impl Rng,
    classes: &[DrumClass],
    length: f64,
    lead: f64,
) -> Vec<Stroke> {
    let mut score = Score::new(length, lead, 0.004);
    let mut t = f64::from(uniform(rng, -lead as f32, 0.45 * length as f32));
    let pause = f64::from(log_uniform(rng, 0.3, 2.2));
    let (from, to) = (uniform(rng, 0.1, 1.0), uniform(rng, 0.1, 1.0));
    while t < length {
        let class = *classes.choose(rng).unwrap_or(&Kick);
        let share = ((t / length) as f32).clamp(0.0, 1.0);
        let level = if chance(rng, 0.5) {
            from + (to - from) * share
        } else {
            uniform(rng, 0.1, 1.0)
        };
        match rng.random_range(0..10) {
            0 => {
                // A short roll.
                let step = f64::from(log_uniform(rng, 0.05, 0.16));
                for i in 0..rng.random_range(3..10u8) {
                    score.put(rng, t, class, level * if i % 2 == 0 { 1.0 } else { 0.85 });
                    t += step;
                }
            }
            1 => {
                // A flam.
                score.put(rng, t - 0.035, class, level * 0.5);
                score.put(rng, t, class, level);
            }
            2 | 3 => {
                let step = f64::from(log_uniform(rng, 0.16, 0.5));
                for _ in 0..rng.random_range(2..6u8) {
                    let strength = level * uniform(rng, 0.7, 1.1);
                    score.put(rng, t, class, strength);
                    t += step;
                }
            }
            _ => score.put(rng, t, class, level),
        }
        t += pause
            * f64::from(if chance(rng, 0.15) {
                uniform(rng, 1.5, 4.0)
            } else {
                uniform(rng, 0.7, 1.3)
            });
    }
    score.finish()
}

#[cfg(test)]
mod tests;
