//! What invented drums of each class are made of.

use rand::Rng;

use super::{Mode, NoiseBand, Voice};
use crate::class::DrumClass;
use crate::dsp::{chance, log_uniform, uniform};
use crate::procedural::character::Character;

/// Ideal circular membrane, ratios of its first modes.
const MEMBRANE: [f32; 8] = [1.0, 1.594, 2.136, 2.296, 2.653, 2.918, 3.156, 3.501];
impl Voice {
    fn membrane(
        rng: &mut impl Rng,
        hz: f32,
        t60: f32,
        bend: f32,
        attack: f32,
        machine: bool,
    ) -> Self {
        let bend_seconds = log_uniform(rng, 0.01, 0.06);
        let count = if machine {
            1 + usize::from(chance(rng, 0.4))
        } else {
            rng.random_range(3..=8)
        };
        let tilt = uniform(rng, 0.8, 2.2);
        let modes = MEMBRANE[..count]
            .iter()
            .map(|ratio| Mode {
                hz: hz * (1.0 + (ratio - 1.0) * uniform(rng, 0.9, 1.05)),
                amplitude: ratio.powf(-tilt) * uniform(rng, 0.5, 1.0),
                t60: t60 * ratio.powf(-uniform(rng, 0.5, 1.2)),
                bend,
                bend_seconds,
            })
            .collect();
        let noise = vec![
            NoiseBand {
                hz: log_uniform(rng, 1_500.0, 6_000.0),
                q: 0.7,
                amplitude: attack,
                t60: uniform(rng, 0.008, 0.04),
                attack_seconds: 0.0003,
            },
            NoiseBand {
                hz: log_uniform(rng, 200.0, 900.0),
                q: 0.7,
                amplitude: attack * 0.6,
                t60: uniform(rng, 0.02, 0.12),
                attack_seconds: 0.0005,
            },
        ];
        Self {
            seconds: (t60 * 1.1).min(2.5),
            modes,
            noise,
            dulling_octaves: uniform(rng, 0.5, 2.5),
            bursts: Vec::new(),
        }
    }

    fn plate(
        rng: &mut impl Rng,
        low_hz: f32,
        t60: f32,
        wash: f32,
        modes: usize,
        character: &Character,
    ) -> Self {
        let mut voice = Self {
            seconds: (t60 * 1.05).min(3.0),
            modes: Vec::new(),
            noise: Vec::new(),
            dulling_octaves: uniform(rng, 0.3, 1.5),
            bursts: Vec::new(),
        };
        for _ in 0..modes {
            let hz = log_uniform(rng, low_hz, 14_000.0) * character.metal;
            voice.modes.push(Mode {
                hz: hz.min(15_000.0),
                amplitude: uniform(rng, 0.02, 0.15) * (1.0 - wash * 0.7),
                t60: t60 * (hz / low_hz).powf(-uniform(rng, 0.15, 0.5)),
                bend: 0.0,
                bend_seconds: 0.01,
            });
        }
        for hz in [
            700.0, 1_500.0, 3_000.0, 5_000.0, 7_500.0, 10_500.0, 13_500.0,
        ] {
            if hz < low_hz {
                continue;
            }
            voice.noise.push(NoiseBand {
                hz: hz * character.metal.min(1.1),
                q: 1.4,
                amplitude: wash * uniform(rng, 0.2, 1.0),
                t60: t60 * (hz / 3_000.0f32).powf(-uniform(rng, 0.1, 0.5)) * uniform(rng, 0.6, 1.0),
                attack_seconds: if hz < 4_000.0 {
                    log_uniform(rng, 0.001, 0.03)
                } else {
                    0.0005
                },
            });
        }
        voice
    }

    pub(in crate::procedural) fn invent(
        rng: &mut impl Rng,
        class: DrumClass,
        c: &Character,
    ) -> Self {
        let machine = c.machine;
        let tom = |rng: &mut _, low, high| {
            let (t60, bend, attack) = (
                c.damping * uniform(rng, 0.3, 1.2),
                uniform(rng, 0.02, if machine { 0.8 } else { 0.25 }),
                uniform(rng, 0.1, 0.5),
            );
            let hz = c.tuning * uniform(rng, low, high);
            Self::membrane(rng, hz, t60, bend, attack, machine)
        };
        match class {
            DrumClass::Kick => {
                // Most are low and dry; some ring like a tom, at any pitch.
                let resonant = chance(rng, 0.3);
                let hz = uniform(rng, 40.0, 70.0)
                    * if resonant {
                        uniform(rng, 1.0, 1.8)
                    } else {
                        1.0
                    };
                let longest = if machine || resonant { 1.3 } else { 0.6 };
                let t60 = c.damping * log_uniform(rng, 0.2, longest);
                let bend = log_uniform(rng, if resonant { 0.05 } else { 0.5 }, 5.0);
                let attack = log_uniform(rng, 0.05, 0.9);
                let mut voice = Self::membrane(rng, hz, t60, bend, attack, machine);
                voice.modes.truncate(rng.random_range(1..=3));
                voice
            }
            DrumClass::Snare => {
                let (hz, t60) = (
                    c.tuning * uniform(rng, 150.0, 280.0),
                    uniform(rng, 0.1, 0.4) * c.damping,
                );
                let mut voice = Self::membrane(rng, hz, t60, 0.15, 0.4, machine);
                let wires = log_uniform(rng, 0.4, 2.0);
                for hz in [1_800.0, 4_000.0, 7_500.0, 11_000.0] {
                    voice.noise.push(NoiseBand {
                        hz,
                        q: 0.8,
                        amplitude: wires * uniform(rng, 0.3, 1.0),
                        t60: uniform(rng, 0.1, 0.45),
                        attack_seconds: 0.0008,
                    });
                }
                voice.seconds = voice.seconds.max(0.5);
                voice
            }
            DrumClass::SideStick => {
                let (hz, t60) = (log_uniform(rng, 380.0, 1_100.0), uniform(rng, 0.03, 0.09));
                let mut voice = Self::membrane(rng, hz, t60, 0.0, 0.8, machine);
                voice.modes.push(Mode {
                    hz: log_uniform(rng, 1_400.0, 2_800.0),
                    amplitude: 0.8,
                    t60: uniform(rng, 0.02, 0.06),
                    bend: 0.0,
                    bend_seconds: 0.01,
                });
                voice.seconds = 0.2;
                voice
            }
            DrumClass::Clap => {
                let (hz, t60) = (uniform(rng, 900.0, 1_600.0), uniform(rng, 0.1, 0.4));
                let noise = vec![
                    NoiseBand {
                        hz,
                        q: 1.2,
                        amplitude: 1.0,
                        t60,
                        attack_seconds: 0.0005,
                    },
                    NoiseBand {
                        hz: hz * 3.0,
                        q: 0.8,
                        amplitude: 0.5,
                        t60: t60 * 0.6,
                        attack_seconds: 0.0005,
                    },
                ];
                let bursts = (0..rng.random_range(1..4))
                    .map(|i| i as f32 * 0.01 + uniform(rng, 0.0, 0.003))
                    .collect();
                Self {
                    seconds: 0.5,
                    modes: Vec::new(),
                    noise,
                    dulling_octaves: 1.0,
                    bursts,
                }
            }
            DrumClass::HighTom => tom(rng, 150.0, 230.0),
            DrumClass::MidTom => tom(rng, 115.0, 165.0),
            DrumClass::LowTom => tom(rng, 90.0, 125.0),
            DrumClass::FloorTom => tom(rng, 60.0, 95.0),
            DrumClass::ClosedHat => {
                let (t60, wash) = (log_uniform(rng, 0.04, 0.18), uniform(rng, 0.5, 1.0));
                Self::plate(rng, 2_500.0, t60, wash, 16, c)
            }
            DrumClass::PedalHat => {
                let (t60, wash) = (log_uniform(rng, 0.06, 0.25), uniform(rng, 0.6, 1.0));
                let mut voice = Self::plate(rng, 1_800.0, t60, wash, 12, c);
                voice
                    .noise
                    .iter_mut()
                    .for_each(|n| n.attack_seconds = n.attack_seconds.max(0.004));
                voice
            }
            DrumClass::OpenHat => {
                let (t60, wash) = (log_uniform(rng, 0.3, 2.0), uniform(rng, 0.5, 1.0));
                Self::plate(rng, 2_000.0, t60, wash, 20, c)
            }
            DrumClass::Crash | DrumClass::China | DrumClass::Splash => {
                let t60 = if class == DrumClass::Splash {
                    uniform(rng, 0.4, 1.0)
                } else {
                    uniform(rng, 1.2, 3.0)
                };
                let (low_hz, wash) = (
                    if class == DrumClass::China {
                        300.0
                    } else {
                        450.0
                    },
                    uniform(rng, 0.7, 1.0),
                );
                let mut voice = Self::plate(rng, low_hz, t60, wash, 30, c);
                if class == DrumClass::China {
                    voice.noise.iter_mut().for_each(|n| n.t60 *= 0.6);
                }
                voice
            }
            DrumClass::Ride => {
                let (t60, wash) = (uniform(rng, 1.5, 3.0), uniform(rng, 0.15, 0.5));
                let mut voice = Self::plate(rng, 400.0, t60, wash, 40, c);
                voice.noise.push(NoiseBand {
                    hz: log_uniform(rng, 3_500.0, 8_000.0),
                    q: 1.0,
                    amplitude: uniform(rng, 0.5, 1.5),
                    t60: 0.04,
                    attack_seconds: 0.0003,
                });
                voice
            }
            DrumClass::RideBell => {
                let t60 = uniform(rng, 1.0, 2.5);
                let mut voice = Self::plate(rng, 600.0, t60, 0.15, 20, c);
                let hz = log_uniform(rng, 600.0, 1_300.0);
                for ratio in [1.0, 1.52, 2.41, 3.13, 4.2] {
                    voice.modes.push(Mode {
                        hz: hz * ratio * uniform(rng, 0.97, 1.03),
                        amplitude: 0.5 / ratio,
                        t60: uniform(rng, 0.5, 1.6),
                        bend: 0.0,
                        bend_seconds: 0.01,
                    });
                }
                voice
            }
            DrumClass::Cowbell => {
                let (hz, t60) = (log_uniform(rng, 480.0, 850.0), uniform(rng, 0.15, 0.6));
                let mut voice = Self::membrane(rng, hz, t60, 0.0, 0.4, false);
                voice.modes = [1.0, 1.5, 2.55, 3.6, 5.1]
                    .iter()
                    .map(|r| Mode {
                        hz: hz * r * uniform(rng, 0.96, 1.04),
                        amplitude: 0.7 / r,
                        t60: t60 / r.sqrt(),
                        bend: 0.0,
                        bend_seconds: 0.01,
                    })
                    .collect();
                voice
            }
            DrumClass::HighConga | DrumClass::LowConga => {
                let (low, high) = if class == DrumClass::HighConga {
                    (230.0, 620.0)
                } else {
                    (140.0, 330.0)
                };
                let (hz, t60) = (log_uniform(rng, low, high), log_uniform(rng, 0.08, 0.5));
                let attack = uniform(rng, 0.1, 0.7);
                let mut voice = Self::membrane(rng, hz, t60, 0.03, attack, machine);
                // A slap is mostly skin noise, an open stroke mostly tone.
                voice.noise.push(NoiseBand {
                    hz: log_uniform(rng, 900.0, 3_500.0),
                    q: 0.8,
                    amplitude: log_uniform(rng, 0.02, 0.8),
                    t60: uniform(rng, 0.02, 0.1),
                    attack_seconds: 0.0004,
                });
                voice.seconds = voice.seconds.max(0.2);
                voice
            }
            DrumClass::Timbale => {
                let (hz, t60) = (log_uniform(rng, 250.0, 520.0), log_uniform(rng, 0.25, 0.9));
                let attack = uniform(rng, 0.3, 0.8);
                let mut voice = Self::membrane(rng, hz, t60, 0.02, attack, machine);
                for _ in 0..6 {
                    voice.modes.push(Mode {
                        hz: log_uniform(rng, 1_500.0, 7_000.0),
                        amplitude: uniform(rng, 0.05, 0.3),
                        t60: t60 * uniform(rng, 0.3, 1.0),
                        bend: 0.0,
                        bend_seconds: 0.01,
                    });
                }
                voice
            }
            DrumClass::Woodblock => {
                let (hz, t60) = (
                    log_uniform(rng, 500.0, 2_800.0),
                    log_uniform(rng, 0.025, 0.12),
                );
                let attack = uniform(rng, 0.05, 0.4);
                let mut voice = Self::membrane(rng, hz, t60, 0.0, attack, machine);
                voice.modes.truncate(rng.random_range(1..=3));
                voice.seconds = 0.2;
                voice
            }
            DrumClass::Triangle => {
                let t60 = log_uniform(rng, 0.15, 2.5);
                let mut voice = Self::plate(rng, 4_000.0, t60, 0.05, 0, c);
                let hz = log_uniform(rng, 2_200.0, 4_800.0);
                for _ in 0..rng.random_range(3..=7) {
                    voice.modes.push(Mode {
                        hz: (hz * log_uniform(rng, 1.0, 3.5)).min(14_500.0),
                        amplitude: uniform(rng, 0.1, 0.8),
                        t60: t60 * uniform(rng, 0.4, 1.0),
                        bend: 0.0,
                        bend_seconds: 0.01,
                    });
                }
                voice
            }
            DrumClass::Cabasa => {
                // Beads, or notches one after the other.
                let (hz, t60) = (
                    log_uniform(rng, 2_500.0, 9_000.0),
                    log_uniform(rng, 0.03, 0.15),
                );
                let attack = log_uniform(rng, 0.002, 0.025);
                let bands = [(1.0, 1.0), (1.6, 0.6)];
                let spacing = log_uniform(rng, 0.004, 0.02);
                let notches = if chance(rng, 0.4) {
                    rng.random_range(4..14)
                } else {
                    0
                };
                Self {
                    seconds: 0.4,
                    modes: Vec::new(),
                    noise: bands
                        .map(|(ratio, amplitude)| NoiseBand {
                            hz: (hz * ratio).min(13_000.0),
                            q: 1.0,
                            amplitude,
                            t60: if notches > 0 { t60.min(0.04) } else { t60 },
                            attack_seconds: if notches > 0 { 0.0008 } else { attack },
                        })
                        .into(),
                    dulling_octaves: 0.6,
                    bursts: (1..=notches).map(|i| i as f32 * spacing).collect(),
                }
            }
            DrumClass::OtherPercussion => {
                // Djembe, tabla, darbuka, talking drums: skins of any pitch, some that bend
                // upwards.
                let (hz, t60) = (log_uniform(rng, 70.0, 600.0), log_uniform(rng, 0.08, 0.9));
                let bend = if chance(rng, 0.3) {
                    uniform(rng, -0.4, 0.6)
                } else {
                    0.02
                };
                let attack = log_uniform(rng, 0.05, 0.9);
                Self::membrane(rng, hz, t60, bend, attack, machine)
            }
            DrumClass::Tambourine => {
                let t60 = uniform(rng, 0.1, 0.35);
                let mut voice = Self::plate(rng, 4_000.0, t60, 0.7, 24, c);
                voice.bursts = (0..rng.random_range(0..4))
                    .map(|i| (i + 1) as f32 * uniform(rng, 0.008, 0.025))
                    .collect();
                voice
            }
            DrumClass::Shaker => {
                let (hz, t60, attack) = (
                    log_uniform(rng, 4_000.0, 9_000.0),
                    uniform(rng, 0.05, 0.16),
                    uniform(rng, 0.004, 0.03),
                );
                let noise = vec![
                    NoiseBand {
                        hz,
                        q: 1.0,
                        amplitude: 1.0,
                        t60,
                        attack_seconds: attack,
                    },
                    NoiseBand {
                        hz: hz * 1.5,
                        q: 1.0,
                        amplitude: 0.6,
                        t60,
                        attack_seconds: attack,
                    },
                ];
                Self {
                    seconds: 0.3,
                    modes: Vec::new(),
                    noise,
                    dulling_octaves: 0.5,
                    bursts: Vec::new(),
                }
            }
        }
    }
}
