//! Hits from the built-in model's frames: peaks of the onset curves, picked as the frames come in.
//!
//! A hit is a frame whose onset logit is the largest of its class within a short reach and above the
//! class's threshold, unless another class of the same kind claims the same instant (a hi-hat is
//! either open or closed). All of this compares logits above the threshold, which the sensitivity
//! moves by the same amount for every class: a higher sensitivity only ever adds picks.
//!
//! Toms of a kit that the model does not know share the evidence among them: each alone is doubtful,
//! that one of them was struck is not. So the surest of them stands for all.
//!
//! Some way below the threshold picks are let through as well: how loud they are decides about those
//! ([`super::loudness`]).

use std::collections::VecDeque;

use crate::drums::candidate::{Pick, Sensitivity};
use crate::drums::loudness_gate;
use hitscribe_core::DrumClass;
use hitscribe_models::frame::drums::VALUES_PER_CLASS;

use DrumClass::*;

const CLASSES: usize = DrumClass::ALL.len();

/// Largest shift between a frame and the hit in it, in frames. The model is trained on half a frame.
pub const MAX_SHIFT_FRAMES: f64 = 1.0;

/// How peaks become hits. All times in frames of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct PickRules {
    /// Only the largest frame of a class within this many frames is a hit. The model marks a hit in
    /// up to three frames, so two hits of one class are at least `reach_frames + 1` frames apart.
    pub reach_frames: usize,
    /// Longer reach for classes whose hits cannot follow each other as fast.
    pub slow_reach_frames: usize,
    /// The classes of the longer reach.
    pub slow_classes: &'static [DrumClass],
    /// Groups of classes that one stroke may be taken for.
    pub rivals: &'static [RivalRule],
    /// Classes that the model takes for one another so much that their evidence is added up: the surest
    /// at a frame stands for all that are below their thresholds.
    pub pooled: &'static [DrumClass],
    /// Logits by which sensitivity 0 and 1 lie away from the calibrated threshold at 0.5.
    pub sensitivity_logits: f32,
}

/// Classes that are not struck at the same instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RivalRule {
    /// The classes.
    pub classes: &'static [DrumClass],
    /// Peaks this close in frames are one stroke.
    pub within_frames: usize,
    /// The weaker hit goes when it is at least this many logits weaker, both above their thresholds.
    /// 0 where two at once are impossible.
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
                // An open hat is told from a cymbal by its tail, late and with doubt.
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

    /// Frames after a frame that must be known before its hits are out.
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
pub struct Picker {
    rules: PickRules,
    /// Calibrated thresholds as logits.
    thresholds: [f32; CLASSES],
    /// Limited to what is allowed.
    sensitivity: Sensitivity,
    /// The frames around the next one to decide, `[onset, shift]` per class.
    window: VecDeque<[[f32; VALUES_PER_CLASS]; CLASSES]>,
    /// Index of the window's first frame.
    window_start: u64,
    /// The next frame to decide.
    next_frame: u64,
}

impl Picker {
    /// A picker before the first frame, with the calibrated probability threshold of each class.
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

    /// Sets how much is a hit, for frames decided from now on. What is out of range is limited, what
    /// is no number is the default.
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

    /// Takes one frame of the model's outputs (onset logits of all classes, then shifts)
    /// and appends the hits of the frame that is decided by it.
    pub fn push(&mut self, outputs: &[f32], hits: &mut Vec<Pick>) {
        let value = |kind: usize, class: usize| {
            let value = outputs
                .get(kind * CLASSES + class)
                .copied()
                .unwrap_or(f32::NAN);
            // What is no number is no evidence.
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

    /// Appends the hits of the frames that were waiting for more.
    pub fn finish(&mut self, hits: &mut Vec<Pick>) {
        while self.next_frame < self.window_start + self.window.len() as u64 {
            self.decide(hits);
        }
    }

    fn decide(&mut self, hits: &mut Vec<Pick>) {
        let frame = self.next_frame;
        for class in DrumClass::ALL {
            let [onset, shift] = self.at(frame)[class.index()];
            let calibrated_excess = onset - self.thresholds[class.index()];
            let excess = self.excess(frame, class) - self.shifted_threshold();
            // What is usual for a class is learnt at the calibrated threshold, whatever the sensitivity.
            let is_wanted = excess.max(calibrated_excess) >= -loudness_gate::most_help(class);
            if is_wanted && self.is_peak(frame, class) && !self.is_beaten(frame, class) {
                let shift = f64::from(shift).clamp(-MAX_SHIFT_FRAMES, MAX_SHIFT_FRAMES);
                hits.push(Pick {
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

    /// What the sensitivity makes of a threshold, in logits relative to the calibrated one.
    fn shifted_threshold(&self) -> f32 {
        (0.5 - self.sensitivity.overall) * 2.0 * self.rules.sensitivity_logits
    }

    fn at(&self, frame: u64) -> &[[f32; VALUES_PER_CLASS]; CLASSES] {
        &self.window[(frame - self.window_start) as usize]
    }

    /// Onset logit above the class's calibrated threshold, as its own sensitivity moves it.
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
            // Of two equal frames the first is the peak.
            if other < frame {
                height(other) < height(frame)
            } else {
                height(other) <= height(frame)
            }
        })
    }

    /// Whether a rival has a clearly larger peak at the same instant.
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
                                // Equal rivals: the first class stays, so that one of them does.
                                let ahead = lead > 0.0 || (lead == 0.0 && rival < class);
                                ahead && lead >= rule.lead_logits && self.is_peak(other, rival)
                            })
                    })
            })
    }
}

/// Gives the surest of `classes` the logit of "this one was struck, or one of those that are below their
/// thresholds", each being independent of the others. What is above its threshold speaks for itself.
fn pool(
    classes: &[DrumClass],
    thresholds: &[f32; CLASSES],
    frame: &mut [[f32; VALUES_PER_CLASS]; CLASSES],
) {
    let logit = |class: DrumClass| frame[class.index()][0];
    // Of equals the first.
    let Some(surest) = classes
        .iter()
        .rev()
        .copied()
        .max_by(|a, b| logit(*a).total_cmp(&logit(*b)))
    else {
        return;
    };
    // -ln of the probability that none was struck.
    let surprise: f32 = classes
        .iter()
        .copied()
        .filter(|&class| class == surest || logit(class) < thresholds[class.index()])
        .map(|class| softplus(logit(class)))
        .sum();
    let any = surprise + (-(-surprise).exp_m1()).ln();
    let onset = &mut frame[surest.index()][0];
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
mod tests {
    use super::*;

    /// Outputs of a frame with the given onset logits; everything else is unlikely.
    fn frame(onsets: &[(DrumClass, f32)]) -> Vec<f32> {
        let mut outputs = vec![0.0; VALUES_PER_CLASS * CLASSES];
        outputs[..CLASSES].fill(-8.0);
        for &(class, logit) in onsets {
            outputs[class.index()] = logit;
        }
        outputs
    }

    fn picks(frames: &[Vec<f32>], sensitivity: f32) -> Vec<Pick> {
        let mut picker = Picker::new(&[0.5; CLASSES], PickRules::default());
        picker.set_sensitivity(sensitivity.into());
        let mut hits = Vec::new();
        for outputs in frames {
            picker.push(outputs, &mut hits);
        }
        picker.finish(&mut hits);
        assert_eq!(picker.next_frame(), frames.len() as u64);
        hits
    }

    fn names(hits: &[Pick]) -> Vec<(DrumClass, u64)> {
        hits.iter()
            .map(|h| (h.class, h.position_frames as u64))
            .collect()
    }

    fn curve(class: DrumClass, logits: &[f32]) -> Vec<Vec<f32>> {
        logits
            .iter()
            .map(|&logit| frame(&[(class, logit)]))
            .collect()
    }

    #[test]
    fn a_hit_is_one_peak_at_its_place() {
        let mut frames = curve(Snare, &[-5.0, -1.0, 2.0, 3.0, 2.9, -1.0, -5.0]);
        frames[3][CLASSES + Snare.index()] = -0.25;
        let hits = picks(&frames, 0.5);
        assert_eq!(hits.len(), 1);
        assert_eq!(hits[0].position_frames, 2.75);
        assert!((hits[0].confidence - 0.9526).abs() < 1e-4);
    }

    #[test]
    fn flams_stay_two_and_double_triggers_are_one() {
        let flam = curve(Snare, &[3.0, 0.0, -2.0, 4.0, 0.0]);
        assert_eq!(names(&picks(&flam, 0.5)), [(Snare, 0), (Snare, 3)]);
        let double = curve(Snare, &[3.0, 0.0, 4.0, 0.0, 0.0]);
        assert_eq!(names(&picks(&double, 0.5)), [(Snare, 2)]);
        let kick = curve(Kick, &[3.0, 0.0, -2.0, 4.0, 0.0]);
        assert_eq!(names(&picks(&kick, 0.5)), [(Kick, 3)]);
        let plateau = curve(Kick, &[3.0, 3.0, 3.0]);
        assert_eq!(names(&picks(&plateau, 0.5)), [(Kick, 0)]);
    }

    #[test]
    fn one_stroke_on_the_hats_is_one_hat() {
        let both = vec![frame(&[(ClosedHat, 2.0)]), frame(&[(OpenHat, 2.1)])];
        assert_eq!(names(&picks(&both, 0.5)), [(OpenHat, 1)]);
        let equal = vec![frame(&[(ClosedHat, 2.0), (OpenHat, 2.0)])];
        assert_eq!(names(&picks(&equal, 0.5)), [(ClosedHat, 0)]);
        // Toms may sound together when the model is sure of both.
        let toms = vec![frame(&[(HighTom, 2.0), (MidTom, 2.5)])];
        assert_eq!(picks(&toms, 0.5).len(), 2);
        let doubtful = vec![frame(&[(HighTom, 0.5), (MidTom, 2.5)])];
        assert_eq!(names(&picks(&doubtful, 0.5)), [(MidTom, 0)]);
    }

    #[test]
    fn doubt_between_toms_is_no_doubt_that_a_tom_was_struck() {
        // Each .35: together .82.
        let doubtful = |class| (class, -0.62);
        let toms = [LowTom, HighTom, MidTom, FloorTom].map(doubtful);
        let found = |classes: &[(DrumClass, f32)]| {
            let mut hits = picks(&[frame(classes)], 0.5);
            hits.retain(|hit| hit.excess >= 0.0);
            hits
        };
        let hits = found(&toms);
        assert_eq!(names(&hits), [(HighTom, 0)]);
        assert!((hits[0].confidence - 0.82).abs() < 0.01);
        assert!(found(&toms[..1]).is_empty());
        // Snares and hats do not add up.
        let others = [Snare, SideStick, Clap, ClosedHat, OpenHat, PedalHat].map(doubtful);
        assert!(found(&others).is_empty());
        // One that is sure of itself adds nothing to another.
        let both = [(HighTom, 0.5), (MidTom, 0.6)];
        let confidence = found(&both).last().map(|hit| hit.confidence);
        assert!(confidence.is_some_and(|p| (p - sigmoid(0.6)).abs() < 1e-3));
    }

    #[test]
    fn sensitivity_only_adds_hits() {
        let mut state = 9u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        let frames: Vec<Vec<f32>> = (0..500)
            .map(|_| {
                (0..VALUES_PER_CLASS * CLASSES)
                    .map(|_| random() * 12.0 - 9.0)
                    .collect()
            })
            .collect();
        let mut last = Vec::new();
        for step in 0..=20 {
            let hits = names(&picks(&frames, step as f32 / 20.0));
            assert!(
                last.iter().all(|hit| hits.contains(hit)),
                "sensitivity {step}/20"
            );
            last = hits;
        }
        assert!(last.len() > 300);
    }

    #[test]
    fn sensitivity_of_a_class_moves_that_class_and_decides_between_rivals() {
        let frames = [frame(&[
            (Kick, -1.0),
            (Ride, -1.0),
            (ClosedHat, 1.0),
            (OpenHat, 1.2),
        ])];
        let found = |class: DrumClass, trim: f32| {
            let mut picker = Picker::new(&[0.5; CLASSES], PickRules::default());
            let mut sensitivity = Sensitivity::default();
            sensitivity.by_class[class.index()] = trim;
            picker.set_sensitivity(sensitivity);
            let mut hits = Vec::new();
            picker.push(&frames[0], &mut hits);
            picker.finish(&mut hits);
            hits.iter().map(|hit| hit.class).collect::<Vec<_>>()
        };
        assert_eq!(found(Kick, 0.0), [OpenHat]);
        assert_eq!(found(Kick, 0.4), [Kick, OpenHat]);
        assert_eq!(found(Kick, f32::NAN), [OpenHat]);
        assert_eq!(found(OpenHat, -0.5), [ClosedHat]);
        assert_eq!(found(ClosedHat, 9.0), [ClosedHat]);
    }

    #[test]
    fn thresholds_are_by_class_and_numbers_that_are_none_are_no_hits() {
        let mut thresholds = [0.5; CLASSES];
        thresholds[Kick.index()] = 0.9;
        let mut picker = Picker::new(&thresholds, PickRules::default());
        let mut hits = Vec::new();
        picker.push(
            &frame(&[(Kick, 1.2), (Snare, 2.0), (Clap, f32::NAN)]),
            &mut hits,
        );
        picker.push(&[f32::NAN; VALUES_PER_CLASS * CLASSES], &mut hits);
        picker.push(&[], &mut hits);
        picker.finish(&mut hits);
        assert_eq!(names(&hits), [(Snare, 0)]);
    }
}
