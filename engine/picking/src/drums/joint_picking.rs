//! Peak picking for the network that decides jointly. `train/NETWORK.md` specifies it.
//!
//! The network counts the strokes of a group of classes and shares them among the classes, so that
//! these never add up to more than was counted. A candidate is a peak of one class, or a stroke of
//! a group, for its likeliest class, in case that no class claims it. Which of them are hits is
//! decided by [`super::selection`].
//!
//! Nothing depends on a candidate that is far away, so that hits are the same however the frames
//! come in.
//!
//! For recordings, the activations are averaged with those of the independent network
//! (`Averaging`), which makes other errors.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Range;

use hitscribe_core::DrumClass;
use hitscribe_models::frame::drums::{IndependentConfig, JointConfig, OutputCounts, Picking};

use crate::drums::candidate::{Claim, Peak, PlacedPeak};

/// Activations are limited to this distance from 0 and 1 in logits.
const LEAST_ACTIVATION: f32 = 1e-6;

/// Weight of the independent network in the mean of logits. Chosen on the tuning half of the
/// validation grid with the newest snapshot: micro F is .836 with .25 and .831 with .4.
const INDEPENDENT_SHARE: f32 = 0.25;

/// Averages activations with those of the independent network.
struct Averaging {
    /// For each class of the joint network: index of the drum, difference of the thresholds of both
    /// networks in logits.
    classes: Vec<Option<(usize, f32)>>,
}

impl Averaging {
    fn new(joint: &JointConfig, independent: &IndependentConfig) -> Self {
        let of_class = |(key, &threshold): (&String, &f32)| {
            let drum = independent.classes.iter().position(|other| other == key)?;
            let other = independent.thresholds[drum];
            Some((drum, logit(threshold) - logit(other)))
        };
        let classes = joint.classes.iter().zip(&joint.picking.classes);
        Self {
            classes: classes.map(of_class).collect(),
        }
    }

    /// Mixes in the logits of the independent network, one for each drum.
    fn apply(&self, activations: &mut [f32], logits: &[f32]) {
        for (activation, class) in activations.iter_mut().zip(&self.classes) {
            let Some((drum, offset)) = class else {
                continue;
            };
            // NaN is no evidence.
            if let Some(&other) = logits.get(*drum).filter(|v| !v.is_nan()) {
                let own = logit(*activation);
                *activation = sigmoid(own + INDEPENDENT_SHARE * (other + offset - own));
            }
        }
    }
}

/// Finds the candidates of one source, frame by frame.
pub struct JointPicker {
    picking: Picking,
    groups: Vec<Vec<usize>>,
    outputs: OutputCounts,
    max_strokes: usize,
    averaging: Option<Averaging>,
    /// The drum of each class of the network; none if it is not written.
    drums: Vec<Option<DrumClass>>,
    /// Threshold of each class and of each group in logits.
    class_logits: Vec<f32>,
    group_logits: Vec<f32>,
    /// Logits above the thresholds, negative below them, from which on peaks are candidates: of each
    /// class and of the groups.
    class_floors: Vec<f32>,
    group_floor: f32,
    /// The frames around the next one to decide.
    window: VecDeque<Frame>,
    /// Index of the window's first frame.
    window_start: u64,
    next_frame: u64,
}

struct Frame {
    /// Strokes of each class, 0 to 1.
    activations: Vec<f32>,
    shifts: Vec<f32>,
    /// Logits.
    velocities: Vec<f32>,
    /// Strokes of each group: the sum of its activations.
    strokes: Vec<f32>,
}

impl JointPicker {
    /// A picker for the outputs of a network.
    pub fn new(model: &JointConfig) -> Self {
        let drum = |key: &String| DrumClass::ALL.into_iter().find(|class| class.key() == key);
        let logits = |thresholds: &[f32]| thresholds.iter().map(|&t| logit(t)).collect();
        Self {
            drums: model.classes.iter().map(drum).collect(),
            class_logits: logits(&model.picking.classes),
            group_logits: logits(&model.picking.groups),
            class_floors: vec![0.0; model.classes.len()],
            group_floor: 0.0,
            picking: model.picking.clone(),
            groups: model.groups.clone(),
            outputs: model.outputs.clone(),
            max_strokes: model.max_strokes,
            averaging: None,
            window: VecDeque::new(),
            window_start: 0,
            next_frame: 0,
        }
    }

    /// The same for the mean of both networks ([`JointPicker::push_both`]).
    pub fn averaging(model: &JointConfig, independent: &IndependentConfig) -> Self {
        Self {
            averaging: Some(Averaging::new(model, independent)),
            ..Self::new(model)
        }
    }

    /// Frames after a frame that must be known before its peaks are.
    pub fn lookahead_frames(picking: &Picking) -> usize {
        picking.reach_frames
    }

    /// Sets the logits above the thresholds, negative below them, from which on a peak of a drum is
    /// a candidate; for none those of groups.
    pub fn set_floors(&mut self, floor: impl Fn(Option<DrumClass>) -> f32) {
        self.class_floors = self.drums.iter().map(|drum| floor(*drum)).collect();
        self.group_floor = floor(None);
    }

    /// Index of the first frame that is not decided yet.
    pub fn next_frame(&self) -> u64 {
        self.next_frame
    }

    /// Takes the outputs of one frame and appends the candidates of the frame whose surroundings it
    /// completes.
    pub fn push(&mut self, outputs: &[f32], peaks: &mut Vec<PlacedPeak>) {
        self.push_both(outputs, &[], peaks);
    }

    /// The same with the outputs of the independent network of the same frame, which count if the
    /// picker is [averaging](JointPicker::averaging).
    pub fn push_both(&mut self, outputs: &[f32], independent: &[f32], peaks: &mut Vec<PlacedPeak>) {
        let frame = self.frame(outputs, independent);
        self.window.push_back(frame);
        let lookahead = Self::lookahead_frames(&self.picking) as u64;
        if self.end() > self.next_frame + lookahead {
            self.decide(peaks);
        }
    }

    /// Appends the candidates of the last frames.
    pub fn finish(&mut self, peaks: &mut Vec<PlacedPeak>) {
        while self.next_frame < self.end() {
            self.decide(peaks);
        }
    }

    fn end(&self) -> u64 {
        self.window_start + self.window.len() as u64
    }

    fn frame(&self, outputs: &[f32], independent: &[f32]) -> Frame {
        // NaN is no evidence.
        let value = |index: usize| outputs.get(index).copied().filter(|v| !v.is_nan());
        let classes = self.outputs.classes;
        let of_class = |class: usize| value(self.outputs.counts + class).unwrap_or(f32::MIN);
        let mut frame = Frame {
            activations: vec![0.0; classes],
            shifts: (0..classes)
                .map(|class| value(self.outputs.counts + classes + class).unwrap_or(0.0))
                .collect(),
            velocities: (0..classes)
                .map(|class| self.outputs.counts + classes + self.outputs.shift + class)
                .map(|index| value(index).unwrap_or(0.0))
                .collect(),
            strokes: vec![0.0; self.groups.len()],
        };
        for (group, members) in self.groups.iter().enumerate() {
            let (mut strokes, mut most) = (0.0, 1.0f32);
            for count in 0..self.max_strokes {
                let logit = value(group * self.max_strokes + count).unwrap_or(f32::MIN);
                // No further stroke is surer than the one before it.
                most = most.min(sigmoid(logit));
                strokes += most;
            }
            let largest = members
                .iter()
                .map(|&c| of_class(c))
                .fold(f32::MIN, f32::max);
            let weight = |class: usize| (of_class(class) - largest).exp();
            let sum: f32 = members.iter().map(|&c| weight(c)).sum();
            for &class in members {
                frame.activations[class] = (strokes * weight(class) / sum).min(1.0);
            }
        }
        if let Some(averaging) = &self.averaging {
            averaging.apply(&mut frame.activations, independent);
        }
        for (strokes, members) in frame.strokes.iter_mut().zip(&self.groups) {
            *strokes = members.iter().map(|&c| frame.activations[c]).sum();
        }
        frame
    }

    fn decide(&mut self, peaks: &mut Vec<PlacedPeak>) {
        let frame = self.next_frame;
        for (group, members) in self.groups.iter().enumerate() {
            for &class in members {
                peaks.extend(self.class_peak(frame, group, class));
            }
            peaks.extend(self.stroke_peak(frame, group));
        }
        self.next_frame += 1;
        let lookahead = Self::lookahead_frames(&self.picking) as u64;
        while self.window_start < self.next_frame.saturating_sub(lookahead) {
            self.window.pop_front();
            self.window_start += 1;
        }
    }

    fn at(&self, frame: u64) -> &Frame {
        &self.window[(frame - self.window_start) as usize]
    }

    /// The known frames within `reach` of a frame.
    fn around(&self, frame: u64, reach: usize) -> Range<u64> {
        let first = frame.saturating_sub(reach as u64).max(self.window_start);
        first..(frame + reach as u64 + 1).min(self.end())
    }

    /// Whether a frame has the largest value within reach, of equal ones the first.
    fn is_peak(&self, frame: u64, value: impl Fn(&Frame) -> f32) -> bool {
        let own = value(self.at(frame));
        self.around(frame, self.picking.reach_frames)
            .all(|other| match other.cmp(&frame) {
                Ordering::Less => value(self.at(other)) < own,
                _ => value(self.at(other)) <= own,
            })
    }

    /// The peak of a class in a frame, if there is one.
    fn class_peak(&self, frame: u64, group: usize, class: usize) -> Option<PlacedPeak> {
        let confidence = self.at(frame).activations[class];
        let excess = logit(confidence) - self.class_logits[class];
        let is_candidate = excess >= self.class_floors[class]
            && self.is_peak(frame, |frame| frame.activations[class]);
        is_candidate.then(|| {
            let near = self.around(frame, self.picking.reach_frames);
            let claim = Claim::Class {
                group: group as u8,
                strokes: near
                    .map(|other| self.at(other).strokes[group])
                    .fold(0.0, f32::max),
            };
            self.placed(frame, class, confidence, excess, claim)
        })
    }

    /// The stroke of a group in a frame, if there is one, for its likeliest class.
    fn stroke_peak(&self, frame: u64, group: usize) -> Option<PlacedPeak> {
        let strokes = self.at(frame).strokes[group];
        let excess = logit(strokes) - self.group_logits[group];
        if excess < self.group_floor || !self.is_peak(frame, |frame| frame.strokes[group]) {
            return None;
        }
        let evidence = |class: usize| -> f32 {
            let near = self.around(frame, 1);
            let sum: f32 = near.map(|other| self.at(other).activations[class]).sum();
            sum / self.picking.classes[class]
        };
        // Of equal ones the first.
        let likeliest = self.groups[group].iter().copied().rev();
        let class = likeliest.max_by(|&a, &b| evidence(a).total_cmp(&evidence(b)))?;
        let claim = Claim::Stroke { group: group as u8 };
        Some(self.placed(frame, class, strokes.min(1.0), excess, claim))
    }

    fn placed(
        &self,
        frame: u64,
        class: usize,
        confidence: f32,
        excess: f32,
        claim: Claim,
    ) -> PlacedPeak {
        let most = self.picking.most_shift_frames;
        let shift = self.at(frame).shifts[class].clamp(-most, most);
        let peak = Peak {
            class: self.drums[class],
            frame,
            confidence,
            excess,
            velocity: Some((255.0 * sigmoid(self.at(frame).velocities[class])).round() as u8),
            claim,
        };
        PlacedPeak {
            peak,
            position_frames: (frame as f64 + f64::from(shift)).max(0.0),
        }
    }
}

/// Of an activation or of strokes, which may be more than one.
fn logit(p: f32) -> f32 {
    let p = p.clamp(LEAST_ACTIVATION, 1.0 - LEAST_ACTIVATION);
    (p / (1.0 - p)).ln()
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests;
