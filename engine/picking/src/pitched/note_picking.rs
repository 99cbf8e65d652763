//! Notes from the outputs of the pitched network, frame by frame.
//!
//! A note begins where the onset logit of its key peaks above the threshold. It ends when the key is
//! silent for more than one frame, at evidence for an end, when it is struck again, or after the
//! longest time that the caller waits for an end. Very short notes need a surer onset. The same
//! rules for whole recordings: `train/hitscribe_train/pitched/harmonic/pick.py`.

use std::collections::VecDeque;

use hitscribe_models::frame::pitched::{NotePicking, PitchConfig, VALUES_BEFORE_FAMILIES};

/// Logits by which sensitivity 0 raises and sensitivity 1 lowers the threshold of an onset.
const SENSITIVITY_LOGITS: f32 = 3.0;
/// Frames below which a note is short: 72 ms. Most short notes without a sure onset are noises of
/// playing: a pick that touches a string before it plucks it, a finger that slides.
const SHORT_FRAMES: f64 = 4.5;
/// Logits by which the onset of a short note exceeds the threshold.
const SHORT_LOGITS: f32 = 1.8;

/// Places of the values of a key.
const ONSET: usize = 0;
const SOUNDING: usize = 1;
const END: usize = 2;
const VELOCITY: usize = 3;
const SHIFT: usize = 4;

/// A note in frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PickedNote {
    /// Index of the key in the model's outputs.
    pub key: usize,
    /// Start in frames from the start of the passage, never negative.
    pub onset_frames: f64,
    /// End in frames, after the start.
    pub end_frames: f64,
    /// Velocity, 0..=1.
    pub velocity: f32,
    /// The model's probability of the onset, 0..=1.
    pub confidence: f32,
    /// Index of the family of its instrument, if it was asked for.
    pub family: Option<usize>,
}

/// A note whose end or family is not known yet.
#[derive(Clone, Copy)]
struct Open {
    note: PickedNote,
    /// The frame of the onset, and its logit.
    frame: u64,
    height: f32,
    /// The first frame after the step from which families are told.
    family_end: u64,
}

/// Finds the notes of one source, frame by frame.
pub struct NotePicker {
    rules: NotePicking,
    pair: u64,
    longest_frames: u64,
    /// The families that are possible; none if no family is asked for.
    families: Vec<usize>,
    values_per_key: usize,
    sensitivity: f32,
    /// Outputs of the frames that are still needed, `[keys, values]` each.
    window: VecDeque<Vec<f32>>,
    /// Index of the window's first frame.
    window_start: u64,
    next_frame: u64,
    /// The sounding note of each key.
    sounding: Vec<Option<Open>>,
    /// Notes that have ended and wait for their family, or for an onset before their end.
    ended: Vec<Open>,
}

impl NotePicker {
    /// A picker of notes that are cut at `longest_frames`, each of the most likely of `families`
    /// (indices). Without families the notes have none.
    pub fn new(model: &PitchConfig, longest_frames: u64, families: &[usize]) -> Self {
        let known = |family: &&usize| **family < model.families.len();
        Self {
            rules: model.picking.clone(),
            pair: model.pair as u64,
            longest_frames,
            families: families.iter().filter(known).copied().collect(),
            values_per_key: model.values_per_key(),
            sensitivity: 0.5,
            window: VecDeque::new(),
            window_start: 0,
            next_frame: 0,
            sounding: vec![None; model.keys],
            ended: Vec::new(),
        }
    }

    /// Frames after a frame that must be known before it is decided.
    fn lookahead_frames(rules: &NotePicking) -> usize {
        rules.reach_frames.max(rules.end_frames - 1).max(1)
    }

    /// Frames of which every note with an onset in the first is known after the last.
    pub fn latency_frames(model: &PitchConfig, longest_frames: u64) -> usize {
        let lookahead = Self::lookahead_frames(&model.picking);
        let of_family = model.pair * model.picking.family_steps;
        let longest = usize::try_from(longest_frames).unwrap_or(usize::MAX / 2);
        model.picking.most_shift_frames.ceil() as usize + (longest + lookahead + 1).max(of_family)
    }

    /// Sets the sensitivity for frames decided from now on: 0 (only the surest notes) to 1 (every
    /// candidate).
    pub fn set_sensitivity(&mut self, sensitivity: f32) {
        self.sensitivity = if sensitivity.is_finite() {
            sensitivity.clamp(0.0, 1.0)
        } else {
            0.5
        };
    }

    /// Every note with an onset before this position, in frames, has been appended.
    pub fn settled_frames(&self) -> f64 {
        let decided = self.next_frame as f64 - f64::from(self.rules.most_shift_frames);
        let open = self.sounding.iter().flatten().chain(&self.ended);
        let onsets = open.map(|open| open.note.onset_frames);
        onsets.fold(decided.max(0.0), f64::min)
    }

    /// Takes the outputs of one frame and appends the notes that are known with it.
    pub fn push(&mut self, outputs: &[f32], notes: &mut Vec<PickedNote>) {
        let mut frame = outputs.to_vec();
        frame.resize(self.sounding.len() * self.values_per_key, f32::NAN);
        self.window.push_back(frame);
        if self.window_end() > self.next_frame + Self::lookahead_frames(&self.rules) as u64 {
            self.decide();
            self.release(false, notes);
        }
    }

    /// Appends the notes of the last frames and those that still sound.
    pub fn finish(&mut self, notes: &mut Vec<PickedNote>) {
        while self.next_frame < self.window_end() {
            self.decide();
            self.release(false, notes);
        }
        for key in 0..self.sounding.len() {
            self.end(key, self.next_frame as f64);
        }
        self.release(true, notes);
    }

    fn decide(&mut self) {
        let frame = self.next_frame;
        for key in 0..self.sounding.len() {
            if self.is_onset(frame, key) {
                self.begin(frame, key);
            } else if let Some(open) = self.sounding[key]
                && let Some(end_frames) = self.end_of(&open, frame)
            {
                self.end(key, end_frames);
            }
        }
        self.next_frame += 1;
        let needed = self.next_frame.saturating_sub(self.kept_frames());
        while self.window_start < needed {
            self.window.pop_front();
            self.window_start += 1;
        }
    }

    /// Where a note ends, if that follows from this frame.
    fn end_of(&self, open: &Open, frame: u64) -> Option<f64> {
        let (key, length) = (open.note.key, frame - open.frame);
        let longest = open.note.onset_frames + self.longest_frames as f64;
        if length >= self.longest_frames {
            Some(longest)
        } else if length < self.rules.shortest_frames as u64 {
            None
        } else if !self.sounds(frame, key) && !self.sounds(frame + 1, key) {
            // A single silent frame does not end a note.
            Some(frame as f64)
        } else if self.at(frame, key, END) > logit(self.rules.offset) {
            Some((self.surest_end(frame, key) as f64).min(longest))
        } else {
            None
        }
    }

    /// Frames before the next one that are kept: those of the reach, and those that tell the family
    /// of a note that has just begun.
    fn kept_frames(&self) -> u64 {
        let of_family = self.pair * (self.rules.family_steps as u64 + 1);
        of_family.max(self.rules.reach_frames as u64)
    }

    fn begin(&mut self, frame: u64, key: usize) {
        let most = f64::from(self.rules.most_shift_frames);
        let shift = self.at(frame, key, SHIFT);
        let shift = if shift.is_finite() {
            f64::from(shift)
        } else {
            0.0
        };
        let position = (frame as f64 + shift.clamp(-most, most)).max(0.0);
        self.end(key, position);
        // An end that was found later than this onset.
        let same_key = self.ended.iter_mut().filter(|open| open.note.key == key);
        for open in same_key {
            open.note.end_frames = open.note.end_frames.min(position);
        }
        let velocity = self.at(frame, key, VELOCITY);
        let height = self.at(frame, key, ONSET);
        let first_step = frame / self.pair;
        self.sounding[key] = Some(Open {
            note: PickedNote {
                key,
                onset_frames: position,
                end_frames: position,
                velocity: sigmoid(if velocity.is_finite() { velocity } else { 0.0 }),
                confidence: sigmoid(height),
                family: None,
            },
            frame,
            height,
            family_end: (first_step + self.rules.family_steps as u64) * self.pair,
        });
    }

    fn end(&mut self, key: usize, end_frames: f64) {
        if let Some(mut open) = self.sounding[key].take() {
            open.note.end_frames = end_frames;
            self.ended.push(open);
        }
    }

    /// Sets the families of notes where they are known, and appends the notes of which nothing more
    /// is to come.
    fn release(&mut self, is_last: bool, notes: &mut Vec<PickedNote>) {
        let known_end = self.window_end();
        let mut ended = std::mem::take(&mut self.ended);
        let mut sounding = std::mem::take(&mut self.sounding);
        let all = ended.iter_mut().chain(sounding.iter_mut().flatten());
        for open in all.filter(|open| open.note.family.is_none()) {
            if known_end >= open.family_end || is_last {
                open.note.family = self.family(open);
            }
        }
        self.sounding = sounding;
        ended.retain(|open| {
            // An onset in a frame decided later may still be before the end.
            let is_told = open.note.family.is_some() || self.families.is_empty();
            let is_known = is_told && open.note.end_frames < self.next_frame as f64;
            if (is_known || is_last) && !self.is_noise_of_playing(open) {
                let shortest = open.note.onset_frames + 1.0;
                notes.push(PickedNote {
                    end_frames: open.note.end_frames.max(shortest),
                    ..open.note
                });
            }
            !(is_known || is_last)
        });
        self.ended = ended;
    }

    /// Whether a note is short and its onset not sure. What the end of the passage cuts is not.
    fn is_noise_of_playing(&self, open: &Open) -> bool {
        let length = open.note.end_frames - open.note.onset_frames;
        let is_cut = open.note.end_frames >= self.window_end() as f64;
        length < SHORT_FRAMES && !is_cut && open.height < self.threshold() + SHORT_LOGITS
    }

    /// The most likely of the possible families.
    fn family(&self, open: &Open) -> Option<usize> {
        let first = open.frame / self.pair * self.pair;
        let frames = first.max(self.window_start)..open.family_end.min(self.window_end());
        let evidence = |family: usize| {
            let place = VALUES_BEFORE_FAMILIES + family;
            let of_frame = |frame| self.at(frame, open.note.key, place);
            frames.clone().map(of_frame).sum::<f32>()
        };
        let families = self
            .families
            .iter()
            .map(|&family| (family, evidence(family)));
        // Of equal ones the first.
        families
            .reduce(|best, other| if other.1 > best.1 { other } else { best })
            .map(|(family, _)| family)
    }

    /// Index after the window's last frame.
    fn window_end(&self) -> u64 {
        self.window_start + self.window.len() as u64
    }

    fn at(&self, frame: u64, key: usize, value: usize) -> f32 {
        self.window[(frame - self.window_start) as usize][key * self.values_per_key + value]
    }

    /// Whether the key sounds; not after the last frame.
    fn sounds(&self, frame: u64, key: usize) -> bool {
        frame < self.window_end() && self.at(frame, key, SOUNDING) > logit(self.rules.sounding)
    }

    /// The frame with the most evidence for an end, from one with enough of it on.
    fn surest_end(&self, frame: u64, key: usize) -> u64 {
        let end = (frame + self.rules.end_frames as u64).min(self.window_end());
        let evidence = |frame: u64| self.at(frame, key, END);
        (frame..end)
            .reduce(|best, other| {
                if evidence(other) > evidence(best) {
                    other
                } else {
                    best
                }
            })
            .unwrap_or(frame)
    }

    /// The logit from which an onset is one.
    fn threshold(&self) -> f32 {
        logit(self.rules.onset) + (0.5 - self.sensitivity) * 2.0 * SENSITIVITY_LOGITS
    }

    fn is_onset(&self, frame: u64, key: usize) -> bool {
        let reach = self.rules.reach_frames as u64;
        let height = self.at(frame, key, ONSET);
        // NaN is no evidence.
        if height.is_nan() || height < self.threshold() {
            return false;
        }
        let first = frame.saturating_sub(reach).max(self.window_start);
        let end = (frame + reach + 1).min(self.window_end());
        // Of equal frames the first is the peak.
        (first..end).all(|other| {
            let other_height = self.at(other, key, ONSET);
            !(other_height > height || (other < frame && other_height == height))
        })
    }
}

fn logit(probability: f32) -> f32 {
    let p = probability.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests;
