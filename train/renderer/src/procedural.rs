//! Procedural drums. Each call invents a kit; recorded kits are few, these are as many as wanted.

use crate::class::DrumClass;
use rand::Rng;

use crate::bank::{Instrument, OneShot};
use crate::dsp::{chance, log_uniform, uniform};

mod character;
mod voice;

use character::Character;
use voice::Voice;

/// Invents the instruments of one kit named `kit`, with `layers` strengths each.
pub fn kit(rng: &mut impl Rng, kit: &str, layers: usize) -> Vec<(DrumClass, Instrument)> {
    let character = Character {
        machine: chance(rng, 0.4),
        tuning: log_uniform(rng, 0.75, 1.35),
        damping: log_uniform(rng, 0.4, 1.6),
        drive: if chance(rng, 0.3) {
            uniform(rng, 0.5, 4.0)
        } else {
            0.0
        },
        metal: log_uniform(rng, 0.7, 1.4),
    };
    DrumClass::ALL
        .into_iter()
        .filter_map(|class| {
            let voice = Voice::invent(rng, class, &character);
            let hits = (0..layers)
                .map(|layer| {
                    let velocity_rank = (layer as f32 + 0.5) / layers as f32;
                    OneShot {
                        samples: voice.strike(rng, velocity_rank, &character),
                        velocity_rank,
                    }
                })
                .collect();
            let instrument = Instrument {
                kit: kit.to_owned(),
                mic: "single".to_owned(),
                articulation: String::new(),
                hits,
            };
            (layers > 0).then_some((class, instrument))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::ONSET_SAMPLE;
    use rand::SeedableRng;

    #[test]
    fn every_drum_starts_at_the_onset_sample_and_sounds() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(9);
        for (class, instrument) in kit(&mut rng, "test", 2) {
            for hit in &instrument.hits {
                assert!(
                    hit.samples[..ONSET_SAMPLE].iter().all(|x| *x == 0),
                    "{class:?}"
                );
                let attack = &hit.samples[ONSET_SAMPLE..ONSET_SAMPLE + 1_600];
                assert!(attack.iter().any(|x| x.unsigned_abs() > 3_000), "{class:?}");
            }
        }
    }
}
