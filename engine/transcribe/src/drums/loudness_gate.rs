//! How sure the model must be of a hit, by how loud it is.
//!
//! What a band plays on the beat looks like a drum that is struck softly, and a drum that the band
//! half drowns is struck as hard as ever. So a hit that is softer than others of its class in the same
//! recording must have more evidence than one that is as loud as they are. Ghost notes that the model
//! is sure of stay.
//!
//! On the development recordings with a band the F of snares rose from .85 to .91 by it
//! (`train/EXPERIMENTS.md`, 22).

use crate::drums::candidate::Pick;
use hitscribe_core::DrumClass;

use DrumClass::*;

/// Logits that a loud hit may lie below the threshold of its class.
const MOST_HELP: f32 = 0.9;
/// Logits that a soft hit must at most lie above it.
const MOST_DEMAND: f32 = 1.2;
/// Logits for each dB.
const LOGITS_PER_DB: f32 = 0.3;
/// So much softer than usual, in dB, is neither.
const SOFTER_DB: f64 = 2.0;

/// How far the usual level follows a louder hit and a softer one.
const RISE: f64 = 0.5;
const FALL: f64 = 0.15;

/// Levels beyond these say nothing about a drum, and one of them shall not spoil what is usual.
const LEVELS_DB: (f64, f64) = (-120.0, 10.0);

/// Classes that stand out of a band by their level. A hi-hat's accents differ by as much as a
/// band's strums do from it, and cymbals are rare.
const fn is_judged(class: DrumClass) -> bool {
    matches!(
        class,
        Kick | Snare | SideStick | Clap | HighTom | MidTom | LowTom | FloorTom
    )
}

/// Logits below the threshold from which a hit of this class can still be one.
pub const fn most_help(class: DrumClass) -> f32 {
    if is_judged(class) { MOST_HELP } else { 0.0 }
}

/// Judges the picks of one passage, in their order.
#[derive(Debug, Default)]
pub struct LoudnessJudge {
    /// Level in dB at which each class is struck.
    usual_db: [Option<f64>; DrumClass::ALL.len()],
}

impl LoudnessJudge {
    /// Whether `pick`, whose band has `level_db` ([`super::velocity::band_db`]), is a hit.
    pub fn is_hit(&mut self, pick: &Pick, level_db: f64) -> bool {
        let level_db = if level_db.is_nan() {
            LEVELS_DB.0
        } else {
            level_db.clamp(LEVELS_DB.0, LEVELS_DB.1)
        };
        let demand = self.demand(pick.class, level_db);
        // What is usual does not depend on the sensitivity: a higher one only ever adds hits.
        if pick.calibrated_excess >= demand {
            let usual_db = self.usual_db[pick.class.index()].get_or_insert(level_db);
            let share = if level_db > *usual_db { RISE } else { FALL };
            *usual_db += share * (level_db - *usual_db);
        }
        pick.excess >= demand
    }

    /// Logits above the threshold from which a hit at this level is one.
    fn demand(&self, class: DrumClass, level_db: f64) -> f32 {
        match self.usual_db[class.index()] {
            Some(usual_db) if is_judged(class) => {
                let softer_db = (usual_db - level_db - SOFTER_DB) as f32;
                (LOGITS_PER_DB * softer_db).clamp(-MOST_HELP, MOST_DEMAND)
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(class: DrumClass, excess: f32) -> Pick {
        Pick {
            class,
            position_frames: 0.0,
            confidence: 0.5,
            calibrated_excess: excess,
            excess,
        }
    }

    /// A row of clear snares at -20 dB, then one hit.
    fn after_loud_snares(class: DrumClass, excess: f32, level_db: f64) -> bool {
        let mut judge = LoudnessJudge::default();
        for _ in 0..4 {
            assert!(judge.is_hit(&pick(Snare, 3.0), -20.0));
        }
        judge.is_hit(&pick(class, excess), level_db)
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
    fn a_class_is_only_judged_by_its_own_hits() {
        assert!(after_loud_snares(Kick, 0.0, -50.0));
        assert!(!after_loud_snares(Kick, -0.1, -10.0));
        // Hats are not judged at all.
        let mut judge = LoudnessJudge::default();
        assert!(judge.is_hit(&pick(ClosedHat, 3.0), -20.0));
        assert!(judge.is_hit(&pick(ClosedHat, 0.0), -50.0));
        assert!(!judge.is_hit(&pick(ClosedHat, -0.1), -20.0));
    }

    #[test]
    fn what_is_usual_follows_the_music() {
        let mut judge = LoudnessJudge::default();
        assert!(judge.is_hit(&pick(Snare, 3.0), -20.0));
        // A quiet verse of which the model is sure.
        for _ in 0..20 {
            assert!(judge.is_hit(&pick(Snare, 2.0), -32.0));
        }
        assert!(judge.is_hit(&pick(Snare, 0.0), -33.0));
    }

    #[test]
    fn a_level_that_is_none_does_not_spoil_the_rest() {
        let mut judge = LoudnessJudge::default();
        for level_db in [f64::INFINITY, f64::NAN, f64::NEG_INFINITY, 1e9] {
            judge.is_hit(&pick(Snare, 3.0), level_db);
        }
        for _ in 0..40 {
            assert!(judge.is_hit(&pick(Snare, 2.0), -20.0));
        }
        assert!(judge.is_hit(&pick(Snare, 0.0), -21.0));
    }

    #[test]
    fn sensitivity_only_ever_adds_hits() {
        let mut state = 5u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24)
        };
        let row: Vec<(f32, f64)> = (0..400)
            .map(|_| (random() as f32 * 6.0 - 3.0, -40.0 + 25.0 * random()))
            .collect();
        let hits = |shift: f32| -> Vec<bool> {
            let mut judge = LoudnessJudge::default();
            row.iter()
                .map(|&(calibrated_excess, level_db)| {
                    let excess = calibrated_excess + shift;
                    let pick = Pick {
                        calibrated_excess,
                        excess,
                        ..pick(Snare, 0.0)
                    };
                    judge.is_hit(&pick, level_db)
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
