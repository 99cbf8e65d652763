//! Peak picking for the network that decides jointly. `train/NETWORK.md` specifies it.
//!
//! The network counts the strokes of a group of classes and shares them among the classes, so that
//! these never add up to more than was counted. A candidate is a peak of one class above its
//! threshold. Beside stronger candidates of its group it is a hit only if the group's strokes are
//! enough for all of them. A stroke that no class can claim alone goes to the likeliest.
//!
//! Nothing depends on a candidate that is far away, so that hits are the same however the frames
//! come in.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::ops::Range;

use hitscribe_core::DrumClass;
use hitscribe_models::frame::drums::{JointConfig, OutputCounts, Picking};

use crate::drums::candidate::{Candidate, Sensitivity};

/// Logits by which sensitivity 0 raises and sensitivity 1 lowers the thresholds.
const SENSITIVITY_LOGITS: f32 = 3.0;
/// Activations are limited to this distance from 0 and 1 in logits.
const LEAST_ACTIVATION: f32 = 1e-6;

/// Finds the hits of one source, frame by frame.
pub struct JointPicker {
    picking: Picking,
    groups: Vec<Vec<usize>>,
    outputs: OutputCounts,
    max_strokes: usize,
    /// The drum of each class of the network; none if it is not written.
    drums: Vec<Option<DrumClass>>,
    /// Threshold of each class and of each group in logits.
    class_logits: Vec<f32>,
    group_logits: Vec<f32>,
    /// What sensitivity adds to the logits of each class and of each group.
    class_trims: Vec<f32>,
    group_trim: f32,
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
            class_trims: vec![0.0; model.classes.len()],
            group_trim: 0.0,
            picking: model.picking.clone(),
            groups: model.groups.clone(),
            outputs: model.outputs.clone(),
            max_strokes: model.max_strokes,
            window: VecDeque::new(),
            window_start: 0,
            next_frame: 0,
        }
    }

    /// Frames after a frame that must be known before its hits are decided.
    pub fn lookahead_frames(picking: &Picking) -> usize {
        2 * picking.reach_frames + 1
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
        let logits = |share: f32| share * 2.0 * SENSITIVITY_LOGITS;
        self.group_trim = logits(limited(sensitivity.overall, 0.0, 1.0) - 0.5);
        for (trim, drum) in self.class_trims.iter_mut().zip(&self.drums) {
            let own = drum.map_or(0.0, |drum| sensitivity.by_class[drum.index()]);
            *trim = self.group_trim + logits(limited(own, -0.5, 0.5));
        }
    }

    /// Index of the first frame that is not decided yet.
    pub fn next_frame(&self) -> u64 {
        self.next_frame
    }

    /// Takes the outputs of one frame and appends the hits of the frame that this one decides.
    pub fn push(&mut self, outputs: &[f32], hits: &mut Vec<Candidate>) {
        let frame = self.frame(outputs);
        self.window.push_back(frame);
        let lookahead = Self::lookahead_frames(&self.picking) as u64;
        if self.end() > self.next_frame + lookahead {
            self.decide(hits);
        }
    }

    /// Appends the hits of the last frames.
    pub fn finish(&mut self, hits: &mut Vec<Candidate>) {
        while self.next_frame < self.end() {
            self.decide(hits);
        }
    }

    fn end(&self) -> u64 {
        self.window_start + self.window.len() as u64
    }

    fn frame(&self, outputs: &[f32]) -> Frame {
        // NaN is no evidence.
        let value = |index: usize| outputs.get(index).copied().filter(|v| !v.is_nan());
        let classes = self.outputs.classes;
        let of_class = |class: usize| value(self.outputs.counts + class).unwrap_or(f32::MIN);
        let mut frame = Frame {
            activations: vec![0.0; classes],
            shifts: (0..classes)
                .map(|class| value(self.outputs.counts + classes + class).unwrap_or(0.0))
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
                let activation = (strokes * weight(class) / sum).min(1.0);
                frame.activations[class] = activation;
                frame.strokes[group] += activation;
            }
        }
        frame
    }

    fn decide(&mut self, hits: &mut Vec<Candidate>) {
        let frame = self.next_frame;
        for (group, members) in self.groups.iter().enumerate() {
            for (rank, &class) in members.iter().enumerate() {
                if self.is_candidate(frame, class) && self.is_hit(frame, group, rank) {
                    hits.extend(self.hit(frame, class, self.at(frame).activations[class]));
                }
            }
            if let Some(class) = self.unclaimed(frame, group) {
                let strokes = self.at(frame).strokes[group].min(1.0);
                hits.extend(self.hit(frame, class, strokes));
            }
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

    /// Logits of a class above its threshold at the present sensitivity.
    fn excess(&self, frame: u64, class: usize) -> f32 {
        let own = logit(self.at(frame).activations[class]);
        own - self.class_logits[class] + self.class_trims[class]
    }

    fn is_candidate(&self, frame: u64, class: usize) -> bool {
        self.excess(frame, class) >= 0.0 && self.is_peak(frame, |f| f.activations[class])
    }

    /// Whether the strokes of the group are enough for a candidate and the stronger ones near it.
    fn is_hit(&self, frame: u64, group: usize, rank: usize) -> bool {
        let members = &self.groups[group];
        let own = self.excess(frame, members[rank]);
        let near = || self.around(frame, self.picking.reach_frames);
        let is_stronger = |other: u64, other_rank: usize| {
            let by_excess = self.excess(other, members[other_rank]).total_cmp(&own);
            // Of equal ones the earlier, then the first class.
            by_excess.then((frame, rank).cmp(&(other, other_rank))) == Ordering::Greater
        };
        let stronger = near()
            .flat_map(|other| (0..members.len()).map(move |rank| (other, rank)))
            .filter(|&(other, rank)| {
                is_stronger(other, rank) && self.is_candidate(other, members[rank])
            })
            .count();
        let strokes = near()
            .map(|other| self.at(other).strokes[group])
            .fold(0.0, f32::max);
        stronger == 0 || strokes >= stronger as f32 + 1.0 - self.picking.slack
    }

    /// The likeliest class of a stroke for which there is no candidate.
    fn unclaimed(&self, frame: u64, group: usize) -> Option<usize> {
        let excess = logit(self.at(frame).strokes[group]) - self.group_logits[group];
        let is_stroke = excess + self.group_trim >= 0.0;
        if !is_stroke || !self.is_peak(frame, |f| f.strokes[group]) {
            return None;
        }
        let members = &self.groups[group];
        let is_claimed = self
            .around(frame, self.picking.reach_frames + 1)
            .any(|other| members.iter().any(|&class| self.is_candidate(other, class)));
        let evidence = |class: usize| -> f32 {
            let near = self.around(frame, 1);
            let sum: f32 = near.map(|other| self.at(other).activations[class]).sum();
            sum / self.picking.classes[class]
        };
        // Of equal ones the first.
        let likeliest = members.iter().copied().rev();
        let likeliest = likeliest.max_by(|&a, &b| evidence(a).total_cmp(&evidence(b)));
        likeliest.filter(|_| !is_claimed)
    }

    fn hit(&self, frame: u64, class: usize, confidence: f32) -> Option<Candidate> {
        let most = self.picking.most_shift_frames;
        let shift = self.at(frame).shifts[class].clamp(-most, most);
        let calibrated_excess = logit(confidence) - self.class_logits[class];
        Some(Candidate {
            class: self.drums[class]?,
            position_frames: (frame as f64 + f64::from(shift)).max(0.0),
            confidence,
            calibrated_excess,
            excess: calibrated_excess + self.class_trims[class],
        })
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
