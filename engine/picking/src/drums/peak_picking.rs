//! Peak picking: candidates from the onset curves of the built-in model, frame by frame.
//!
//! A candidate is a frame whose onset logit is the largest of its class within a short reach and
//! above a floor. Which of them are hits is decided by [`super::selection`].
//!
//! On an unfamiliar kit, evidence for a tom may be spread over several toms, none of which is
//! certain although it is certain that one was struck. The most probable one stands for all.

use std::collections::VecDeque;

use hitscribe_core::DrumClass;
use hitscribe_models::frame::drums::VALUES_PER_CLASS;

use crate::drums::candidate::{Claim, Peak, PlacedPeak};

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
    /// Classes that the model confuses so much that their evidence is pooled: at each frame the
    /// most probable one stands for all that are below their thresholds.
    pub pooled: &'static [DrumClass],
}

impl Default for PickRules {
    fn default() -> Self {
        Self {
            reach_frames: 2,
            slow_reach_frames: 5,
            slow_classes: &[Kick, Clap, Crash, China, Splash],
            pooled: &[HighTom, MidTom, LowTom, FloorTom],
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

    /// Frames after a frame that must be known before its peaks are.
    pub fn lookahead_frames(&self) -> usize {
        self.reach_frames.max(self.slow_reach_frames)
    }
}

/// Finds the candidates of one source, frame by frame.
pub struct PeakPicker {
    rules: PickRules,
    /// Calibrated thresholds as logits.
    thresholds: [f32; CLASSES],
    /// Logits above the calibrated threshold from which on a peak of a class is a candidate.
    floors: [f32; CLASSES],
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
            floors: [0.0; CLASSES],
            window: VecDeque::new(),
            window_start: 0,
            next_frame: 0,
        }
    }

    /// Sets the logits above the calibrated threshold, negative below it, from which on a peak of a
    /// class is a candidate.
    pub fn set_floors(&mut self, floor: impl Fn(DrumClass) -> f32) {
        self.floors = DrumClass::ALL.map(floor);
    }

    /// Index of the first frame that is not decided yet.
    pub fn next_frame(&self) -> u64 {
        self.next_frame
    }

    /// Takes the outputs of one frame (onset logits of all classes, then shifts) and appends the
    /// candidates of the frame whose surroundings it completes.
    pub fn push(&mut self, outputs: &[f32], peaks: &mut Vec<PlacedPeak>) {
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
            self.decide(peaks);
        }
    }

    /// Appends the candidates of the last frames.
    pub fn finish(&mut self, peaks: &mut Vec<PlacedPeak>) {
        while self.next_frame < self.window_start + self.window.len() as u64 {
            self.decide(peaks);
        }
    }

    fn decide(&mut self, peaks: &mut Vec<PlacedPeak>) {
        let frame = self.next_frame;
        for class in DrumClass::ALL {
            let [onset, shift] = self.at(frame)[class.index()];
            let excess = onset - self.thresholds[class.index()];
            if excess >= self.floors[class.index()] && self.is_peak(frame, class) {
                let shift = f64::from(shift).clamp(-MAX_SHIFT_FRAMES, MAX_SHIFT_FRAMES);
                peaks.push(PlacedPeak {
                    peak: Peak {
                        class: Some(class),
                        frame,
                        confidence: sigmoid(onset),
                        excess,
                        velocity: None,
                        claim: Claim::Rivals,
                    },
                    position_frames: (frame as f64 + shift).max(0.0),
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

    fn at(&self, frame: u64) -> &[[f32; VALUES_PER_CLASS]; CLASSES] {
        &self.window[(frame - self.window_start) as usize]
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
