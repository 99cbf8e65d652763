//! From candidates to hits: the sensitivity, what competes for a stroke, loudness, velocities.
//!
//! The same rules are applied while a source is transcribed ([`Selection`]) and to candidates that
//! were kept ([`select`]), whatever the sensitivity was then.

use std::cmp::Ordering;
use std::collections::VecDeque;

use crate::drums::candidate::{Candidate, Claim, Measured, Peak, PlacedPeak, Sensitivity};
use crate::drums::loudness_gate::{self, LoudnessGate};
use crate::drums::rivals::RIVALS;
use crate::drums::velocity::{StrengthMeter, VelocityScale, combined};

/// The rules of a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rules {
    /// Of the network with independent classes: rival classes and the loudness gate.
    Independent,
    /// Of the network that decides jointly: strokes are shared within a group.
    Joint {
        /// Peaks that are at most this many frames apart may be the same stroke.
        reach_frames: u64,
        /// Strokes that may be missing for a further hit.
        slack: f32,
    },
}

/// The decision about a candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Decision {
    /// Whether it is a hit.
    pub is_hit: bool,
    /// MIDI velocity 1..=127: of the hit, or that it would have. 0 for what is not written.
    pub velocity: u8,
}

impl Rules {
    /// Frames around a peak in which others compete with it.
    pub fn reach_frames(&self) -> u64 {
        match self {
            Self::Independent => {
                let within = RIVALS.iter().map(|rule| rule.within_frames);
                within.max().unwrap_or(0) as u64
            }
            Self::Joint { reach_frames, .. } => reach_frames + 1,
        }
    }

    /// Whether a peak is a hit beside the others around it, apart from its loudness. `near` may
    /// have itself and others that are further away.
    fn stands<'a>(
        &self,
        sensitivity: &Sensitivity,
        own: &Peak,
        near: impl Iterator<Item = &'a Peak>,
    ) -> bool {
        match (*self, own.claim) {
            (
                Self::Joint {
                    slack,
                    reach_frames,
                },
                Claim::Class { group, strokes },
            ) => {
                let own_excess = excess(sensitivity, own);
                if own_excess < 0.0 {
                    return false;
                }
                let is_stronger = |other: &&Peak| {
                    let by_excess = excess(sensitivity, other).total_cmp(&own_excess);
                    // Of equal ones the earlier, then the first class.
                    let place = |peak: &Peak| (peak.frame, peak.class.is_none(), peak.class);
                    let order = by_excess.then_with(|| place(own).cmp(&place(other)));
                    order == Ordering::Greater && excess(sensitivity, other) >= 0.0
                };
                let stronger = near
                    .filter(|other| is_class_of(group, other))
                    .filter(|other| other.frame.abs_diff(own.frame) <= reach_frames)
                    .filter(is_stronger)
                    .count();
                stronger == 0 || strokes >= stronger as f32 + 1.0 - slack
            }
            (Self::Joint { reach_frames, .. }, Claim::Stroke { group }) => {
                let is_claimed = |other: &Peak| {
                    is_class_of(group, other)
                        && other.frame.abs_diff(own.frame) <= reach_frames + 1
                        && excess(sensitivity, other) >= 0.0
                };
                own.excess + sensitivity.overall_logits() >= 0.0
                    && !near.into_iter().any(is_claimed)
            }
            _ => {
                let own_excess = excess(sensitivity, own);
                let bonus = own.class.map_or(0.0, loudness_gate::max_bonus);
                // The loudness gate learns at the calibrated threshold, whatever the sensitivity.
                let most = (own_excess + sensitivity.overall_logits()).max(own.excess);
                most >= -bonus && !near.into_iter().any(|other| beats(sensitivity, other, own))
            }
        }
    }
}

/// Logits above the threshold, moved by the sensitivity: of the joint network by all of it, of the
/// independent one by that of the class.
fn excess(sensitivity: &Sensitivity, peak: &Peak) -> f32 {
    let of_class = sensitivity.class_logits(peak.class);
    match peak.claim {
        Claim::Rivals => peak.excess + of_class,
        _ => peak.excess + (sensitivity.overall_logits() + of_class),
    }
}

fn is_class_of(group: u8, peak: &Peak) -> bool {
    matches!(peak.claim, Claim::Class { group: other, .. } if other == group)
}

/// Whether a rival is the larger peak at the same time.
fn beats(sensitivity: &Sensitivity, rival: &Peak, own: &Peak) -> bool {
    let (Some(class), Some(own_class)) = (rival.class, own.class) else {
        return false;
    };
    if class == own_class {
        return false;
    }
    let lead = excess(sensitivity, rival) - excess(sensitivity, own);
    // Of equal rivals the first class stays.
    let is_ahead = lead > 0.0 || (lead == 0.0 && class < own_class);
    let apart = rival.frame.abs_diff(own.frame) as usize;
    let mut rules = RIVALS.iter();
    is_ahead
        && rules.any(|rule| {
            let are_rivals = rule.classes.contains(&class) && rule.classes.contains(&own_class);
            are_rivals && apart <= rule.within_frames && lead >= rule.lead_logits
        })
}

/// Loudness and velocities of one passage. Takes the peaks in order.
#[derive(Default)]
struct Judge {
    gate: LoudnessGate,
    meter: StrengthMeter,
    scale: VelocityScale,
}

impl Judge {
    fn decide(
        &mut self,
        rules: &Rules,
        sensitivity: &Sensitivity,
        peak: &Peak,
        measured: &Measured,
        stands: bool,
    ) -> Decision {
        let Some(class) = peak.class else {
            return Decision::default();
        };
        let is_hit = stands
            && match rules {
                Rules::Joint { .. } => true,
                Rules::Independent => {
                    let excess = excess(sensitivity, peak) + sensitivity.overall_logits();
                    let level_db = f64::from(measured.band_db);
                    self.gate.is_hit(class, peak.excess, excess, level_db)
                }
            };
        let levels_db = (f64::from(measured.peak_db), f64::from(measured.band_db));
        let by_level = match is_hit {
            true => {
                let strength_db = self.meter.strength_db(class, levels_db);
                self.scale.velocity(strength_db)
            }
            false => {
                let strength_db = self.meter.clone().strength_db(class, levels_db);
                self.scale.clone().velocity(strength_db)
            }
        };
        let velocity = combined(by_level, peak.velocity);
        Decision { is_hit, velocity }
    }
}

/// Selects the hits of one source while its peaks come in.
pub struct Selection {
    rules: Rules,
    sensitivity: Sensitivity,
    judge: Judge,
    /// Peaks in order, of which the first `decided` are decided and may still compete.
    peaks: VecDeque<PlacedPeak>,
    decided: usize,
    /// Every peak before this frame is decided.
    next_frame: u64,
}

impl Selection {
    /// A selection before the first peak.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            sensitivity: Sensitivity::default(),
            judge: Judge::default(),
            peaks: VecDeque::new(),
            decided: 0,
            next_frame: 0,
        }
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Sets the sensitivity for what is decided from now on.
    pub fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        self.sensitivity = sensitivity.limited();
    }

    /// Index of the first frame that is not decided yet.
    pub fn next_frame(&self) -> u64 {
        self.next_frame
    }

    /// Takes a peak; frames never fall.
    pub fn push(&mut self, peak: PlacedPeak) {
        self.peaks.push_back(peak);
    }

    /// The next peak to decide, once its surroundings are known: every peak before `known_frames`
    /// has been pushed. `is_end` if no others follow. [`Selection::decide`] is due for each.
    pub fn next(&mut self, known_frames: u64, is_end: bool) -> Option<Standing> {
        let reach = self.rules.reach_frames();
        self.next_frame = match is_end {
            true => known_frames,
            false => known_frames.saturating_sub(reach),
        };
        let placed = *self.peaks.get(self.decided)?;
        if placed.peak.frame >= self.next_frame {
            return None;
        }
        while self.peaks[0].peak.frame + reach < placed.peak.frame {
            self.peaks.pop_front();
            self.decided -= 1;
        }
        let near = self.peaks.iter().map(|placed| &placed.peak);
        let near = near.take_while(|other| other.frame <= placed.peak.frame + reach);
        let stands = self.rules.stands(&self.sensitivity, &placed.peak, near);
        self.decided += 1;
        Some(Standing { placed, stands })
    }

    /// Decides a peak, in order.
    pub fn decide(&mut self, standing: &Standing, measured: &Measured) -> Decision {
        let Standing { placed, stands } = standing;
        let (rules, sensitivity) = (&self.rules, &self.sensitivity);
        self.judge
            .decide(rules, sensitivity, &placed.peak, measured, *stands)
    }
}

/// A peak beside the others around it.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The peak.
    pub placed: PlacedPeak,
    /// Whether it is a hit, apart from its loudness.
    stands: bool,
}

/// The decisions about the candidates of a passage, which are in order of their frames.
pub fn select(rules: &Rules, sensitivity: &Sensitivity, candidates: &[Candidate]) -> Vec<Decision> {
    let sensitivity = &sensitivity.limited();
    let (reach, mut judge) = (rules.reach_frames(), Judge::default());
    let mut first = 0;
    let mut decisions = Vec::with_capacity(candidates.len());
    for own in candidates {
        while candidates[first].peak.frame + reach < own.peak.frame {
            first += 1;
        }
        let near = candidates[first..].iter().map(|candidate| &candidate.peak);
        let near = near.take_while(|other| other.frame <= own.peak.frame.saturating_add(reach));
        let stands = rules.stands(sensitivity, &own.peak, near);
        decisions.push(judge.decide(rules, sensitivity, &own.peak, &own.measured, stands));
    }
    decisions
}

/// The peaks that are hits, apart from their loudness.
#[cfg(test)]
pub(crate) fn standing(
    peaks: Vec<PlacedPeak>,
    rules: Rules,
    sensitivity: Sensitivity,
    frames: usize,
) -> Vec<PlacedPeak> {
    let mut selection = Selection::new(rules);
    selection.set_sensitivity(sensitivity);
    peaks.into_iter().for_each(|peak| selection.push(peak));
    std::iter::from_fn(|| selection.next(frames as u64, true))
        .filter_map(|standing| standing.stands.then_some(standing.placed))
        .collect()
}
