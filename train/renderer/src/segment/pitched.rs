//! Segments for the pitched network: the band is what is asked for, drums and noise are in the way.

use hitscribe_dsp::RealFftPlanner;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::SAMPLE_RATE;
use crate::accompaniment::excerpt::Excerpt;
use crate::dsp::{
    Room, amplitude, chance, interpolated, log_uniform, mix, random_eq, rms, scale, uniform,
};
use crate::groove::Stroke;
use crate::kit::{Kit, Wanted};
use crate::mixdown::{Microphones, record};
use crate::perform::perform;
use crate::segment::Studio;
use crate::segment::lengths::{LEAD_SAMPLES, LEAD_SECONDS};
use crate::segment::mastering::master;

/// A pitched note of a segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelledNote {
    /// Start in seconds from the start of the segment; negative when it was struck before.
    pub onset: f32,
    /// End in seconds, after the start of the segment.
    pub offset: f32,
    /// Key 0..=127.
    pub key: u8,
    /// Velocity 0..=1.
    pub velocity: f32,
    /// General MIDI program 0..=127, 128 higher where an invented instrument plays.
    pub program: u8,
}

/// A rendered segment and its pitched notes.
pub struct PitchedSegment {
    /// Samples of the length that was asked for.
    pub audio: Vec<f32>,
    /// In order of onset.
    pub notes: Vec<LabelledNote>,
}

/// A part of an excerpt, detuned.
struct Music {
    audio: Vec<f32>,
    notes: Vec<LabelledNote>,
    strokes: Vec<Stroke>,
}

impl Studio {
    /// Pitched segment number `index` of the stream that `seed` names; always the same. A studio
    /// without a pool gives segments without notes.
    pub fn pitched_segment(
        &self,
        planner: &mut RealFftPlanner,
        seed: u64,
        index: u64,
    ) -> PitchedSegment {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        let rng = &mut rng;
        let total = LEAD_SAMPLES + self.samples;
        let drums_alone = self.band.is_empty() || chance(rng, 0.12);
        let mut audio = vec![0.0f32; total];
        let (mut notes, mut strokes) = (Vec::new(), Vec::new());
        if !drums_alone {
            let count = if chance(rng, 0.25) { 2 } else { 1 };
            for part in 0..count {
                let excerpt = &self.band[rng.random_range(0..self.band.len())];
                let music = detuned(rng, excerpt, total);
                let level = rms(&music.audio).max(1e-5);
                let gain = if part == 0 {
                    0.0
                } else {
                    uniform(rng, -10.0, 4.0)
                };
                mix(&mut audio, &music.audio, amplitude(gain) / level);
                notes.extend(music.notes);
                strokes = music.strokes;
            }
            let room = rng.random::<f32>();
            if room < 0.45 {
                let wet = amplitude(uniform(rng, -22.0, -3.0));
                let t60 = log_uniform(rng, 0.2, 2.2);
                Room::random(rng, t60, 8.0).add(planner, &audio.clone(), wet, &mut audio);
            }
            if chance(rng, 0.4) {
                random_eq(rng, &mut audio, 8.0);
            }
        }
        if drums_alone || chance(rng, 0.36) {
            let strokes = self.strokes(rng, &strokes);
            let kit = Kit::random(rng, &self.bank, &self.kits, Wanted::default());
            let take = perform(rng, kit, &strokes, LEAD_SAMPLES, self.samples);
            let drums = record(rng, planner, take, Microphones::Many);
            let level = rms(&audio).max(1e-4) / rms(&drums.audio).max(1e-4);
            mix(
                &mut audio,
                &drums.audio,
                level * amplitude(uniform(rng, -14.0, 10.0)),
            );
        }
        let level = rms(&audio).max(1e-5);
        scale(&mut audio, 0.2 / level);
        master(rng, planner, &mut audio);
        notes.sort_by(|a, b| a.onset.total_cmp(&b.onset));
        PitchedSegment {
            audio: audio.split_off(LEAD_SAMPLES),
            notes,
        }
    }
}

/// A window of the excerpt of `total` samples, played some semitones and up to 30 cents faster or
/// slower.
fn detuned(rng: &mut impl Rng, excerpt: &Excerpt, total: usize) -> Music {
    const CENTS: f32 = 30.0;
    let semitones = if chance(rng, 0.6) {
        rng.random_range(-3i8..=3)
    } else {
        0
    };
    let cents = 100.0 * f32::from(semitones) + uniform(rng, -CENTS, CENTS);
    let ratio = 2f64.powf(f64::from(cents) / 1200.0);
    let needed = (total as f64 * ratio).ceil() as usize + 3;
    let start = rng.random_range(1..excerpt.samples.len() - needed);
    let audio = (0..total)
        .map(|i| interpolated(&excerpt.samples, start as f64 + i as f64 * ratio))
        .collect();
    let rate = f64::from(SAMPLE_RATE);
    let seconds =
        |t: f32| ((f64::from(t) * rate - start as f64) / ratio / rate - LEAD_SECONDS) as f32;
    let notes = excerpt.notes.iter().filter_map(|n| {
        Some(LabelledNote {
            onset: seconds(n.onset),
            offset: seconds(n.offset),
            key: n.key.checked_add_signed(semitones)?,
            velocity: f32::from(n.velocity) / 127.0,
            program: n.program,
        })
    });
    let length = total as f64 / rate - LEAD_SECONDS;
    let strokes = excerpt.strokes.iter().map(|s| Stroke {
        seconds: (s.seconds * rate - start as f64) / ratio / rate - LEAD_SECONDS,
        ..*s
    });
    Music {
        audio,
        notes: notes
            .filter(|n| n.offset > 0.0 && f64::from(n.onset) < length)
            .collect(),
        strokes: strokes
            .filter(|s| s.seconds > -LEAD_SECONDS && s.seconds < length)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accompaniment::excerpt::PoolNote;
    use crate::segment::lengths::SEGMENT_SAMPLES;
    use crate::segment::tests::studio;

    /// A second of silence, then a tone to the end.
    fn excerpt() -> Excerpt {
        let tone = |n: usize| (8000.0 * (n as f32 * 0.1).sin()) as i16;
        Excerpt {
            samples: (0..24 * 32_000)
                .map(|n| if n < 32_000 { 0 } else { tone(n) })
                .collect(),
            strokes: Vec::new(),
            notes: vec![PoolNote {
                onset: 1.0,
                offset: 24.0,
                key: 60,
                velocity: 127,
                program: 0,
            }],
        }
    }

    #[test]
    fn labels_follow_the_audio_when_it_is_detuned() {
        let mut judged = 0;
        for seed in 0..400 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let music = detuned(&mut rng, &excerpt(), LEAD_SAMPLES + SEGMENT_SAMPLES);
            let first = music.audio.iter().position(|x| x.abs() > 0.02);
            if let (Some(note), Some(first @ 1..)) = (music.notes.first(), first) {
                let heard = first as f64 / f64::from(SAMPLE_RATE) - LEAD_SECONDS;
                if first > 100 {
                    assert!((f64::from(note.onset) - heard).abs() < 1e-3);
                    judged += 1;
                }
            }
        }
        assert!(judged > 5, "{judged}");
    }

    #[test]
    fn segments_are_finite_and_drums_alone_have_no_notes() {
        let (studio, mut planner) = (studio(), RealFftPlanner::new());
        let segment = studio.pitched_segment(&mut planner, 1, 1);
        assert_eq!(segment.audio.len(), SEGMENT_SAMPLES);
        assert!(segment.audio.iter().all(|x| x.is_finite()));
        assert!(segment.audio.iter().any(|x| x.abs() > 1e-4));
        assert!(segment.notes.is_empty());
    }
}
