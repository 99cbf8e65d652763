//! One training segment: drums, band, voice, noise, mastering, level, and the labels.

use std::path::Path;

use anyhow::Result;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use realfft::RealFftPlanner;

use crate::SAMPLE_RATE;
use crate::accompaniment::band::{Excerpt, load_pool};
use crate::accompaniment::voice::sing;
use crate::bank::{Bank, ONSET_SAMPLE, Split, is_computed};
use crate::codec::lossy;
use crate::dsp::{Room, amplitude, chance, compress, log_uniform, mix, peak, rms, scale, uniform};
use crate::groove::{Performance, Stroke, performances, window};
use crate::kit::Kit;
use crate::mixdown::mixdown;
use crate::patterns::{hand_percussion, invented, orchestrate};
use crate::perform::{Audibility, Drums, Hit, perform};
use crate::procedural;

mod mastering;
mod pitched;

pub(crate) use mastering::master;
use mastering::start_late;

pub use pitched::{LabelledNote, PitchedSegment};

/// Samples of a segment: 4.096 s, 512 frames of the model.
pub const SEGMENT_SAMPLES: usize = 131_072;
/// What sounds before the segment starts, so that it begins in the middle of music.
const LEAD_SAMPLES: usize = 40_960;
const LEAD_SECONDS: f64 = LEAD_SAMPLES as f64 / SAMPLE_RATE as f64;
/// The same in seconds.
pub const SEGMENT_SECONDS: f64 = SEGMENT_SAMPLES as f64 / SAMPLE_RATE as f64;

/// Everything that segments are made of.
pub struct Studio {
    bank: Bank,
    full_kits: Vec<String>,
    performances: Vec<Performance>,
    /// Those whose time is kept on the ride.
    ridden: Vec<usize>,
    band: Vec<Excerpt>,
}

/// A rendered segment.
pub struct Segment {
    /// [`SEGMENT_SAMPLES`] samples.
    pub audio: Vec<f32>,
    /// Labels in order of time.
    pub hits: Vec<Hit>,
}

impl Studio {
    /// Loads the bank at `root`, the pool at `pool` if given, and invents `procedural_kits` kits.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn open(
        root: &Path,
        pool: Option<&Path>,
        split: Split,
        procedural_kits: usize,
        seed: u64,
    ) -> Result<Self> {
        let bank = Bank::load(root, split)?;
        let performances = performances(&root.join("midi/midi_main.zip"), split == Split::Train)?;
        let band = pool.map(load_pool).transpose()?.unwrap_or_default();
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
            bank.add(Some(class), instrument);
        }
        let mut full_kits = bank.full_kits();
        // Recorded kits are few against the computed ones: together they get half of the list.
        let recorded: Vec<String> = full_kits
            .iter()
            .filter(|k| !is_computed(k))
            .cloned()
            .collect();
        let computed = full_kits.len() - recorded.len();
        let copies = computed.checked_div(recorded.len()).unwrap_or(0);
        for _ in 0..copies {
            full_kits.extend(recorded.iter().cloned());
        }
        Self {
            bank,
            full_kits,
            ridden: (0..performances.len())
                .filter(|index| performances[*index].is_ridden())
                .collect(),
            performances,
            band,
        }
    }

    /// Segment number `index` of the stream that `seed` names; always the same.
    pub fn segment(&self, planner: &mut RealFftPlanner<f32>, seed: u64, index: u64) -> Segment {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        let rng = &mut rng;
        let total = LEAD_SAMPLES + SEGMENT_SAMPLES;
        let kind = rng.random::<f32>();
        let with_drums = kind > 0.17;
        let with_band = !self.band.is_empty()
            && if with_drums {
                chance(rng, 0.6)
            } else {
                kind > 0.03
            };
        let with_voice = if with_drums {
            chance(rng, 0.15)
        } else {
            kind > 0.01 && chance(rng, 0.45)
        };
        let band = with_band.then(|| self.band_window(rng, total));

        let Drums {
            mut audio,
            mut hits,
        } = if with_drums {
            let strokes = self.strokes(rng, band.as_ref().map_or(&[], |b| &b.1));
            // Loops from samplers and machines come as they are, often with a kit as it was recorded.
            let dry = chance(rng, 0.2);
            let kit = if dry && chance(rng, 0.5) {
                Kit::as_recorded(rng, &self.bank, &self.full_kits)
            } else {
                Kit::random(rng, &self.bank, &self.full_kits)
            };
            let take = perform(rng, kit, &strokes, LEAD_SAMPLES, SEGMENT_SAMPLES);
            if dry {
                take.dry()
            } else {
                mixdown(rng, planner, take)
            }
        } else {
            Drums {
                audio: vec![0.0; total],
                hits: Vec::new(),
            }
        };
        if chance(rng, 0.05) {
            self.distract(rng, &mut audio);
        }
        let drums_rms = rms(&audio).max(1e-4);
        let mut others = vec![0.0f32; total];
        if let Some((samples, _)) = &band {
            let level = rms(samples).max(1e-6);
            mix(&mut others, samples, 1.0 / level);
        }
        if with_voice {
            let mut voice = sing(rng, total);
            if chance(rng, 0.5) {
                Room::random(rng, 0.8, 10.0).add(planner, &voice.clone(), 0.3, &mut voice);
            }
            if chance(rng, 0.5) {
                compress(&mut voice, 15.0, 4.0, 3.0, 80.0);
            }
            let level = rms(&voice).max(1e-6);
            mix(
                &mut others,
                &voice,
                amplitude(uniform(rng, -9.0, 6.0)) / level,
            );
        }
        if chance(rng, 0.3) {
            let (t60, wet) = (
                log_uniform(rng, 0.2, 1.5),
                amplitude(uniform(rng, -20.0, -4.0)),
            );
            Room::random(rng, t60, 5.0).add(planner, &others.clone(), wet, &mut others);
        }
        let gain = drums_rms * amplitude(uniform(rng, -21.0, 10.0));
        scale(&mut others, gain);
        mark_masked(&mut hits, &audio, &others);
        mix(&mut audio, &others, 1.0);
        master(rng, &mut audio);
        if chance(rng, 0.1) {
            lossy(rng, planner, &mut audio);
        }
        let mut audio = audio.split_off(LEAD_SAMPLES);
        if chance(rng, 0.15) {
            start_late(rng, &mut audio, &mut hits);
        }
        Segment { audio, hits }
    }

    /// A human performance on one kit, nothing else: no band, room, processing or noise. For
    /// measuring how well the model knows kits.
    pub fn dry_segment(&self, seed: u64, index: u64) -> Segment {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        let rng = &mut rng;
        let performance = &self.performances[rng.random_range(0..self.performances.len())];
        let strokes = window(rng, performance, 1.0, SEGMENT_SECONDS, LEAD_SECONDS);
        let kit = Kit::as_recorded(rng, &self.bank, &self.full_kits);
        let Drums { mut audio, hits } =
            perform(rng, kit, &strokes, LEAD_SAMPLES, SEGMENT_SAMPLES).dry();
        let mut audio = audio.split_off(LEAD_SAMPLES);
        let top = peak(&audio).max(1e-5);
        scale(&mut audio, 0.7 / top);
        Segment { audio, hits }
    }

    fn strokes(&self, rng: &mut impl Rng, of_the_song: &[Stroke]) -> Vec<Stroke> {
        let mut strokes = if of_the_song.len() >= 4 && chance(rng, 0.6) {
            of_the_song.to_vec()
        } else if self.performances.is_empty() || chance(rng, 0.27) {
            invented(rng, SEGMENT_SECONDS, LEAD_SECONDS)
        } else {
            let index = match self.ridden.choose(rng) {
                Some(index) if chance(rng, 0.2) => *index,
                _ => rng.random_range(0..self.performances.len()),
            };
            let performance = &self.performances[index];
            let stretch = f64::from(uniform(rng, 0.75, 1.3));
            let mut strokes = window(rng, performance, stretch, SEGMENT_SECONDS, LEAD_SECONDS);
            orchestrate(rng, &mut strokes);
            strokes
        };
        if chance(rng, 0.1) {
            strokes.extend(hand_percussion(rng, SEGMENT_SECONDS, LEAD_SECONDS));
        }
        // Machines play at one strength, players at many.
        if chance(rng, 0.1) {
            let level = uniform(rng, 0.5, 1.0);
            strokes.iter_mut().for_each(|s| s.velocity = level);
        }
        strokes.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
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
            .filter(|s| s.seconds > -LEAD_SECONDS && s.seconds < SEGMENT_SECONDS)
            .collect();
        (samples, strokes)
    }

    /// Percussion that is no class of the model.
    fn distract(&self, rng: &mut impl Rng, audio: &mut [f32]) {
        let others = self.bank.of(None);
        if others.is_empty() {
            return;
        }
        let instrument = &others[rng.random_range(0..others.len())];
        let gain = amplitude(uniform(rng, -25.0, -4.0)) / 32_768.0;
        let step = (log_uniform(rng, 0.1, 0.8) * SAMPLE_RATE as f32) as usize;
        let mut at = rng.random_range(0..step);
        while at < audio.len() {
            let hit = &instrument.hits[rng.random_range(0..instrument.hits.len())];
            for (x, s) in audio[at..]
                .iter_mut()
                .zip(&hit.samples[ONSET_SAMPLE.min(hit.samples.len())..])
            {
                *x += gain * f32::from(*s);
            }
            at += step * rng.random_range(1..=3);
        }
    }
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
pub(super) mod tests {
    use super::*;
    use std::collections::BTreeMap;

    pub(super) fn studio() -> Studio {
        let bank = Bank {
            instruments: BTreeMap::new(),
        };
        Studio::new(bank, Vec::new(), Vec::new(), 2, 7)
    }

    #[test]
    fn a_segment_is_the_same_every_time_and_differs_from_the_next() {
        let mut planner = RealFftPlanner::new();
        let (first, again, next) = (
            studio().segment(&mut planner, 3, 5),
            studio().segment(&mut planner, 3, 5),
            studio().segment(&mut planner, 3, 6),
        );
        assert_eq!(first.audio, again.audio);
        assert_ne!(first.audio, next.audio);
    }

    #[test]
    fn segments_are_finite_within_full_scale_and_labelled_in_order() {
        let (studio, mut planner) = (studio(), RealFftPlanner::new());
        let mut labelled = 0;
        for index in 0..24 {
            let segment = studio.segment(&mut planner, 1, index);
            assert_eq!(segment.audio.len(), SEGMENT_SAMPLES);
            assert!(
                segment
                    .audio
                    .iter()
                    .all(|x| x.is_finite() && x.abs() <= 1.1),
                "segment {index}"
            );
            assert!(
                segment
                    .hits
                    .is_sorted_by(|a, b| a.stroke.seconds <= b.stroke.seconds)
            );
            assert!(
                segment
                    .hits
                    .iter()
                    .all(|h| (0.0..SEGMENT_SECONDS).contains(&h.stroke.seconds))
            );
            labelled += segment.hits.len();
        }
        assert!(labelled > 100, "{labelled} hits in 24 segments");
    }

    #[test]
    fn audio_rises_where_the_labels_say() {
        let (studio, mut planner) = (studio(), RealFftPlanner::new());
        let (mut louder, mut judged) = (0, 0);
        for index in 0..24 {
            let segment = studio.segment(&mut planner, 2, index);
            for (i, hit) in segment.hits.iter().enumerate() {
                let t = hit.stroke.seconds;
                let alone = i == 0 || t - segment.hits[i - 1].stroke.seconds > 0.1;
                let at = (t * f64::from(SAMPLE_RATE)) as usize;
                if hit.audibility.db() < -3.0 || !alone || at < 640 || at + 640 > SEGMENT_SAMPLES {
                    continue;
                }
                judged += 1;
                louder += usize::from(
                    rms(&segment.audio[at..at + 640]) > rms(&segment.audio[at - 640..at]),
                );
            }
        }
        assert!(
            judged > 30 && louder * 10 > judged * 9,
            "{louder} of {judged}"
        );
    }
}
