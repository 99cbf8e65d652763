//! What is played: human drum performances from MIDI files, and patterns that they lack.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use hitscribe_engine::DrumClass;
use midly::{MetaMessage, MidiMessage, Smf, Timing, TrackEventKind};
use rand::Rng;
use rand::seq::IndexedRandom;

use crate::dsp::{chance, log_uniform, normal, uniform};

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
}

/// The electronic kit of the Groove performances is not General MIDI: edges and rims have keys of their own.
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

/// A note of a MIDI file with times in seconds.
#[derive(Clone, Copy, Debug)]
pub struct MidiNote {
    /// Start in seconds.
    pub onset: f64,
    /// End in seconds.
    pub offset: f64,
    /// Channel 0..=15; 9 is drums.
    pub channel: u8,
    /// General MIDI program of the channel at that time.
    pub program: u8,
    /// Key 0..=127.
    pub key: u8,
    /// Velocity 1..=127.
    pub velocity: u8,
}

/// All notes of a standard MIDI file, tempo changes applied, sorted by onset.
///
/// # Errors
/// When the bytes are no MIDI file or use SMPTE time.
pub fn midi_notes(bytes: &[u8]) -> Result<Vec<MidiNote>> {
    let smf = Smf::parse(bytes).context("not a MIDI file")?;
    let Timing::Metrical(ppq) = smf.header.timing else {
        anyhow::bail!("SMPTE time is not used in this bank")
    };
    let ppq = f64::from(ppq.as_int());
    let mut events: Vec<(u64, usize, TrackEventKind)> = Vec::new();
    for (track_index, track) in smf.tracks.iter().enumerate() {
        let mut tick = 0u64;
        for event in track {
            tick += u64::from(event.delta.as_int());
            events.push((tick, track_index, event.kind));
        }
    }
    events.sort_by_key(|(tick, track, _)| (*tick, *track));
    let (mut tempo, mut seconds, mut last_tick) = (0.5, 0.0, 0u64);
    let mut programs = [0u8; 16];
    let mut open: Vec<MidiNote> = Vec::new();
    let mut notes = Vec::new();
    for (tick, _, kind) in events {
        seconds += (tick - last_tick) as f64 / ppq * tempo;
        last_tick = tick;
        match kind {
            TrackEventKind::Meta(MetaMessage::Tempo(us)) => tempo = f64::from(us.as_int()) * 1e-6,
            TrackEventKind::Midi { channel, message } => {
                let channel = channel.as_int();
                let (key, velocity) = match message {
                    MidiMessage::ProgramChange { program } => {
                        programs[usize::from(channel)] = program.as_int();
                        continue;
                    }
                    MidiMessage::NoteOn { key, vel } => (key.as_int(), vel.as_int()),
                    MidiMessage::NoteOff { key, .. } => (key.as_int(), 0),
                    _ => continue,
                };
                if let Some(index) = open
                    .iter()
                    .position(|n| n.channel == channel && n.key == key)
                {
                    let mut note = open.swap_remove(index);
                    note.offset = seconds;
                    notes.push(note);
                }
                if velocity > 0 {
                    let program = programs[usize::from(channel)];
                    open.push(MidiNote {
                        onset: seconds,
                        offset: seconds,
                        channel,
                        program,
                        key,
                        velocity,
                    });
                }
            }
            _ => {}
        }
    }
    notes.extend(open);
    notes.sort_by(|a, b| a.onset.total_cmp(&b.onset));
    Ok(notes)
}

/// Files of the MIDI archive whose name starts with `prefix`, in order of name.
///
/// # Errors
/// When the archive cannot be read.
pub fn midi_files(archive: &Path, prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let context = || format!("reading {}", archive.display());
    let mut zip =
        zip::ZipArchive::new(File::open(archive).with_context(context)?).with_context(context)?;
    let mut names: Vec<String> = zip
        .file_names()
        .filter(|n| n.starts_with(prefix) && n.ends_with(".mid"))
        .map(str::to_owned)
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let mut bytes = Vec::new();
            zip.by_name(&name)
                .with_context(context)?
                .read_to_end(&mut bytes)
                .with_context(context)?;
            Ok((name, bytes))
        })
        .collect()
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
            result.push(Performance { strokes });
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
const HAND: [DrumClass; 4] = [
    DrumClass::Tambourine,
    DrumClass::Shaker,
    DrumClass::Cowbell,
    DrumClass::Clap,
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
    match rng.random_range(0..7) {
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

    /// Format 0, 480 ticks per quarter: one note, then half the tempo, then another.
    fn small_file() -> Vec<u8> {
        let track: &[u8] = &[
            0x00, 0xC1, 33, // channel 2: finger bass
            0x00, 0x91, 40, 100, // note on
            0x83, 0x60, 0x81, 40, 0, // 480 ticks later: off
            0x00, 0xFF, 0x51, 0x03, 0x0F, 0x42, 0x40, // 1,000,000 us per quarter
            0x83, 0x60, 0x99, 38, 90, // a quarter later: a snare that never ends
            0x00, 0xFF, 0x2F, 0x00,
        ];
        let mut bytes = b"MThd\0\0\0\x06\0\0\0\x01\x01\xe0MTrk".to_vec();
        bytes.extend((track.len() as u32).to_be_bytes());
        bytes.extend(track);
        bytes
    }

    #[test]
    fn notes_follow_tempo_and_program_changes() {
        let notes = midi_notes(&small_file()).unwrap();
        assert_eq!(notes.len(), 2);
        assert_eq!(
            (
                notes[0].program,
                notes[0].key,
                notes[0].onset,
                notes[0].offset
            ),
            (33, 40, 0.0, 0.5)
        );
        assert_eq!(
            (notes[1].channel, notes[1].key, notes[1].onset),
            (9, 38, 1.5)
        );
        assert!(midi_notes(b"not a MIDI file").is_err());
    }

    #[test]
    fn the_electronic_kit_is_not_general_midi() {
        assert_eq!(class_of_groove_key(58), Some(DrumClass::FloorTom));
        assert_eq!(class_of_groove_key(55), Some(DrumClass::Crash));
        assert_eq!(class_of_groove_key(22), Some(DrumClass::ClosedHat));
        assert_eq!(class_of_groove_key(54), None);
    }

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
