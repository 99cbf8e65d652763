//! How open a hi-hat was when it was struck, measured by how long it rings.
//!
//! The decay time of the highs (60 dB) on recorded hats: 0.2 s pressed tight, 0.3 to 0.7 s closed,
//! 1.3 s half open and tight, 3 s half open, 5 s and more open.

use crate::drums::band_levels::{BandLevels, STEPS_PER_SECOND, band_of};
use hitscribe_core::DrumClass;
use hitscribe_core::note::MAX_OPENNESS;

/// Decay times in seconds of a hat that is pressed tight and of one that is fully open.
const TIGHT_SECONDS: f64 = 0.2;
const OPEN_SECONDS: f64 = 5.0;

/// Energies are compared in windows of 15 ms: some for the stroke, those after them for its ring.
const WINDOW_STEPS: i64 = 60;
/// The ring of earlier strokes is measured this long before the onset, which may be some ms late.
const EARLIER_STEPS: i64 = 20;
/// Steps before an onset that [`openness`] needs.
pub const PAST_STEPS: i64 = EARLIER_STEPS + WINDOW_STEPS;
const STROKE_WINDOWS: i64 = 3;
const RING_WINDOWS: i64 = 7;
/// A larger rise is another hit.
const RISE: f64 = 2.0;
/// Smallest drop in dB from which a decay time is computed.
const MIN_DROP_DB: f64 = 0.5;

/// Limit between the classes closed and open.
const MIDDLE: f64 = MAX_OPENNESS as f64 / 2.0;

/// Openness of the hi-hat that was struck at `onset_seconds`, from 0 (pressed tight) to
/// [`MAX_OPENNESS`] (fully open). None for other drums and the pedal, and where the stroke is too
/// soft to measure. Needs the levels from [`PAST_STEPS`] before the onset to 150 ms after it.
pub fn openness(levels: &BandLevels, class: DrumClass, onset_seconds: f64) -> Option<u8> {
    if !matches!(class, DrumClass::ClosedHat | DrumClass::OpenHat) {
        return None;
    }
    let onset = (onset_seconds.max(0.0) * f64::from(STEPS_PER_SECOND)) as i64;
    let band = band_of(class);
    let energy_from = |first: i64| -> f64 {
        let steps = levels.steps(first, first + WINDOW_STEPS);
        steps.map(|step| f64::from(step.energy[band])).sum()
    };
    let energy = |window: i64| energy_from(onset + window * WINDOW_STEPS);
    // Earlier strokes ring on beneath this one.
    let before = energy_from(onset - PAST_STEPS);
    let (loudest, stroke) = (0..STROKE_WINDOWS)
        .map(|window| (window, energy(window) - before))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    if stroke <= before {
        return None;
    }
    let mut decay_seconds: f64 = 0.0;
    let mut last = stroke;
    for window in STROKE_WINDOWS..STROKE_WINDOWS + RING_WINDOWS {
        let ring = energy(window) - before;
        if ring > RISE * last || ring <= 0.5 * before || ring <= 0.0 {
            break;
        }
        last = ring;
        let seconds = ((window - loudest) * WINDOW_STEPS) as f64 / f64::from(STEPS_PER_SECOND);
        let drop_db = (10.0 * (stroke / ring).log10()).max(MIN_DROP_DB);
        decay_seconds = decay_seconds.max(60.0 * seconds / drop_db);
    }
    let share = (decay_seconds.max(TIGHT_SECONDS) / TIGHT_SECONDS).ln()
        / (OPEN_SECONDS / TIGHT_SECONDS).ln();
    let open = share.min(1.0) * f64::from(MAX_OPENNESS);
    Some(match class {
        DrumClass::OpenHat => open.max(MIDDLE).ceil() as u8,
        _ => open.min(MIDDLE).floor() as u8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: u32 = 32_000;

    /// Bursts of noise at 0.25 s and `next_seconds` that fall by 60 dB in `decay_seconds`, over a
    /// tail.
    fn levels(decay_seconds: f32, next_seconds: f32, tail: f32) -> BandLevels {
        let mut state = 5u32;
        let samples: Vec<f32> = (0..RATE_HZ)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
                let seconds = n as f32 / RATE_HZ as f32;
                let burst = |onset: f32| match seconds - onset {
                    age if age < 0.0 => 0.0,
                    age => (-6.908 * age / decay_seconds).exp(),
                };
                noise * (tail + 0.5 * (burst(0.25) + burst(next_seconds)))
            })
            .collect();
        let mut levels = BandLevels::new(RATE_HZ);
        levels.push(&samples);
        levels
    }

    #[test]
    fn the_longer_a_hat_rings_the_more_open_it_is() {
        let of = |class, decay| openness(&levels(decay, 9.0, 0.0), class, 0.25).unwrap_or(255);
        let closed = [0.15, 0.3, 0.6].map(|decay| of(DrumClass::ClosedHat, decay));
        let open = [1.3, 2.5, 6.0].map(|decay| of(DrumClass::OpenHat, decay));
        assert!(closed[0] < 6 && closed[0] < closed[1] && closed[1] < closed[2]);
        assert!(closed[2] < open[0] && open[0] < open[1] && open[1] < open[2]);
        assert!(open[2] > 120 && open[2] <= MAX_OPENNESS, "{open:?}");
    }

    #[test]
    fn neither_the_next_hit_nor_an_earlier_one_opens_a_closed_hat() {
        let alone = openness(&levels(0.3, 9.0, 0.0), DrumClass::ClosedHat, 0.25);
        let alone = i16::from(alone.unwrap_or(255));
        for (next_seconds, tail) in [(0.33, 0.0), (0.37, 0.0), (9.0, 0.02), (0.35, 0.02)] {
            let levels = levels(0.3, next_seconds, tail);
            let other = openness(&levels, DrumClass::ClosedHat, 0.25);
            let away = i16::from(other.unwrap_or(255)) - alone;
            assert!(away.abs() < 16, "{next_seconds} {tail}: {away}");
        }
    }

    #[test]
    fn other_drums_and_inaudible_strokes_have_no_openness() {
        let ringing = levels(1.0, 9.0, 0.0);
        assert_eq!(openness(&ringing, DrumClass::Crash, 0.25), None);
        assert_eq!(openness(&ringing, DrumClass::PedalHat, 0.25), None);
        assert_eq!(openness(&ringing, DrumClass::OpenHat, 0.1), None);
        assert_eq!(openness(&ringing, DrumClass::OpenHat, 5.0), None);
    }
}
