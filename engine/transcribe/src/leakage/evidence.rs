//! Evidence that a pitched note is really a drum hit, from the notes around it.
//!
//! A hit that was transcribed as a pitched note is short, repeats one key, coincides with a drum
//! and is as loud, in an instrument with few other notes. A real part is sustained, uses many keys,
//! and has its own rhythm. Each observation gives points; their sum decides.

use std::collections::BTreeMap;
use std::fmt;

use hitscribe_core::Note;
use serde::Serialize;

use crate::leakage::auto::is_chromatic;

/// Onsets closer than this are simultaneous.
const SIMULTANEOUS_SECONDS: f64 = 0.025;
/// Points from which a note is leakage.
const LEAK_POINTS: f32 = 2.0;
/// Largest difference of similar velocities.
const ALIKE_VELOCITY: u8 = 8;
/// A note with no other of its program this near is isolated.
const ISOLATION_SECONDS: f64 = 1.0;
/// A program with at least this many notes in the window has a pattern.
const PATTERN_NOTES: usize = 4;
/// With more programs than this, those with few notes are implausible.
const SCATTERED_PROGRAMS: usize = 5;

/// Points for (positive) and against (negative) leakage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// A drum begins at the same time, and mostly so for its program.
    pub clustering: f32,
    /// It is as short as a hit, or sustained.
    pub length: f32,
    /// It is as loud as the drum that it begins with, where dynamics vary.
    pub velocity: f32,
    /// Its key is out of a real part's range, or its program stays on one or two keys; or moves
    /// over many.
    pub pitch: f32,
    /// Its program is silent around it, or fills the time.
    pub isolation: f32,
    /// Its program is percussive, or one of many that appear for a few notes.
    pub family: f32,
    /// Whether its program is a percussion instrument.
    pub is_percussive: bool,
    /// Whether a drum begins at the same time.
    pub is_with_drum: bool,
}

impl Evidence {
    /// Sum of all points.
    pub fn points(&self) -> f32 {
        self.clustering + self.length + self.velocity + self.pitch + self.isolation + self.family
    }

    /// Whether the points suffice for leakage.
    pub fn is_leak(&self) -> bool {
        self.points() >= LEAK_POINTS
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let parts = [
            (self.clustering, "begins with drums"),
            (self.length, "short as a hit"),
            (self.velocity, "loud as its drum"),
            (self.pitch, "few keys or out of range"),
            (self.isolation, "isolated"),
            (self.family, "percussive or scattered program"),
        ];
        let words: Vec<&str> = parts
            .iter()
            .filter(|(points, _)| *points > 0.0)
            .map(|(_, words)| *words)
            .collect();
        write!(f, "smart: {}", words.join(", "))
    }
}

/// One program in the window.
#[derive(Default)]
struct Program {
    onsets: Vec<f64>,
    keys: u128,
    with_drum: usize,
    covered_seconds: f64,
    covered_until: f64,
}

/// Statistics of a window.
pub(super) struct Context {
    /// Onset and velocity of drums, in order.
    drums: Vec<(f64, u8)>,
    drums_vary: bool,
    programs: BTreeMap<u8, Program>,
    seconds: f64,
    chromatic_share: f64,
}

impl Context {
    /// The statistics of a window whose notes are in order of onset.
    pub(super) fn new(window: &[Note]) -> Self {
        let drums: Vec<(f64, u8)> = window
            .iter()
            .filter(|n| n.is_drum)
            .map(|n| (n.onset_seconds, n.velocity))
            .collect();
        let loudest = drums.iter().map(|d| d.1).max().unwrap_or_default();
        let softest = drums.iter().map(|d| d.1).min().unwrap_or_default();
        let first = window.first().map_or(0.0, |n| n.onset_seconds);
        let last = window.last().map_or(0.0, |n| n.onset_seconds);
        let chromatic = window.iter().filter(|n| is_chromatic(n)).count();
        let mut context = Self {
            drums,
            drums_vary: loudest - softest > 2 * ALIKE_VELOCITY,
            programs: BTreeMap::new(),
            seconds: (last - first).max(ISOLATION_SECONDS),
            chromatic_share: chromatic as f64 / window.len().max(1) as f64,
        };
        for note in window.iter().filter(|n| !n.is_drum) {
            let is_with_drum = context.simultaneous_drum(note).is_some();
            let program = context.programs.entry(note.program).or_default();
            program.onsets.push(note.onset_seconds);
            program.keys |= 1 << u32::from(note.pitch.min(127));
            program.with_drum += usize::from(is_with_drum);
            // Union of the notes' spans, not beyond the last onset of the window.
            let start = note.onset_seconds.max(program.covered_until);
            let end = note.offset_seconds.min(last).max(start);
            program.covered_seconds += end - start;
            program.covered_until = end;
        }
        context
    }

    /// Velocity of the nearest simultaneous drum.
    fn simultaneous_drum(&self, note: &Note) -> Option<u8> {
        let first = self
            .drums
            .partition_point(|d| d.0 < note.onset_seconds - SIMULTANEOUS_SECONDS);
        self.drums[first..]
            .iter()
            .take_while(|d| d.0 <= note.onset_seconds + SIMULTANEOUS_SECONDS)
            .min_by(|a, b| {
                (a.0 - note.onset_seconds)
                    .abs()
                    .total_cmp(&(b.0 - note.onset_seconds).abs())
            })
            .map(|d| d.1)
    }

    /// The evidence about one pitched note of the window.
    pub(super) fn evidence(&self, note: &Note) -> Evidence {
        let Some(program) = self.programs.get(&note.program) else {
            return Evidence::default();
        };
        let drum = self.simultaneous_drum(note);
        let count = program.onsets.len();
        let is_percussive =
            is_chromatic(note) || note.program == 47 || (112..=119).contains(&note.program);
        if self.drums.is_empty() && !is_percussive {
            // No drums, no leakage.
            return Evidence::default();
        }
        let keys = program.keys.count_ones();
        let coverage = program.covered_seconds / self.seconds;
        Evidence {
            clustering: clustering(
                drum.is_some(),
                program.with_drum as f64 / count as f64,
                count,
                !self.drums.is_empty(),
            ),
            length: length(note.offset_seconds - note.onset_seconds),
            velocity: match drum {
                Some(v) if self.drums_vary && v.abs_diff(note.velocity) <= ALIKE_VELOCITY => 0.5,
                _ => 0.0,
            },
            pitch: out_of_range(note) + repetition(keys, count),
            isolation: isolation(note, program, coverage),
            family: self.family(is_percussive, note, count),
            is_percussive,
            is_with_drum: drum.is_some(),
        }
    }

    fn family(&self, is_percussive: bool, note: &Note, count: usize) -> f32 {
        let mut points = 0.0;
        if is_percussive {
            points += if is_chromatic(note) && self.chromatic_share > 0.7 {
                1.5
            } else {
                1.0
            };
        } else if (32..=39).contains(&note.program) {
            points += 0.25;
        }
        let is_scattered = self.programs.len() > SCATTERED_PROGRAMS && count <= 2 * PATTERN_NOTES;
        points + if is_scattered { 0.5 } else { 0.0 }
    }

    /// Whether at least half of the pitched notes, and at least four, are not leakage.
    pub(super) fn is_real_mix(&self, window: &[Note]) -> bool {
        let pitched = window.iter().filter(|n| !n.is_drum);
        let (real, all) = pitched.fold((0, 0), |(real, all), n| {
            (real + usize::from(!self.evidence(n).is_leak()), all + 1)
        });
        real >= PATTERN_NOTES && real * 2 >= all
    }
}

fn clustering(is_with_drum: bool, share_with_drum: f64, count: usize, has_drums: bool) -> f32 {
    let own = if is_with_drum { 0.5 } else { 0.0 };
    let part = if count < PATTERN_NOTES || !has_drums {
        0.0
    } else if share_with_drum >= 0.8 {
        0.25
    } else if share_with_drum < 0.4 {
        -0.5
    } else {
        0.0
    };
    own + part
}

fn length(seconds: f64) -> f32 {
    match seconds {
        s if s <= 0.12 => 1.0,
        s if s <= 0.25 => 0.25,
        s if s < 0.4 => 0.0,
        s if s < 1.0 => -1.0,
        _ => -1.5,
    }
}

fn out_of_range(note: &Note) -> f32 {
    let range = if (32..=39).contains(&note.program) {
        23..=67
    } else {
        28..=103
    };
    if range.contains(&note.pitch) {
        0.0
    } else {
        0.5
    }
}

fn repetition(keys: u32, count: usize) -> f32 {
    if count < PATTERN_NOTES {
        0.0
    } else if keys <= 2 {
        0.75
    } else if keys >= 5 {
        -0.75
    } else {
        0.0
    }
}

fn isolation(note: &Note, program: &Program, coverage: f64) -> f32 {
    let near = |t: &&f64| (**t - note.onset_seconds).abs() <= ISOLATION_SECONDS;
    // The note itself counts, too.
    if program.onsets.iter().filter(near).take(2).count() < 2 || coverage <= 0.3 {
        0.5
    } else if coverage >= 0.6 {
        -1.5
    } else {
        0.0
    }
}
