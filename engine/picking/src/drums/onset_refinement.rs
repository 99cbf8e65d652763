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
/// Steps before the estimate that [`refined_onset`] needs.
pub const PAST_STEPS: i64 = max_move_steps() as i64 + 1 + SIDE_STEPS;
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
