//! One training segment: drums, band, voice, noise, mastering, level, and the labels.

use std::path::{Path, PathBuf};

use anyhow::Result;
use hitscribe_dsp::RealFftPlanner;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::SAMPLE_RATE;
use crate::accompaniment::band::load_pool;
use crate::accompaniment::excerpt::Excerpt;
use crate::accompaniment::voice::sing;
use crate::bank::{Bank, Split, load_folder};
use crate::chain::Chain;
use crate::dsp::{Room, amplitude, chance, compress, log_uniform, mix, peak, rms, scale, uniform};
use crate::groove::{Performance, Stroke, performances, window};
use crate::kit::{Kit, KitNames, Wanted};
use crate::mixdown::{Microphones, record};
use crate::noise::{incidents, room_tone, spoken};
use crate::patterns::{hand_percussion, invented, jazz, orchestrate};
use crate::perform::{Audibility, Drums, Hit, perform};
use crate::procedural;
use crate::recorded::{self, Loop};
use crate::styles::{alone, ensemble, funk, machine, metal};

mod lengths;
mod mastering;
mod pitched;
mod scenario;
mod scene;

use lengths::{LEAD_SAMPLES, LEAD_SECONDS};
pub(crate) use mastering::master;
use mastering::{start_late, unmastered};
use scene::{Scene, duck, pause, rearrange, reversed, stir, swelling};

pub use lengths::{SEGMENT_SAMPLES, SEGMENT_SECONDS};
pub use pitched::{LabelledNote, PitchedSegment};
pub use scenario::Scenario;

/// Everything that segments are made of.
pub struct Studio {
    bank: Bank,
    kits: KitNames,
    performances: Vec<Performance>,
    /// Those whose time is kept on the ride.
    ridden: Vec<usize>,
    band: Vec<Excerpt>,
    /// Speech.
    talk: Vec<Vec<i16>>,
    /// Real loops with labels.
    loops: Vec<Loop>,
    /// Length of a segment of drums.
    samples: usize,
}

/// A rendered segment.
pub struct Segment {
    /// Samples of the length that was asked for.
    pub audio: Vec<f32>,
    /// Labels in order of time.
    pub hits: Vec<Hit>,
}

impl Studio {
    /// Loads the one-shots below `roots` and the performances of the first of them that has any,
    /// the pools, and invents `procedural_kits` kits.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn open(
        roots: &[impl AsRef<Path>],
        pools: &[PathBuf],
        split: Split,
        procedural_kits: usize,
        seed: u64,
    ) -> Result<Self> {
        let bank = Bank::load(roots, split)?;
        let archives = roots.iter().map(|r| r.as_ref().join("midi/midi_main.zip"));
        let archive = archives.clone().find(|a| a.exists());
        let archive = archive.or(archives.into_iter().next()).unwrap_or_default();
        let performances = performances(&archive, split == Split::Train)?;
        let mut band = Vec::new();
        for pool in pools {
            band.extend(load_pool(pool)?);
        }
        Ok(Self::new(bank, performances, band, procedural_kits, seed))
    }

    /// As [`Studio::open`], from what is in memory. `bank` may be empty when kits are invented.
    pub fn new(
        mut bank: Bank,
        performances: Vec<Performance>,
        band: Vec<Excerpt>,
        procedural_kits: usize,
        seed: u64,
    ) -> Self {
        let kits: Vec<_> = (0..procedural_kits)
            .into_par_iter()
            .map(|index| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(index as u64);
                procedural::kit(&mut rng, &format!("procedural {index}"), 3)
            })
            .collect();
        for (class, instrument) in kits.into_iter().flatten() {
            bank.add(class, instrument);
        }
        Self {
            kits: KitNames::of(&bank),
            bank,
            ridden: (0..performances.len())
                .filter(|index| performances[*index].is_ridden())
                .collect(),
            performances,
            band,
            talk: Vec::new(),
            loops: Vec::new(),
            samples: SEGMENT_SAMPLES,
        }
    }

    /// Adds the recordings of speech in `folder`, WAV at [`SAMPLE_RATE`].
    ///
    /// # Errors
    /// When the folder or one of them cannot be read.
    pub fn with_talk(mut self, folder: &Path) -> Result<Self> {
        self.talk = load_folder(folder)?;
        Ok(self)
    }

    /// Adds the labelled loops in `folder`: see [`crate::recorded`].
    ///
    /// # Errors
    /// When the folder or one of them cannot be read.
    pub fn with_loops(mut self, folder: &Path) -> Result<Self> {
        self.loops = recorded::load(folder)?;
        Ok(self)
    }

    /// Sets the length of segments of drums, at most 20 s.
    pub fn with_length(mut self, samples: usize) -> Self {
        self.samples = samples.min(20 * SAMPLE_RATE as usize);
        self
    }

    fn seconds(&self) -> f64 {
        self.samples as f64 / f64::from(SAMPLE_RATE)
    }

    /// Segment number `index` of the stream that `seed` names; always the same.
    pub fn segment(&self, planner: &mut RealFftPlanner, seed: u64, index: u64) -> Segment {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        let rng = &mut rng;
        let total = LEAD_SAMPLES + self.samples;
        let scene = Scene::random(rng);
        let chain = Chain::random(rng);
        let band = (!self.band.is_empty() && chance(rng, scene.band()))
            .then(|| self.band_window(rng, total));
        let mut others = vec![0.0f32; total];
        if let Some((samples, _)) = &band {
            mix(&mut others, samples, 1.0 / rms(samples).max(1e-6));
        }
        let real = if scene == Scene::Kit && !self.loops.is_empty() && chance(rng, 0.2) {
            recorded::play(rng, &self.loops, LEAD_SAMPLES, self.samples)
        } else {
            None
        };
        let mut drums = if let Some(mut drums) = real {
            let top = peak(&drums.audio).max(1e-6);
            scale(&mut drums.audio, 1.0 / top);
            drums
        } else if scene.has_drums() {
            let song = band.as_ref().map_or(&[][..], |b| &b.1);
            self.drums(rng, planner, scene, song)
        } else {
            Drums {
                audio: vec![0.0; total],
                hits: Vec::new(),
            }
        };
        if band.is_none() && chance(rng, if scene == Scene::Machine { 0.15 } else { 0.04 }) {
            rearrange(rng, &mut drums, self.samples);
        }
        let Drums {
            mut audio,
            mut hits,
        } = drums;
        let drums_rms = rms(&audio).max(1e-4);
        if chance(rng, scene.voice()) {
            voice(rng, planner, &self.talk, &mut others);
        }
        if chance(rng, 0.3) && (band.is_some() || scene == Scene::NoDrums) {
            let (t60, wet) = (
                log_uniform(rng, 0.2, 1.5),
                amplitude(uniform(rng, -20.0, -4.0)),
            );
            Room::random(rng, t60, 5.0).add(planner, &others.clone(), wet, &mut others);
        }
        if band.is_some() && chance(rng, if scene == Scene::Machine { 0.35 } else { 0.05 }) {
            duck(rng, &mut others, &hits);
        }
        scale(
            &mut others,
            drums_rms * amplitude(uniform(rng, -19.0, 10.0)),
        );
        self.surroundings(rng, scene, chain, &mut others);
        mark_masked(&mut hits, &audio, &others);
        mix(&mut audio, &others, 1.0);
        chain.record(rng, planner, &mut audio);
        if chain.is_dull() {
            for hit in &mut hits {
                hit.audibility = hit.audibility.dulled();
            }
        }
        if chain == Chain::Clean || chance(rng, 0.5) {
            master(rng, planner, &mut audio);
        } else {
            unmastered(rng, &mut audio);
        }
        let mut audio = audio.split_off(LEAD_SAMPLES);
        let late = if matches!(scene, Scene::Alone | Scene::Noise) {
            0.3
        } else {
            0.18
        };
        if chance(rng, late) {
            start_late(rng, &mut audio, &mut hits);
        }
        Segment { audio, hits }
    }

    /// The drums of a scene, their peak at 1.
    fn drums(
        &self,
        rng: &mut ChaCha8Rng,
        planner: &mut RealFftPlanner,
        scene: Scene,
        song: &[Stroke],
    ) -> Drums {
        let (length, lead) = (self.seconds(), LEAD_SECONDS);
        let mut wanted = Wanted::default();
        let mut strokes = match scene {
            Scene::Alone => alone(rng, length, lead),
            Scene::Machine => {
                wanted.electronic = chance(rng, 0.85);
                machine(rng, length, lead)
            }
            Scene::Hand => {
                let mut strokes = ensemble(rng, length, lead);
                if chance(rng, 0.35) {
                    strokes.extend(self.strokes(rng, song));
                }
                strokes
            }
            _ => match rng.random::<f32>() {
                p if p < 0.06 => metal(rng, length, lead),
                p if p < 0.13 => funk(rng, length, lead),
                p if p < 0.20 => {
                    wanted.brushes = chance(rng, 0.5);
                    jazz(rng, length, lead)
                }
                _ => self.strokes(rng, song),
            },
        };
        if scene != Scene::Alone && chance(rng, 0.12) {
            pause(rng, &mut strokes, length);
        }
        strokes.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        // Loops from samplers and machines come as they are, often with a kit as it was recorded.
        let dry = chance(rng, if scene == Scene::Machine { 0.4 } else { 0.2 });
        wanted.as_recorded = dry && chance(rng, 0.5);
        let kit = Kit::random(rng, &self.bank, &self.kits, wanted);
        let take = perform(rng, kit, &strokes, LEAD_SAMPLES, self.samples);
        let mut drums = if dry {
            take.dry()
        } else {
            let microphones = match rng.random::<f32>() {
                p if p < 0.12 && scene != Scene::Machine => Microphones::Overheads,
                p if p < 0.18 && scene == Scene::Kit => Microphones::Close,
                _ => Microphones::Many,
            };
            record(rng, planner, take, microphones)
        };
        if wanted.brushes {
            let mut bed = vec![0.0f32; drums.audio.len()];
            stir(rng, &mut bed);
            mark_masked(&mut drums.hits, &drums.audio, &bed);
            mix(&mut drums.audio, &bed, 1.0);
        }
        let top = peak(&drums.audio);
        if top > 1e-6 {
            scale(&mut drums.audio, 1.0 / top);
        }
        drums
    }

    /// What a place adds, with drums at a peak of 1: its tone, its noises, effects.
    fn surroundings(&self, rng: &mut impl Rng, scene: Scene, chain: Chain, others: &mut [f32]) {
        if let Some(floor) = chain.floor(rng, others.len()) {
            mix(others, &floor, 1.0);
        }
        if matches!(scene, Scene::Alone | Scene::Noise) && chance(rng, 0.75) {
            let bed = room_tone(rng, others.len());
            mix(others, &bed, amplitude(uniform(rng, -78.0, -30.0)));
        }
        let (often, loudest_db) = match scene {
            Scene::Noise => (1.0, uniform(rng, -20.0, 0.0)),
            Scene::Alone => (0.7, uniform(rng, -36.0, -4.0)),
            Scene::Hand => (0.2, uniform(rng, -40.0, -12.0)),
            _ => (0.08, uniform(rng, -40.0, -12.0)),
        };
        if chance(rng, often) {
            let per_second = log_uniform(rng, 0.15, 3.0);
            incidents(
                rng,
                others,
                &self.talk,
                per_second,
                loudest_db - 30.0,
                loudest_db,
            );
        }
        if chance(rng, 0.03) {
            let instruments = self.bank.of(swelling(rng));
            if !instruments.is_empty() {
                let instrument = &instruments[rng.random_range(0..instruments.len())];
                let hit = &instrument.hits[rng.random_range(0..instrument.hits.len())];
                reversed(rng, &hit.samples, others);
            }
        }
    }

    /// A human performance on one kit, nothing else: no band, room, processing or noise. For
    /// measuring how well the model knows kits.
    pub fn dry_segment(&self, seed: u64, index: u64) -> Segment {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        let rng = &mut rng;
        let performance = &self.performances[rng.random_range(0..self.performances.len())];
        let strokes = window(rng, performance, 1.0, self.seconds(), LEAD_SECONDS);
        let wanted = Wanted {
            as_recorded: true,
            ..Wanted::default()
        };
        let kit = Kit::random(rng, &self.bank, &self.kits, wanted);
        let Drums { mut audio, hits } =
            perform(rng, kit, &strokes, LEAD_SAMPLES, self.samples).dry();
        let mut audio = audio.split_off(LEAD_SAMPLES);
        let top = peak(&audio).max(1e-5);
        scale(&mut audio, 0.7 / top);
        Segment { audio, hits }
    }

    fn strokes(&self, rng: &mut impl Rng, of_the_song: &[Stroke]) -> Vec<Stroke> {
        let length = self.seconds();
        let mut strokes = if of_the_song.len() >= 4 && chance(rng, 0.6) {
            of_the_song.to_vec()
        } else if self.performances.is_empty() || chance(rng, 0.22) {
            invented(rng, length, LEAD_SECONDS)
        } else {
            let index = match self.ridden.choose(rng) {
                Some(index) if chance(rng, 0.2) => *index,
                _ => rng.random_range(0..self.performances.len()),
            };
            let performance = &self.performances[index];
            let stretch = f64::from(uniform(rng, 0.75, 1.3));
            let mut strokes = window(rng, performance, stretch, length, LEAD_SECONDS);
            orchestrate(rng, &mut strokes);
            strokes
        };
        if chance(rng, 0.1) {
            strokes.extend(hand_percussion(rng, length, LEAD_SECONDS));
        }
        // Machines play at one strength, players at many.
        if chance(rng, 0.1) {
            let level = uniform(rng, 0.5, 1.0);
            strokes.iter_mut().for_each(|s| s.velocity = level);
        }
        strokes
    }

    /// A window of the pool's audio and the song's strokes in it, relative to the segment's start.
    fn band_window(&self, rng: &mut impl Rng, total: usize) -> (Vec<f32>, Vec<Stroke>) {
        let excerpt = &self.band[rng.random_range(0..self.band.len())];
        let start = rng.random_range(0..excerpt.samples.len() - total);
        let samples = excerpt.samples[start..start + total]
            .iter()
            .map(|x| f32::from(*x) / 32_768.0)
            .collect();
        let zero = (start + LEAD_SAMPLES) as f64 / f64::from(SAMPLE_RATE);
        let strokes = excerpt
            .strokes
            .iter()
            .map(|s| Stroke {
                seconds: s.seconds - zero,
                ..*s
            })
            .filter(|s| s.seconds > -LEAD_SECONDS && s.seconds < self.seconds())
            .collect();
        (samples, strokes)
    }
}

/// Adds somebody who sings or speaks, near the level of the rest, which is an rms of 1.
fn voice(rng: &mut impl Rng, planner: &mut RealFftPlanner, talk: &[Vec<i16>], others: &mut [f32]) {
    let mut voice = match talk.choose(rng) {
        Some(speech) if chance(rng, 0.35) => spoken(rng, speech, others.len()),
        _ => sing(rng, others.len()),
    };
    if chance(rng, 0.5) {
        Room::random(rng, 0.8, 10.0).add(planner, &voice.clone(), 0.3, &mut voice);
    }
    if chance(rng, 0.5) {
        compress(&mut voice, 15.0, 4.0, 3.0, 80.0);
    }
    let level = rms(&voice).max(1e-6);
    mix(others, &voice, amplitude(uniform(rng, -9.0, 6.0)) / level);
}

/// Lowers the audibility of hits that the rest of the band drowns.
fn mark_masked(hits: &mut [Hit], drums: &[f32], others: &[f32]) {
    for hit in hits {
        let seconds = hit.stroke.seconds.max(0.0);
        let at = LEAD_SAMPLES + (seconds * f64::from(SAMPLE_RATE)) as usize;
        hit.audibility = hit.audibility.within(Audibility::beside(drums, others, at));
    }
}

#[cfg(test)]
pub(super) mod tests;
