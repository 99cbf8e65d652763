//! Second-order filters.

use std::f32::consts::PI;

use crate::SAMPLE_RATE;

const RATE: f32 = SAMPLE_RATE as f32;

/// A second-order section (R. Bristow-Johnson's cookbook), transposed direct form II.
#[derive(Clone, Copy)]
pub struct Biquad {
    b: [f32; 3],
    a: [f32; 2],
}

impl Biquad {
    fn normalised(b: [f32; 3], a: [f32; 3]) -> Self {
        Self {
            b: b.map(|x| x / a[0]),
            a: [a[1] / a[0], a[2] / a[0]],
        }
    }

    fn angle(hz: f32, q: f32) -> (f32, f32) {
        let w = 2.0 * PI * hz.clamp(5.0, RATE * 0.49) / RATE;
        (w.cos(), w.sin() / (2.0 * q))
    }

    /// Bell of `gain_db` around `hz`.
    pub fn bell(hz: f32, q: f32, gain_db: f32) -> Self {
        let (c, alpha) = Self::angle(hz, q);
        let a = 10f32.powf(gain_db / 40.0);
        Self::normalised(
            [1.0 + alpha * a, -2.0 * c, 1.0 - alpha * a],
            [1.0 + alpha / a, -2.0 * c, 1.0 - alpha / a],
        )
    }

    /// Everything above `hz` changed by `gain_db`.
    pub fn high_shelf(hz: f32, gain_db: f32) -> Self {
        let (c, alpha) = Self::angle(hz, 0.707);
        let a = 10f32.powf(gain_db / 40.0);
        let s = 2.0 * a.sqrt() * alpha;
        Self::normalised(
            [
                a * ((a + 1.0) + (a - 1.0) * c + s),
                -2.0 * a * ((a - 1.0) + (a + 1.0) * c),
                a * ((a + 1.0) + (a - 1.0) * c - s),
            ],
            [
                (a + 1.0) - (a - 1.0) * c + s,
                2.0 * ((a - 1.0) - (a + 1.0) * c),
                (a + 1.0) - (a - 1.0) * c - s,
            ],
        )
    }

    /// Everything below `hz` changed by `gain_db`.
    pub fn low_shelf(hz: f32, gain_db: f32) -> Self {
        let (c, alpha) = Self::angle(hz, 0.707);
        let a = 10f32.powf(gain_db / 40.0);
        let s = 2.0 * a.sqrt() * alpha;
        Self::normalised(
            [
                a * ((a + 1.0) - (a - 1.0) * c + s),
                2.0 * a * ((a - 1.0) - (a + 1.0) * c),
                a * ((a + 1.0) - (a - 1.0) * c - s),
            ],
            [
                (a + 1.0) + (a - 1.0) * c + s,
                -2.0 * ((a - 1.0) + (a + 1.0) * c),
                (a + 1.0) + (a - 1.0) * c - s,
            ],
        )
    }

    /// 12 dB per octave above `hz`.
    pub fn low_pass(hz: f32, q: f32) -> Self {
        let (c, alpha) = Self::angle(hz, q);
        Self::normalised(
            [(1.0 - c) / 2.0, 1.0 - c, (1.0 - c) / 2.0],
            [1.0 + alpha, -2.0 * c, 1.0 - alpha],
        )
    }

    /// 12 dB per octave below `hz`.
    pub fn high_pass(hz: f32, q: f32) -> Self {
        let (c, alpha) = Self::angle(hz, q);
        Self::normalised(
            [(1.0 + c) / 2.0, -(1.0 + c), (1.0 + c) / 2.0],
            [1.0 + alpha, -2.0 * c, 1.0 - alpha],
        )
    }

    /// Band around `hz`, 0 dB at its centre.
    pub fn band_pass(hz: f32, q: f32) -> Self {
        let (c, alpha) = Self::angle(hz, q);
        Self::normalised([alpha, 0.0, -alpha], [1.0 + alpha, -2.0 * c, 1.0 - alpha])
    }

    /// Filters in place, from rest.
    pub fn run(self, audio: &mut [f32]) {
        cascade([self], audio);
    }
}

/// Filters in place by one after the other, from rest: in one pass for each four of them, which is
/// faster than a pass for each because they do not wait for each other.
pub fn run_all(mut filters: &[Biquad], audio: &mut [f32]) {
    while let [a, b, c, d, rest @ ..] = filters {
        cascade([*a, *b, *c, *d], audio);
        filters = rest;
    }
    match filters {
        [a, b, c] => cascade([*a, *b, *c], audio),
        [a, b] => cascade([*a, *b], audio),
        [a] => cascade([*a], audio),
        _ => {}
    }
}

fn cascade<const N: usize>(filters: [Biquad; N], audio: &mut [f32]) {
    /// States below this are silence; smaller ones would become subnormal numbers, which are slow.
    const SILENCE: f32 = 1e-18;
    let mut states = [[0.0f32; 2]; N];
    for block in audio.chunks_mut(64) {
        for x in block {
            let mut y = *x;
            for (filter, [s1, s2]) in filters.iter().zip(&mut states) {
                let input = y;
                y = filter.b[0] * input + *s1;
                *s1 = filter.b[1] * input - filter.a[0] * y + *s2;
                *s2 = filter.b[2] * input - filter.a[1] * y;
            }
            *x = y;
        }
        for state in &mut states {
            if state[0].abs() < SILENCE && state[1].abs() < SILENCE {
                *state = [0.0; 2];
            }
        }
    }
}
