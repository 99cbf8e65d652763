//! Peak picking: hits from the onset curves of the built-in model, frame by frame.
//!
//! A hit is a frame whose onset logit is the largest of its class within a short reach and above
//! the threshold of the class, unless another class claims the same stroke (a hi-hat is either open
//! or closed). Only logits above the threshold are compared, and the sensitivity moves all
//! thresholds alike, so that more sensitivity only adds candidates.
//!
//! On an unfamiliar kit, evidence for a tom may be spread over several toms, none of which is
//! certain although it is certain that one was struck. The most probable one stands for all.
//!
//! Candidates somewhat below the threshold pass too; the loudness gate decides about them
//! ([`super::loudness_gate`]).

use std::collections::VecDeque;

use hitscribe_core::DrumClass;
use hitscribe_models::frame::drums::VALUES_PER_CLASS;

use crate::drums::candidate::{Candidate, Sensitivity};
use crate::drums::loudness_gate;

use DrumClass::*;

const CLASSES: usize = DrumClass::ALL.len();

/// Largest distance between a frame and the hit in it, in frames. The model is trained on half a
/// frame.
pub const MAX_SHIFT_FRAMES: f64 = 1.0;

/// Rules of peak picking. All times are in frames of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct PickRules {
    /// A hit is the largest frame of its class within this many frames. The model marks a hit in up
    /// to three frames; two hits of one class are at least `reach_frames + 1` frames apart.
    pub reach_frames: usize,
    /// Reach of classes that cannot be struck as fast.
    pub slow_reach_frames: usize,
    /// Those classes.
    pub slow_classes: &'static [DrumClass],
    /// Groups of classes that one stroke can be mistaken for.
    pub rivals: &'static [RivalRule],
    /// Classes that the model confuses so much that their evidence is pooled: at each frame the
    /// most probable one stands for all that are below their thresholds.
    pub pooled: &'static [DrumClass],
    /// Logits by which sensitivity 0 raises and sensitivity 1 lowers the calibrated threshold.
    pub sensitivity_logits: f32,
}

/// Classes that are not struck at the same instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RivalRule {
    /// The classes.
    pub classes: &'static [DrumClass],
    /// Peaks that are at most this many frames apart are one stroke.
    pub within_frames: usize,
    /// The weaker peak is dropped if it is at least this many logits weaker, each measured from its
    /// threshold. 0 if two at once are impossible.
    pub lead_logits: f32,
}

impl Default for PickRules {
    fn default() -> Self {
        Self {
            reach_frames: 2,
            slow_reach_frames: 5,
            slow_classes: &[Kick, Clap, Crash, China, Splash],
            rivals: &[
                RivalRule {
                    classes: &[ClosedHat, PedalHat, OpenHat],
                    within_frames: 3,
                    lead_logits: 0.0,
                },
                // Only its decay distinguishes an open hat from a cymbal.
                RivalRule {
                    classes: &[OpenHat, Crash, Ride, RideBell, China, Splash],
                    within_frames: 3,
                    lead_logits: 0.0,
                },
                RivalRule {
                    classes: &[HighTom, MidTom, LowTom, FloorTom],
                    within_frames: 3,
                    lead_logits: 0.7,
                },
                RivalRule {
                    classes: &[Snare, SideStick, Clap],
                    within_frames: 3,
                    lead_logits: 0.7,
                },
            ],
            pooled: &[HighTom, MidTom, LowTom, FloorTom],
            sensitivity_logits: 3.0,
        }
    }
}

impl PickRules {
    fn reach(&self, class: DrumClass) -> usize {
        if self.slow_classes.contains(&class) {
            self.slow_reach_frames
        } else {
            self.reach_frames
        }
    }

    /// Frames after a frame that must be known before its hits are decided.
    pub fn lookahead_frames(&self) -> usize {
        let rivals = self
            .rivals
            .iter()
            .map(|r| r.within_frames)
            .max()
            .unwrap_or(0);
        rivals + self.reach_frames.max(self.slow_reach_frames)
    }
}

/// Finds the hits of one source, frame by frame.
pub struct PeakPicker {
    rules: PickRules,
    /// Calibrated thresholds as logits.
    thresholds: [f32; CLASSES],
    /// Within its limits.
    sensitivity: Sensitivity,
    /// The frames around the next one to decide, `[onset, shift]` per class.
    window: VecDeque<[[f32; VALUES_PER_CLASS]; CLASSES]>,
    /// Index of the window's first frame.
    window_start: u64,
    /// The next frame to decide.
    next_frame: u64,
}

impl PeakPicker {
    /// A picker with the calibrated probability threshold of each class.
    pub fn new(thresholds: &[f32], rules: PickRules) -> Self {
        let logit = |class: usize| {
            let p = thresholds
                .get(class)
                .copied()
                .unwrap_or(0.5)
                .clamp(1e-6, 1.0 - 1e-6);
            (p / (1.0 - p)).ln()
        };
        Self {
            rules,
            thresholds: std::array::from_fn(logit),
            sensitivity: Sensitivity::default(),
            window: VecDeque::new(),
            window_start: 0,
            next_frame: 0,
        }
    }

    /// Sets the sensitivity for frames decided from now on. Values are limited to their range; NaN
    /// gives the default.
    pub fn set_sensitivity(&mut self, sensitivity: Sensitivity) {
        let limited = |value: f32, low: f32, high: f32| {
            if value.is_nan() {
                (low + high) / 2.0
            } else {
                value.clamp(low, high)
            }
        };
        self.sensitivity = Sensitivity {
            overall: limited(sensitivity.overall, 0.0, 1.0),
            by_class: sensitivity.by_class.map(|trim| limited(trim, -0.5, 0.5)),
        };
    }

    /// Index of the first frame that is not decided yet.
    pub fn next_frame(&self) -> u64 {
        self.next_frame
    }

    /// Takes the outputs of one frame (onset logits of all classes, then shifts) and appends the
    /// candidates of the frame that this one decides.
    pub fn push(&mut self, outputs: &[f32], hits: &mut Vec<Candidate>) {
        let value = |kind: usize, class: usize| {
            let value = outputs
                .get(kind * CLASSES + class)
                .copied()
                .unwrap_or(f32::NAN);
            // NaN is no evidence.
            if value.is_nan() {
                if kind == 0 { f32::NEG_INFINITY } else { 0.0 }
            } else {
                value
            }
        };
        let mut frame: [[f32; VALUES_PER_CLASS]; CLASSES] =
            std::array::from_fn(|class| std::array::from_fn(|kind| value(kind, class)));
        pool(self.rules.pooled, &self.thresholds, &mut frame);
        self.window.push_back(frame);
        let end = self.window_start + self.window.len() as u64;
        if end > self.next_frame + self.rules.lookahead_frames() as u64 {
            self.decide(hits);
        }
    }

    /// Appends the candidates of the last frames.
    pub fn finish(&mut self, hits: &mut Vec<Candidate>) {
        while self.next_frame < self.window_start + self.window.len() as u64 {
            self.decide(hits);
        }
    }

    fn decide(&mut self, hits: &mut Vec<Candidate>) {
        let frame = self.next_frame;
        for class in DrumClass::ALL {
            let [onset, shift] = self.at(frame)[class.index()];
            let calibrated_excess = onset - self.thresholds[class.index()];
            let excess = self.excess(frame, class) - self.shifted_threshold();
            // The loudness gate learns at the calibrated threshold, whatever the sensitivity.
            let is_candidate = excess.max(calibrated_excess) >= -loudness_gate::max_bonus(class);
            if is_candidate && self.is_peak(frame, class) && !self.is_beaten(frame, class) {
                let shift = f64::from(shift).clamp(-MAX_SHIFT_FRAMES, MAX_SHIFT_FRAMES);
                hits.push(Candidate {
                    class,
                    position_frames: (frame as f64 + shift).max(0.0),
                    confidence: sigmoid(onset),
                    calibrated_excess,
                    excess,
                });
            }
        }
        self.next_frame += 1;
        let keep_from = self
            .next_frame
            .saturating_sub(self.rules.lookahead_frames() as u64);
        while self.window_start < keep_from {
            self.window.pop_front();
            self.window_start += 1;
        }
    }

    /// Distance from the calibrated threshold to that of the present sensitivity, in logits.
    fn shifted_threshold(&self) -> f32 {
        (0.5 - self.sensitivity.overall) * 2.0 * self.rules.sensitivity_logits
    }

    fn at(&self, frame: u64) -> &[[f32; VALUES_PER_CLASS]; CLASSES] {
        &self.window[(frame - self.window_start) as usize]
    }

    /// Onset logit above the calibrated threshold of the class, moved by the sensitivity of the
    /// class.
    fn excess(&self, frame: u64, class: DrumClass) -> f32 {
        let trim = self.sensitivity.by_class[class.index()] * 2.0 * self.rules.sensitivity_logits;
        self.at(frame)[class.index()][0] - self.thresholds[class.index()] + trim
    }

    /// The known frames within `reach` of a frame, without itself.
    fn around(&self, frame: u64, reach: usize) -> impl Iterator<Item = u64> + use<> {
        let first = frame.saturating_sub(reach as u64).max(self.window_start);
        let end = (frame + reach as u64 + 1).min(self.window_start + self.window.len() as u64);
        (first..end).filter(move |&other| other != frame)
    }

    fn is_peak(&self, frame: u64, class: DrumClass) -> bool {
        let height = |frame: u64| self.at(frame)[class.index()][0];
        self.around(frame, self.rules.reach(class)).all(|other| {
            // Of equal frames the first is the peak.
            if other < frame {
                height(other) < height(frame)
            } else {
                height(other) <= height(frame)
            }
        })
    }

    /// Whether a rival has a larger peak at the same time.
    fn is_beaten(&self, frame: u64, class: DrumClass) -> bool {
        let own = self.excess(frame, class);
        self.rules
            .rivals
            .iter()
            .filter(|rule| rule.classes.contains(&class))
            .any(|rule| {
                rule.classes
                    .iter()
                    .filter(|&&rival| rival != class)
                    .any(|&rival| {
                        self.around(frame, rule.within_frames)
                            .chain([frame])
                            .any(|other| {
                                let lead = self.excess(other, rival) - own;
                                // Of equal rivals the first class stays.
                                let ahead = lead > 0.0 || (lead == 0.0 && rival < class);
                                ahead && lead >= rule.lead_logits && self.is_peak(other, rival)
                            })
                    })
            })
    }
}

/// Gives the most probable of `classes` the logit of "this one or one of those below their
/// thresholds was struck", assuming that they are independent.
fn pool(
    classes: &[DrumClass],
    thresholds: &[f32; CLASSES],
    frame: &mut [[f32; VALUES_PER_CLASS]; CLASSES],
) {
    let logit = |class: DrumClass| frame[class.index()][0];
    // Of equal ones the first.
    let Some(best) = classes
        .iter()
        .rev()
        .copied()
        .max_by(|a, b| logit(*a).total_cmp(&logit(*b)))
    else {
        return;
    };
    // -ln of the probability that none was struck.
    let none: f32 = classes
        .iter()
        .copied()
        .filter(|&class| class == best || logit(class) < thresholds[class.index()])
        .map(|class| softplus(logit(class)))
        .sum();
    let any = none + (-(-none).exp_m1()).ln();
    let onset = &mut frame[best.index()][0];
    *onset = onset.max(any);
}

/// ln(1 + e^x)
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests;
