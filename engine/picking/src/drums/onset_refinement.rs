//! Exact onsets: the model estimates, the audio decides.
//!
//! The model's frames are 8 ms apart, and its estimate between them shifts by one or two
//! milliseconds with the position of the frames on the audio. The steepest rise in the drum's band
//! near the estimate does not.

use crate::drums::band_levels::{BandLevels, STEPS_PER_SECOND, band_of};
use hitscribe_core::DrumClass;

/// Most that an onset is moved, in seconds: less than half of the shortest time between two hits of
/// one class.
pub const MAX_MOVE_SECONDS: f64 = 0.006;

/// Steps before and after an instant whose energies are compared: 2 ms.
const SIDE_STEPS: i64 = 8;
/// Steps before the estimate that [`refined_onset`] and [`stroke_start`] need.
pub const PAST_STEPS: i64 =
    max_move_steps() as i64 + 1 + SIDE_STEPS + STROKE_STEPS + STROKE_BODY_STEPS;
/// Longest time by which the click of a kick comes before its body, in seconds.
pub const MAX_STROKE_SECONDS: f64 = 0.020;
const STROKE_STEPS: i64 = (MAX_STROKE_SECONDS * STEPS_PER_SECOND as f64) as i64;
/// Steps before and after a click in which the body is measured: 4 ms.
const STROKE_BODY_STEPS: i64 = 16;
/// Steps after the onset of the body in which it is measured: 6 ms.
const BODY_STEPS: i64 = 24;
/// Rise of a click in nepers; one of less than this share of the steepest is none.
const CLICK_RISE: f64 = 1.386;
const CLICK_SHARE: f64 = 0.8;
/// Energy of the body right after its click: relative to that at its loudest, and to before.
const MIN_BODY: f64 = 0.003;
const MIN_BODY_RISE: f64 = 2.0;
/// Index of the band of clicks, 500 to 5000 Hz.
const CLICK_BAND: usize = band_of(DrumClass::Cowbell);
/// Rises below this share of the largest energy nearby are noise.
const FLOOR: f64 = 0.1;
/// Distance from the estimate at which a rise counts half a neper less, in seconds.
const DOUBT_SECONDS: f64 = 0.006;

const fn max_move_steps() -> f64 {
    MAX_MOVE_SECONDS * STEPS_PER_SECOND as f64
}

/// The onset in seconds of a hit that the model estimates at `estimate_seconds`: at most
/// [`MAX_MOVE_SECONDS`] away from it, never negative. Needs the levels from [`PAST_STEPS`]
/// before the estimate to 8 ms after it.
pub fn refined_onset(levels: &BandLevels, class: DrumClass, estimate_seconds: f64) -> f64 {
    let band = band_of(class);
    let estimate = estimate_seconds * f64::from(STEPS_PER_SECOND);
    let first = (estimate - max_move_steps()).ceil() as i64;
    let last = (estimate + max_move_steps()).floor() as i64;
    let energies: Vec<f64> = (first - SIDE_STEPS..last + SIDE_STEPS)
        .map(|step| f64::from(levels.energy(band, step)))
        .collect();
    let side = SIDE_STEPS as usize;
    let sums: Vec<f64> = energies
        .windows(side)
        .map(|part| part.iter().sum())
        .collect();
    let loudest = sums[side..].iter().copied().fold(0.0, f64::max);
    if loudest <= 0.0 {
        return estimate_seconds;
    }
    let floor = FLOOR * loudest;
    let rise = |index: usize| {
        let away = (first as f64 + index as f64 - estimate) / f64::from(STEPS_PER_SECOND);
        let (before, after) = (sums[index], sums[index + side]);
        ((after + floor) / (before + floor)).ln() - 0.5 * (away / DOUBT_SECONDS).powi(2)
    };
    let rises: Vec<f64> = (0..sums.len() - side).map(rise).collect();
    let best = (1..rises.len()).fold(0, |best, i| if rises[i] > rises[best] { i } else { best });
    // Position between the steps: the vertex of the parabola through three of them.
    let fraction = match (best.checked_sub(1).map(|i| rises[i]), rises.get(best + 1)) {
        (Some(left), Some(&right)) => {
            let bend = left - 2.0 * rises[best] + right;
            if bend < 0.0 {
                0.5 * (left - right) / bend
            } else {
                0.0
            }
        }
        _ => 0.0,
    };
    let onset = (first as f64 + best as f64 + fraction) / f64::from(STEPS_PER_SECOND);
    onset
        .clamp(
            estimate_seconds - MAX_MOVE_SECONDS,
            estimate_seconds + MAX_MOVE_SECONDS,
        )
        .max(0.0)
}

/// Where the stroke begins whose body begins at `onset_seconds`: at most [`MAX_STROKE_SECONDS`]
/// earlier, never negative.
///
/// The beater's click of a kick comes before its body, on drum machines by up to 20 ms. Of the steep
/// rises in the click's band the first counts with which the body begins too: a hit of another drum
/// just before has no body of a kick.
pub fn stroke_start(levels: &BandLevels, class: DrumClass, onset_seconds: f64) -> f64 {
    if class != DrumClass::Kick {
        return onset_seconds;
    }
    let body_band = band_of(class);
    let sum = |band: usize, from: i64, count: i64| -> f64 {
        (from..from + count)
            .map(|step| f64::from(levels.energy(band, step)))
            .sum()
    };
    let onset = (onset_seconds * f64::from(STEPS_PER_SECOND)).round() as i64;
    let first = onset - STROKE_STEPS;
    let loudest = |band: usize, last: i64| {
        let sums = (first..=last).map(|step| sum(band, step, SIDE_STEPS));
        sums.fold(0.0, f64::max)
    };
    let floor = FLOOR * loudest(CLICK_BAND, onset + SIDE_STEPS);
    let loudest_body = loudest(body_band, onset + BODY_STEPS);
    if floor <= 0.0 {
        return onset_seconds;
    }
    let rise = |step: i64| {
        let before = sum(CLICK_BAND, step - SIDE_STEPS, SIDE_STEPS);
        ((sum(CLICK_BAND, step, SIDE_STEPS) + floor) / (before + floor)).ln()
    };
    let rises: Vec<f64> = (first..=onset).map(rise).collect();
    let steepest = rises.iter().copied().fold(0.0, f64::max);
    let is_click = |&(_, rises): &(i64, &[f64])| {
        let rise = rises[1];
        let is_peak = rise >= rises[0] && rise >= rises[2];
        is_peak && rise >= CLICK_RISE && rise >= CLICK_SHARE * steepest
    };
    // Of the body, per step of the sums above.
    let body = |step: i64| {
        sum(body_band, step, STROKE_BODY_STEPS) * SIDE_STEPS as f64 / STROKE_BODY_STEPS as f64
    };
    let begins_body = |step: i64| {
        let after = body(step);
        after >= MIN_BODY * loudest_body && after >= MIN_BODY_RISE * body(step - STROKE_BODY_STEPS)
    };
    (first + 1..)
        .zip(rises.windows(3))
        .filter(is_click)
        .map(|(step, _)| step)
        .find(|&step| begins_body(step))
        .map_or(onset_seconds, |step| {
            (step as f64 / f64::from(STEPS_PER_SECOND)).max(0.0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: u32 = 32_000;

    /// A burst of noise from `onset_seconds` on over a little hiss.
    fn levels(onset_seconds: f64) -> BandLevels {
        let onset = (onset_seconds * f64::from(RATE_HZ)).round() as usize;
        let mut state = 7u32;
        let samples: Vec<f32> = (0..RATE_HZ as usize)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
                let age = n as f32 - onset as f32;
                let burst = if age < 0.0 {
                    0.0
                } else {
                    (-age / 1_500.0).exp()
                };
                noise * (0.003 + 0.6 * burst)
            })
            .collect();
        let mut levels = BandLevels::new(RATE_HZ);
        levels.push(&samples);
        levels
    }

    #[test]
    fn the_onset_is_found_from_any_estimate_nearby() {
        for onset_ms in [400.0, 401.3, 402.66] {
            let levels = levels(onset_ms / 1000.0);
            for error_ms in [-5.0, -3.0, -1.0, 0.0, 0.7, 2.5, 5.0] {
                let estimate = (onset_ms + error_ms) / 1000.0;
                for class in [DrumClass::Snare, DrumClass::ClosedHat, DrumClass::Crash] {
                    let found_ms = refined_onset(&levels, class, estimate) * 1000.0;
                    let off = found_ms - onset_ms;
                    assert!(off.abs() < 0.6, "{class:?} {onset_ms} {error_ms}: {off} ms");
                }
            }
        }
    }

    /// A click of 3 ms, if there is one, and a body that rises within 15 ms.
    fn kick(has_click: bool, click: usize) -> BandLevels {
        let mut state = 3u32;
        let samples: Vec<f32> = (0..RATE_HZ as usize / 2)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
                let age = n as f32 - click as f32;
                if age < 0.0 {
                    return 0.0;
                }
                let click = if has_click {
                    noise * (-age / 60.0).exp()
                } else {
                    0.0
                };
                let seconds = age / RATE_HZ as f32;
                let body = (std::f32::consts::TAU * 55.0 * seconds).sin();
                0.3 * click + body * (seconds / 0.015).min(1.0) * (-seconds / 0.2).exp()
            })
            .collect();
        let mut levels = BandLevels::new(RATE_HZ);
        levels.push(&samples);
        levels
    }

    #[test]
    fn a_kick_begins_with_its_click() {
        for click in [1_600, 6_403, 6_550] {
            let at = click as f64 / f64::from(RATE_HZ);
            let levels = kick(true, click);
            for body_ms in [0.0, 4.0, 8.0, 12.0] {
                let start = stroke_start(&levels, DrumClass::Kick, at + body_ms / 1000.0);
                assert!((start - at).abs() < 0.0006, "{body_ms}: {}", start - at);
            }
            let onset = at + 0.012;
            assert_eq!(stroke_start(&levels, DrumClass::Snare, onset), onset);
        }
    }

    #[test]
    fn a_stroke_before_a_kick_is_not_its_click() {
        // A hat 15 ms before the body of a kick that has no click.
        let (mut hat, mut state) = (vec![0.0_f32; 16_000], 5u32);
        for (age, sample) in hat[5_520..].iter_mut().enumerate() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
            let body_age = age as f32 - 480.0;
            let body = match body_age {
                age if age < 0.0 => 0.0,
                age => (age * 0.012).sin() * (-age / 6_000.0).exp(),
            };
            *sample = 0.2 * noise * (-(age as f32) / 300.0).exp() + body;
        }
        // Without the low part of the noise, as a hat.
        let low: Vec<f32> = hat.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for (at, sample) in hat[5_520..6_000].iter_mut().enumerate() {
            *sample = low[5_519 + at];
        }
        let mut levels = BandLevels::new(RATE_HZ);
        levels.push(&hat);
        let body = 6_000.0 / f64::from(RATE_HZ);
        let start = stroke_start(&levels, DrumClass::Kick, body);
        assert!((start - body).abs() < 0.003, "{}", start - body);
    }

    #[test]
    fn in_silence_and_at_the_ends_onsets_stay_near_the_estimate() {
        let mut silent = BandLevels::new(RATE_HZ);
        silent.push(&[0.0; 3_200]);
        assert_eq!(refined_onset(&silent, DrumClass::Kick, 0.05), 0.05);
        let levels = levels(0.0);
        assert!(refined_onset(&levels, DrumClass::Snare, 0.0) <= MAX_MOVE_SECONDS);
        for estimate in [0.9999, 1.0, 77.0] {
            let found = refined_onset(&levels, DrumClass::Snare, estimate);
            assert!((found - estimate).abs() <= MAX_MOVE_SECONDS + 1e-9);
        }
    }
}
