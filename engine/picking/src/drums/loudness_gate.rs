//! A loudness gate: the evidence that a hit needs depends on how loud it is.
//!
//! Instruments of a band that play on the beat look like softly struck drums, while a drum that the
//! band masks is struck as hard as usual. So a hit that is softer than the usual one of its class
//! in the recording needs more evidence, a loud one less. Ghost notes of which the model is certain
//! pass.
//!
//! On the development recordings with a band this raised the F of snares from .85 to .91
//! (`train/EXPERIMENTS.md`, 22).

use hitscribe_core::DrumClass;

use DrumClass::*;

/// Most logits by which a loud hit may be below the threshold of its class.
pub const MAX_BONUS: f32 = 0.9;
/// Most logits by which a soft hit must be above it.
const MAX_DEMAND: f32 = 1.2;
/// Logits per dB.
const LOGITS_PER_DB: f32 = 0.3;
/// Hits that are this much softer than usual, in dB, need neither more nor less.
const NEUTRAL_DB: f64 = 2.0;

/// Share by which the usual level follows a louder hit and a softer one.
const RISE: f64 = 0.5;
const FALL: f64 = 0.15;

/// Levels are limited to this range, so that no outlier spoils the usual level.
const LEVEL_RANGE_DB: (f64, f64) = (-120.0, 10.0);

/// Whether the gate applies to a class. Accents of a hi-hat vary as much as it differs from other
/// instruments, and cymbals are too rare.
const fn is_gated(class: DrumClass) -> bool {
    matches!(
        class,
        Kick | Snare | SideStick | Clap | HighTom | MidTom | LowTom | FloorTom
    )
}

/// Most logits below the threshold at which a candidate of this class can still pass.
pub const fn max_bonus(class: DrumClass) -> f32 {
    if is_gated(class) { MAX_BONUS } else { 0.0 }
}

/// The gate of one passage. Takes the candidates in order.
#[derive(Debug, Default)]
pub struct LoudnessGate {
    /// Usual level of each class in dB; none before its first hit.
    usual_db: [Option<f64>; DrumClass::ALL.len()],
}

impl LoudnessGate {
    /// Whether a candidate of `class` with a band level of `level_db` ([`super::velocity::band_db`])
    /// is a hit. Its logits count from the calibrated threshold, and from that of the present
    /// sensitivity.
    pub fn is_hit(
        &mut self,
        class: DrumClass,
        calibrated_excess: f32,
        excess: f32,
        level_db: f64,
    ) -> bool {
        let level_db = if level_db.is_nan() {
            LEVEL_RANGE_DB.0
        } else {
            level_db.clamp(LEVEL_RANGE_DB.0, LEVEL_RANGE_DB.1)
        };
        let demand = self.demand(class, level_db);
        // The usual level does not depend on the sensitivity, so that a higher one only adds hits.
        if calibrated_excess >= demand {
            let usual_db = self.usual_db[class.index()].get_or_insert(level_db);
            let share = if level_db > *usual_db { RISE } else { FALL };
            *usual_db += share * (level_db - *usual_db);
        }
        excess >= demand
    }

    /// Logits above the threshold that a hit at this level needs.
    fn demand(&self, class: DrumClass, level_db: f64) -> f32 {
        match self.usual_db[class.index()] {
            Some(usual_db) if is_gated(class) => {
                let softer_db = (usual_db - level_db - NEUTRAL_DB) as f32;
                (LOGITS_PER_DB * softer_db).clamp(-MAX_BONUS, MAX_DEMAND)
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_hit(gate: &mut LoudnessGate, class: DrumClass, excess: f32, level_db: f64) -> bool {
        gate.is_hit(class, excess, excess, level_db)
    }

    /// Clear snares at -20 dB, then one hit.
    fn after_loud_snares(class: DrumClass, excess: f32, level_db: f64) -> bool {
        let mut gate = LoudnessGate::default();
        for _ in 0..4 {
            assert!(is_hit(&mut gate, Snare, 3.0, -20.0));
        }
        is_hit(&mut gate, class, excess, level_db)
    }

    #[test]
    fn soft_hits_need_more_evidence_than_loud_ones() {
        assert!(after_loud_snares(Snare, 0.0, -22.0));
        assert!(!after_loud_snares(Snare, 0.0, -23.0));
        assert!(!after_loud_snares(Snare, 1.0, -40.0));
        assert!(after_loud_snares(Snare, 1.3, -40.0));
        assert!(after_loud_snares(Snare, -0.5, -20.0));
        assert!(!after_loud_snares(Snare, -0.7, -20.0));
        assert!(after_loud_snares(Snare, -0.9, -10.0));
        assert!(!after_loud_snares(Snare, -1.0, -10.0));
    }

    #[test]
    fn each_class_has_its_own_usual_level() {
        assert!(after_loud_snares(Kick, 0.0, -50.0));
        assert!(!after_loud_snares(Kick, -0.1, -10.0));
        // Hats are not gated.
        let mut gate = LoudnessGate::default();
        assert!(is_hit(&mut gate, ClosedHat, 3.0, -20.0));
        assert!(is_hit(&mut gate, ClosedHat, 0.0, -50.0));
        assert!(!is_hit(&mut gate, ClosedHat, -0.1, -20.0));
    }

    #[test]
    fn the_usual_level_follows_the_music() {
        let mut gate = LoudnessGate::default();
        assert!(is_hit(&mut gate, Snare, 3.0, -20.0));
        // A quiet verse of which the model is certain.
        for _ in 0..20 {
            assert!(is_hit(&mut gate, Snare, 2.0, -32.0));
        }
        assert!(is_hit(&mut gate, Snare, 0.0, -33.0));
    }

    #[test]
    fn invalid_levels_do_not_spoil_the_usual_one() {
        let mut gate = LoudnessGate::default();
        for level_db in [f64::INFINITY, f64::NAN, f64::NEG_INFINITY, 1e9] {
            is_hit(&mut gate, Snare, 3.0, level_db);
        }
        for _ in 0..40 {
            assert!(is_hit(&mut gate, Snare, 2.0, -20.0));
        }
        assert!(is_hit(&mut gate, Snare, 0.0, -21.0));
    }

    #[test]
    fn more_sensitivity_only_adds_hits() {
        let mut state = 5u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24)
        };
        let row: Vec<(f32, f64)> = (0..400)
            .map(|_| (random() as f32 * 6.0 - 3.0, -40.0 + 25.0 * random()))
            .collect();
        let hits = |shift: f32| -> Vec<bool> {
            let mut gate = LoudnessGate::default();
            row.iter()
                .map(|&(calibrated_excess, level_db)| {
                    let excess = calibrated_excess + shift;
                    gate.is_hit(Snare, calibrated_excess, excess, level_db)
                })
                .collect()
        };
        for shift in [-2.0f32, -0.5, 0.0, 0.7] {
            let (fewer, more) = (hits(shift), hits(shift + 0.5));
            assert!(fewer.iter().zip(&more).all(|(few, many)| !few || *many));
            assert!(
                more.iter().filter(|hit| **hit).count() > fewer.iter().filter(|hit| **hit).count()
            );
        }
    }
}
