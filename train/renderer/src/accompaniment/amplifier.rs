//! A guitar amplifier.

use rand::Rng;

use crate::dsp::{Biquad, chance, log_uniform, saturate, uniform};

/// Gain, clipping, a loudspeaker.
pub(crate) fn amplify(rng: &mut impl Rng, stem: &mut [f32]) {
    Biquad::high_pass(log_uniform(rng, 80.0, 400.0), 0.7).run(stem);
    if chance(rng, 0.7) {
        saturate(stem, log_uniform(rng, 3.0, 60.0));
    }
    Biquad::low_pass(log_uniform(rng, 2_800.0, 7_500.0), 1.0).run(stem);
    Biquad::bell(
        log_uniform(rng, 500.0, 3_500.0),
        1.0,
        uniform(rng, -6.0, 6.0),
    )
    .run(stem);
}
