//! Real drum loops with labels, from a person or a teacher network, as an ingredient of segments:
//! `X.wav` at 32 kHz with `X.csv` beside it (seconds, index of the class, velocity 0..=1).

use std::path::Path;

use anyhow::{Context, Result, bail};
use rand::Rng;
use rand::seq::IndexedRandom;

use crate::SAMPLE_RATE;
use crate::bank::decode;
use crate::dsp::{catmull_rom, chance, log_uniform, random_eq};
use crate::groove::Stroke;
use crate::labels::read_csv;
use crate::perform::{Audibility, Drums, Hit};

/// A loop and what is played in it.
pub struct Loop {
    samples: Vec<i16>,
    strokes: Vec<Stroke>,
}

/// Reads the loops of a folder.
///
/// # Errors
/// When the folder has none, or one of them cannot be read.
pub fn load(folder: &Path) -> Result<Vec<Loop>> {
    let context = || format!("reading {}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.extension().is_some_and(|e| e == "csv") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        bail!("{}: has no loops (X.wav with X.csv)", folder.display());
    }
    paths
        .iter()
        .map(|path| {
            let samples = decode(&path.with_extension("wav"))?;
            if samples.len() < SAMPLE_RATE as usize / 2 {
                bail!("{}: is shorter than half a second", path.display());
            }
            let strokes = read_csv(path)?.into_iter().map(|hit| Stroke {
                seconds: hit.seconds,
                class: hit.class,
                velocity: hit.velocity,
            });
            Ok(Loop {
                samples,
                strokes: strokes.collect(),
            })
        })
        .collect()
}

/// Plays one of the loops over and over, somewhat faster or slower, from `lead` samples before the
/// segment on.
pub(crate) fn play(
    rng: &mut impl Rng,
    loops: &[Loop],
    lead: usize,
    length: usize,
) -> Option<Drums> {
    let chosen = loops.choose(rng)?;
    let count = chosen.samples.len();
    let speed = log_uniform(rng, 0.86, 1.16);
    let start = rng.random_range(0..count);
    let (mut at, mut share) = (start, 0.0f32);
    let mut audio = Vec::with_capacity(lead + length);
    for _ in 0..lead + length {
        let around = std::array::from_fn(|i| {
            f32::from(chosen.samples[(at + count + i - 1) % count]) / 32_768.0
        });
        audio.push(catmull_rom(around, share));
        share += speed;
        let whole = share as usize;
        (at, share) = ((at + whole) % count, share - whole as f32);
    }
    let rate = f64::from(SAMPLE_RATE);
    let (period, speed) = (count as f64 / rate, f64::from(speed));
    let begin = start as f64 / rate + lead as f64 / rate * speed;
    let seconds = length as f64 / rate;
    let mut hits = Vec::new();
    for stroke in &chosen.strokes {
        let mut t = stroke.seconds - begin;
        t -= (t / period).floor() * period;
        while t / speed < seconds {
            hits.push(Hit {
                stroke: Stroke {
                    seconds: t / speed,
                    ..*stroke
                },
                audibility: Audibility::full(),
            });
            t += period;
        }
    }
    hits.sort_by(|a, b| a.stroke.seconds.total_cmp(&b.stroke.seconds));
    if chance(rng, 0.5) {
        random_eq(rng, &mut audio, 5.0);
    }
    Some(Drums { audio, hits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::DrumClass;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn strokes_of_a_loop_come_back_with_its_sound() {
        let mut samples = vec![0i16; 40_000];
        samples[12_000..12_050].fill(20_000);
        let of = Loop {
            samples,
            strokes: vec![Stroke {
                seconds: 12_000.0 / f64::from(SAMPLE_RATE),
                class: DrumClass::Snare,
                velocity: 0.7,
            }],
        };
        let mut judged = 0;
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let loops = std::slice::from_ref(&of);
            let drums = play(&mut rng, loops, 40_960, 131_072).unwrap();
            for hit in &drums.hits {
                let at = 40_960 + (hit.stroke.seconds * f64::from(SAMPLE_RATE)) as usize;
                if at + 200 > drums.audio.len() {
                    continue;
                }
                let energy = |from: usize, to: usize| -> f32 {
                    drums.audio[from..to].iter().map(|x| x * x).sum()
                };
                assert!(energy(at, at + 80) > 50.0 * energy(at - 100, at - 8).max(1e-9));
                judged += 1;
            }
        }
        assert!(judged > 40, "{judged}");
    }
}
