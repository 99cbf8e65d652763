//! What a segment of recordings consists of: the stem and what plays along.

use std::collections::BTreeSet;

use rand::Rng;

use super::policy::instruments;
use super::{Part, Recordings};
use crate::SAMPLE_RATE;
use crate::dsp::{chance, mix, uniform};
use crate::smf::MidiNote;

/// A stretch of a recording.
#[derive(Clone, Copy)]
pub(super) struct Window {
    /// By how much the keys of its notes are higher.
    pub(super) semitones: i8,
    /// First sample of the recording, which may lie before its start.
    pub(super) start: f64,
    /// Samples of the recording for each one of the window.
    pub(super) ratio: f64,
    /// Length.
    pub(super) samples: usize,
}

impl Window {
    /// Somewhere in a recording of `longest` samples, at a speed that moves it by up to two
    /// semitones.
    fn somewhere(rng: &mut impl Rng, longest: f64, samples: usize) -> Self {
        let semitones = rng.random_range(-2i8..=2);
        Self {
            semitones,
            ratio: 2f64.powf(f64::from(semitones) / 12.0),
            start: rng.random_range(-0.1..1.0) * longest - 0.4 * samples as f64,
            samples,
        }
    }

    /// A time of the recording in seconds from the start of the window.
    pub(super) fn seconds(self, of_recording: f64) -> f64 {
        let rate = f64::from(SAMPLE_RATE);
        (of_recording * rate - self.start) / self.ratio / rate
    }
}

/// The stem and what plays along, of the same length, and the notes of the stem as they are heard.
pub(super) struct Mixture {
    pub(super) own: Vec<f32>,
    pub(super) around: Vec<f32>,
    /// In order of their onsets, in seconds from the start; those that begin before it and sound in
    /// it are among them.
    pub(super) notes: Vec<MidiNote>,
    /// Seconds from the start to that of the recording.
    pub(super) start_seconds: f64,
    /// Seconds from the start to the end of the recording.
    pub(super) end_seconds: f64,
}

impl Recordings {
    /// The stem from a random place on, moved, and what is heard with it. The notes are those of
    /// `history_seconds` before it too.
    pub(super) fn mixture(
        &self,
        rng: &mut impl Rng,
        samples: usize,
        history_seconds: f64,
    ) -> Mixture {
        let index = rng.random_range(0..self.songs.len());
        let song = &self.songs[index];
        let (wanted, others): (Vec<&Part>, Vec<&Part>) =
            song.iter().partition(|p| p.holds(self.stem));
        let wanted = self.policy.kept(rng, wanted);
        let longest = longest(&wanted);
        let window = Window::somewhere(rng, longest, samples);

        let mut own = vec![0.0f32; samples];
        for part in &wanted {
            mix(&mut own, &part.heard(window), uniform(rng, 0.8, 1.1));
        }
        let mut around = vec![0.0f32; samples];
        match rng.random::<f32>() {
            p if p < 0.5 => {
                for part in others {
                    if chance(rng, 0.8) {
                        let gain = uniform(rng, 0.8, 1.1);
                        mix(&mut around, &part.heard(window), gain);
                    }
                }
            }
            p if p < 0.75 => self.parts_of_other_songs(rng, &mut around),
            _ => {}
        }

        let mut notes = self.notes(&wanted, window, history_seconds);
        for (parts, window) in self.stems_of_other_songs(rng, index, &wanted, samples) {
            for part in &parts {
                mix(&mut own, &part.heard(window), uniform(rng, 0.8, 1.1));
            }
            notes.extend(self.notes(&parts, window, history_seconds));
        }
        notes.sort_by(|a, b| a.onset.total_cmp(&b.onset));
        Mixture {
            own,
            around,
            notes,
            start_seconds: window.seconds(0.0),
            end_seconds: window.seconds(longest / f64::from(SAMPLE_RATE)),
        }
    }

    /// The notes of the stem in `parts`, as they are heard.
    fn notes(&self, parts: &[&Part], window: Window, history_seconds: f64) -> Vec<MidiNote> {
        // The keys of drums are no pitches.
        let moved = |n: &MidiNote| match n.channel {
            9 => 0,
            _ => window.semitones,
        };
        let length = window.samples as f64 / f64::from(SAMPLE_RATE);
        let notes = parts.iter().flat_map(|p| &p.notes);
        notes
            .filter(|n| self.stem.holds(n))
            .map(|n| MidiNote {
                onset: window.seconds(n.onset),
                offset: window.seconds(n.offset),
                key: n.key.saturating_add_signed(moved(n)),
                ..*n
            })
            .filter(|n| n.offset > -history_seconds && n.onset < length)
            .collect()
    }

    /// What the policy adds to the parts `wanted` of song `index`: parts with the stem, each song's
    /// with the stretch of it that is heard. None has an instrument that is there already.
    fn stems_of_other_songs<'a>(
        &'a self,
        rng: &mut impl Rng,
        index: usize,
        wanted: &[&Part],
        samples: usize,
    ) -> Vec<(Vec<&'a Part>, Window)> {
        let mut used: BTreeSet<u8> = BTreeSet::new();
        used.extend(wanted.iter().flat_map(|p| instruments(self.stem, p)));
        let mut added = Vec::new();
        let count = match self.songs.len() {
            1 => 0,
            _ => self.policy.other_songs(rng),
        };
        for _ in 0..count {
            // Any song but this one.
            let other = rng.random_range(0..self.songs.len() - 1);
            let song = &self.songs[other + usize::from(other >= index)];
            let parts = song.iter().filter(|p| p.holds(self.stem)).collect();
            let mut parts = self.policy.kept(rng, parts);
            parts.retain(|p| instruments(self.stem, p).is_disjoint(&used));
            if parts.is_empty() {
                continue;
            }
            used.extend(parts.iter().flat_map(|p| instruments(self.stem, p)));
            let window = Window::somewhere(rng, longest(&parts), samples);
            added.push((parts, window));
        }
        added
    }

    fn parts_of_other_songs(&self, rng: &mut impl Rng, around: &mut [f32]) {
        for _ in 0..rng.random_range(1..=3) {
            let song = &self.songs[rng.random_range(0..self.songs.len())];
            let part = &song[rng.random_range(0..song.len())];
            if part.holds(self.stem) {
                continue;
            }
            let window = Window {
                semitones: 0,
                ratio: 2f64.powf(f64::from(uniform(rng, -2.0, 2.0)) / 12.0),
                start: rng.random::<f64>() * part.samples.len() as f64,
                samples: around.len(),
            };
            mix(around, &part.heard(window), uniform(rng, 0.8, 1.1));
        }
    }
}

/// Samples of the longest of `parts`.
fn longest(parts: &[&Part]) -> f64 {
    parts.iter().map(|p| p.samples.len()).max().unwrap_or(0) as f64
}
