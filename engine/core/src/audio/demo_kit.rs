//! A synthetic drum kit, and a demo groove with known notes.
//!
//! For demos, for tests without recordings, and for auditioning notes. Sounds are made of sines and
//! noise and are deterministic: equal arguments give equal samples.

use std::f32::consts::TAU;

use crate::drum_class::DrumClass::{self, *};
use crate::note::Note;

/// Sample rate of [`groove`] in Hz.
pub const DEMO_SAMPLE_RATE_HZ: u32 = 44_100;

/// Tempo of [`groove`] in quarter notes per minute.
pub const DEMO_TEMPO_BPM: f64 = 112.0;

const BARS: usize = 8;
const STEPS_PER_BAR: usize = 16;

/// One hit of `class` with a velocity of 1..=127, in mono at `sample_rate_hz`. The peak is below 2.
pub fn hit(class: DrumClass, velocity: u8, sample_rate_hz: u32) -> Vec<f32> {
    let rate = sample_rate_hz.max(1) as f32;
    let loudness = f32::from(velocity.clamp(1, 127)) / 127.0;
    let sound = Sound::for_class(class);
    let mut noise = Noise::new(0x9e37_79b9 ^ (class.index() as u32) << 8 ^ u32::from(velocity));
    // Harder hits are brighter.
    let mut highpass = OnePole::new(sound.noise_low_hz, rate);
    let mut lowpass = OnePole::new(sound.noise_high_hz * (0.4 + 0.6 * loudness), rate);
    let decay_seconds = sound.decay_seconds.max(sound.tone_decay_seconds);
    let count = (decay_seconds * 5.0 * rate) as usize;
    let mut phases = [0.0f32; MAX_PARTIALS];
    (0..count)
        .map(|n| {
            let t = n as f32 / rate;
            let sweep = 1.0 + sound.sweep * (-t / sound.sweep_seconds).exp();
            let mut tone = 0.0;
            for (phase, hz) in phases.iter_mut().zip(sound.partials_hz) {
                *phase = (*phase + hz * sweep / rate).fract();
                tone += (*phase * TAU).sin();
            }
            tone *= (-t / sound.tone_decay_seconds).exp()
                / (sound.partials_hz.len().max(1) as f32).sqrt();
            let bursts: f32 = sound
                .bursts_seconds
                .iter()
                .filter(|&&at| t >= at)
                .map(|at| (-(t - at) / sound.decay_seconds).exp())
                .fold(0.0, f32::max);
            let white = noise.next();
            let bright = white - highpass.next(white);
            let hiss = lowpass.next(bright) * bursts;
            let attack = (t / 0.0005).min(1.0);
            attack * loudness.powf(1.3) * sound.level * (tone * sound.tone + hiss * sound.noise)
        })
        .collect()
}

/// Eight bars of drums and their notes, sorted by onset. The audio is interleaved stereo at
/// [`DEMO_SAMPLE_RATE_HZ`] with a peak of 0.7.
pub fn groove() -> (Vec<f32>, Vec<Note>) {
    let rate = f64::from(DEMO_SAMPLE_RATE_HZ);
    let step_seconds = 60.0 / DEMO_TEMPO_BPM / 4.0;
    let mut random = Noise::new(7);
    let mut notes = Vec::new();
    for (bar, step, class, velocity) in score() {
        // Human timing and dynamics.
        let late_seconds = f64::from(random.next()) * 0.004;
        let accent = random.next() * 5.0;
        let at = 0.25 + (bar * STEPS_PER_BAR + step) as f64 * step_seconds + late_seconds;
        let onset = (at * rate).round() / rate;
        let velocity = (f32::from(velocity) + accent).clamp(1.0, 127.0) as u8;
        notes.push(Note::drum(class, onset, velocity, 1.0));
    }
    notes.sort_by(|a, b| a.onset_seconds.total_cmp(&b.onset_seconds));

    let end_seconds = 0.25 + (BARS * STEPS_PER_BAR) as f64 * step_seconds + 2.0;
    let mut audio = vec![0.0f32; (end_seconds * rate) as usize * 2];
    for (index, note) in notes.iter().enumerate() {
        let Some(class) = DrumClass::from_gm_note(note.pitch) else {
            continue;
        };
        let samples = hit(class, note.velocity, DEMO_SAMPLE_RATE_HZ);
        let start = (note.onset_seconds * rate).round() as usize;
        // The next hi-hat hit chokes an open one.
        let choke = notes[index + 1..]
            .iter()
            .find(|next| class == OpenHat && matches!(next.pitch, 42 | 44 | 46))
            .map_or(usize::MAX, |next| {
                ((next.onset_seconds - note.onset_seconds) * rate) as usize
            });
        let right = 0.5 + 0.5 * pan(class);
        for (n, sample) in samples.iter().enumerate() {
            let fade = 1.0 - (n.saturating_sub(choke) as f32 / (0.01 * rate as f32)).min(1.0);
            if let Some([l, r]) = audio
                .get_mut(2 * (start + n)..)
                .and_then(|a| a.first_chunk_mut())
            {
                *l += sample * fade * (1.0 - right).sqrt();
                *r += sample * fade * right.sqrt();
            }
        }
    }
    let peak = audio.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
    audio.iter_mut().for_each(|x| *x *= 0.7 / peak);
    (audio, notes)
}

/// Bar, sixteenth note, class and velocity of every hit.
fn score() -> Vec<(usize, usize, DrumClass, u8)> {
    let mut score = Vec::new();
    for bar in 0..BARS {
        let fill = bar % 4 == 3;
        let on_ride = bar >= BARS / 2;
        let last = if fill { 8 } else { STEPS_PER_BAR };
        for step in (0..last).step_by(2) {
            let accent = if step % 4 == 0 { 96 } else { 66 };
            let class = match step {
                14 if !on_ride => OpenHat,
                _ if on_ride => Ride,
                _ => ClosedHat,
            };
            // The crash replaces the hi-hat or ride.
            if !(step == 0 && bar % 4 == 0) {
                score.push((bar, step, class, accent));
            }
        }
        for (step, velocity) in [(0, 118), (6, 92), (8, 110), (10, 100)] {
            if step < last || step == 8 {
                score.push((bar, step, Kick, velocity));
            }
        }
        for (step, velocity) in [(4, 116), (7, 34), (12, 118)] {
            if step < last {
                score.push((bar, step, Snare, velocity));
            }
        }
        if bar % 4 == 0 {
            score.push((bar, 0, Crash, 112));
        }
        if on_ride && !fill {
            score.extend([(bar, 4, PedalHat, 74), (bar, 12, PedalHat, 74)]);
        }
        if fill {
            let toms = [
                Snare, Snare, HighTom, HighTom, MidTom, LowTom, FloorTom, FloorTom,
            ];
            let velocities = [86, 94, 104, 100, 106, 108, 112, 118];
            for (index, (class, velocity)) in toms.into_iter().zip(velocities).enumerate() {
                score.push((bar, 8 + index, class, velocity));
            }
        }
    }
    score
}

const MAX_PARTIALS: usize = 6;

/// The parameters of a synthetic drum.
struct Sound {
    level: f32,
    /// Frequencies of the sines of the tone.
    partials_hz: &'static [f32],
    /// Pitch at the start relative to the end, minus 1.
    sweep: f32,
    /// Time constant of the pitch sweep.
    sweep_seconds: f32,
    tone: f32,
    tone_decay_seconds: f32,
    noise: f32,
    noise_low_hz: f32,
    noise_high_hz: f32,
    /// Time constant of the noise. The sound lasts five times the longer of the two decays.
    decay_seconds: f32,
    /// Starts of the noise bursts: claps, tambourines and the like have several.
    bursts_seconds: &'static [f32],
}

impl Sound {
    fn for_class(class: DrumClass) -> Self {
        /// Inharmonic partials of a cymbal.
        const METAL: &[f32] = &[2113.0, 3187.0, 4471.0, 5639.0, 7351.0, 9203.0];
        const BASE: Sound = Sound {
            level: 0.8,
            partials_hz: &[],
            sweep: 0.0,
            sweep_seconds: 0.03,
            tone: 0.0,
            tone_decay_seconds: 0.1,
            noise: 0.0,
            noise_low_hz: 500.0,
            noise_high_hz: 12_000.0,
            decay_seconds: 0.1,
            bursts_seconds: &[0.0],
        };
        let tom = |partials_hz| Self {
            partials_hz,
            sweep: 0.35,
            sweep_seconds: 0.06,
            tone: 1.0,
            tone_decay_seconds: 0.26,
            noise: 0.1,
            noise_low_hz: 300.0,
            noise_high_hz: 3_000.0,
            decay_seconds: 0.03,
            ..BASE
        };
        let metal = |tone, noise, tone_decay_seconds, decay_seconds| Self {
            level: 0.32,
            partials_hz: METAL,
            tone,
            tone_decay_seconds,
            noise,
            noise_low_hz: 5_000.0,
            noise_high_hz: 18_000.0,
            decay_seconds,
            ..BASE
        };
        match class {
            Kick => Self {
                partials_hz: &[52.0],
                sweep: 2.6,
                sweep_seconds: 0.022,
                tone: 1.1,
                tone_decay_seconds: 0.13,
                noise: 0.25,
                noise_low_hz: 900.0,
                noise_high_hz: 6_000.0,
                decay_seconds: 0.08,
                ..BASE
            },
            Snare => Self {
                partials_hz: &[186.0, 331.0],
                sweep: 0.2,
                sweep_seconds: 0.02,
                tone: 0.5,
                tone_decay_seconds: 0.07,
                noise: 0.75,
                noise_low_hz: 1_400.0,
                noise_high_hz: 11_000.0,
                decay_seconds: 0.085,
                ..BASE
            },
            SideStick => Self {
                partials_hz: &[840.0, 1_730.0],
                tone: 0.7,
                tone_decay_seconds: 0.02,
                noise: 0.3,
                decay_seconds: 0.015,
                ..BASE
            },
            Clap => Self {
                noise: 1.0,
                noise_low_hz: 900.0,
                noise_high_hz: 5_000.0,
                decay_seconds: 0.06,
                bursts_seconds: &[0.0, 0.011, 0.021, 0.03],
                ..BASE
            },
            HighTom => tom(&[172.0, 282.0]),
            MidTom => tom(&[134.0, 220.0]),
            LowTom => tom(&[104.0, 171.0]),
            FloorTom => tom(&[84.0, 138.0]),
            ClosedHat => metal(0.2, 0.9, 0.025, 0.03),
            PedalHat => Self {
                level: 0.22,
                ..metal(0.25, 0.7, 0.03, 0.045)
            },
            OpenHat => metal(0.25, 0.9, 0.3, 0.28),
            Crash => Self {
                level: 0.5,
                noise_low_hz: 2_500.0,
                ..metal(0.3, 0.9, 0.7, 0.55)
            },
            Ride => Self {
                noise_low_hz: 4_000.0,
                ..metal(0.7, 0.35, 0.4, 0.3)
            },
            RideBell => Self {
                partials_hz: &[1_190.0, 2_380.0, 3_620.0],
                ..metal(1.0, 0.15, 0.5, 0.2)
            },
            China => Self {
                level: 0.5,
                noise_low_hz: 1_500.0,
                ..metal(0.4, 1.0, 0.35, 0.3)
            },
            Splash => Self {
                level: 0.45,
                ..metal(0.3, 0.9, 0.2, 0.17)
            },
            Cowbell => Self {
                partials_hz: &[562.0, 845.0],
                tone: 0.8,
                tone_decay_seconds: 0.09,
                noise: 0.1,
                ..BASE
            },
            Tambourine => Self {
                bursts_seconds: &[0.0, 0.018],
                ..metal(0.5, 0.8, 0.09, 0.07)
            },
            Shaker => Self {
                level: 0.4,
                noise: 0.9,
                noise_low_hz: 4_000.0,
                noise_high_hz: 14_000.0,
                decay_seconds: 0.035,
                ..BASE
            },
        }
    }
}

/// Stereo position from the drummer's seat: -1 left to 1 right.
fn pan(class: DrumClass) -> f32 {
    match class {
        ClosedHat | PedalHat | OpenHat => -0.45,
        Crash | Splash | HighTom => -0.3,
        Ride | RideBell | China | FloorTom => 0.45,
        LowTom => 0.25,
        _ => 0.0,
    }
}

/// White noise in -1..1 from a linear congruential generator, equal on all platforms.
struct Noise(u32);

impl Noise {
    fn new(seed: u32) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

struct OnePole {
    factor: f32,
    state: f32,
}

impl OnePole {
    fn new(cutoff_hz: f32, rate_hz: f32) -> Self {
        Self {
            factor: 1.0 - (-TAU * cutoff_hz / rate_hz).exp(),
            state: 0.0,
        }
    }

    fn next(&mut self, x: f32) -> f32 {
        self.state += self.factor * (x - self.state);
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_sounds_and_decays() {
        for class in DrumClass::ALL {
            let samples = hit(class, 100, 48_000);
            let peak = samples.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
            assert!((0.05..2.0).contains(&peak), "{class:?} peaks at {peak}");
            let tail = &samples[samples.len() * 9 / 10..];
            assert!(
                tail.iter().all(|x| x.abs() < 0.1 * peak),
                "{class:?} does not decay"
            );
            let soft = hit(class, 20, 48_000)
                .iter()
                .fold(0.0f32, |peak, x| peak.max(x.abs()));
            assert!(soft < 0.5 * peak, "{class:?} is not softer at velocity 20");
        }
    }

    #[test]
    fn the_groove_is_deterministic_and_contains_its_notes() {
        let (audio, notes) = groove();
        assert_eq!(groove(), (audio.clone(), notes.clone()));
        assert!(audio.iter().all(|x| x.abs() <= 0.7001));
        assert!(notes.len() > 120);
        assert!(notes.is_sorted_by(|a, b| a.onset_seconds <= b.onset_seconds));
        let length_seconds = audio.len() as f64 / 2.0 / f64::from(DEMO_SAMPLE_RATE_HZ);
        assert!(
            notes
                .iter()
                .all(|n| n.onset_seconds > 0.2 && n.offset_seconds < length_seconds)
        );
    }
}
