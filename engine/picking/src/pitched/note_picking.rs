//! Notes from the outputs of the network with windows around harmonics, frame by frame.
//!
//! A note begins where the onset logit of its key peaks above the threshold, unless the peak is
//! better explained as a harmonic of a lower key. It ends when the key is silent for more than one
//! frame, when it is struck again, or after the longest time that the caller waits for an end.

use std::collections::VecDeque;

use hitscribe_models::frame::pitched::VALUES_PER_KEY;

use crate::pitched::note::{PickedNote, SENSITIVITY_LOGITS, logit, sigmoid};

/// Largest distance between a frame and the onset in it, in frames. The model is trained on half a
/// frame.
pub const MAX_KEY_SHIFT_FRAMES: f64 = 1.0;

/// Semitones from a key to its second, third, fourth and fifth harmonic.
const HARMONIC_SEMITONES: [usize; 4] = [12, 19, 24, 28];

/// Rules of note picking. All times are in frames of the pitched model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NotePickRules {
    /// Probability threshold of an onset.
    pub onset_threshold: f32,
    /// Probability below which a key is silent.
    pub sounding_threshold: f32,
    /// An onset is the largest frame of its key within this many frames.
    pub reach_frames: usize,
    /// A peak is a harmonic of a lower key if that key has an onset within the reach that is larger
    /// by more than this many logits.
    pub harmonic_lead_logits: f32,
    /// Shortest note.
    pub shortest_frames: u64,
    /// Longest note; longer ones are cut.
    pub longest_frames: u64,
    /// Logits by which sensitivity 0 raises and sensitivity 1 lowers the threshold.
    pub sensitivity_logits: f32,
}

impl NotePickRules {
    /// The rules for a model with these thresholds.
    pub fn new(onset_threshold: f32, sounding_threshold: f32, longest_frames: u64) -> Self {
        Self {
            onset_threshold,
            sounding_threshold,
            reach_frames: 2,
            harmonic_lead_logits: 1.0,
            shortest_frames: 3,
            longest_frames,
            sensitivity_logits: SENSITIVITY_LOGITS,
        }
    }
}

/// Finds the notes of one source, frame by frame.
pub struct NotePicker {
    rules: NotePickRules,
    sensitivity: f32,
    /// Outputs of the frames around the next one to decide, `[keys, values]` each.
    window: VecDeque<Vec<f32>>,
    /// Index of the window's first frame.
    window_start: u64,
    next_frame: u64,
    /// The sounding note of each key, and the frame of its onset.
    open: Vec<Option<(PickedNote, u64)>>,
}

impl NotePicker {
    /// A picker for this many keys.
    pub fn new(keys: usize, rules: NotePickRules) -> Self {
        Self {
            rules,
            sensitivity: 0.5,
            window: VecDeque::new(),
            window_start: 0,
            next_frame: 0,
            open: vec![None; keys],
        }
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
        let decided = self.next_frame as f64 - MAX_KEY_SHIFT_FRAMES;
        let open = self
            .open
            .iter()
            .flatten()
            .map(|(note, _)| note.onset_frames);
        open.fold(decided.max(0.0), f64::min)
    }

    /// Takes the outputs of one frame, [`VALUES_PER_KEY`] for each key, and appends the notes that
    /// end in the frame that this one decides.
    pub fn push(&mut self, outputs: &[f32], notes: &mut Vec<PickedNote>) {
        let mut frame = outputs.to_vec();
        frame.resize(self.open.len() * VALUES_PER_KEY, f32::NAN);
        self.window.push_back(frame);
        if self.window_end() > self.next_frame + self.rules.reach_frames as u64 {
            self.decide(notes);
        }
    }

    /// Appends the notes of the last frames and those that still sound.
    pub fn finish(&mut self, notes: &mut Vec<PickedNote>) {
        while self.next_frame < self.window_end() {
            self.decide(notes);
        }
        for key in 0..self.open.len() {
            self.close(key, self.next_frame as f64, notes);
        }
    }

    fn decide(&mut self, notes: &mut Vec<PickedNote>) {
        let frame = self.next_frame;
        for key in 0..self.open.len() {
            if self.is_onset(frame, key) {
                let [onset, _, velocity, shift] = self.at(frame, key);
                let shift = if shift.is_finite() {
                    f64::from(shift)
                } else {
                    0.0
                }
                .clamp(-MAX_KEY_SHIFT_FRAMES, MAX_KEY_SHIFT_FRAMES);
                let position = (frame as f64 + shift).max(0.0);
                self.close(key, position, notes);
                let note = PickedNote {
                    key,
                    onset_frames: position,
                    end_frames: position,
                    velocity: sigmoid(if velocity.is_finite() { velocity } else { 0.0 }),
                    confidence: sigmoid(onset),
                    family: None,
                };
                self.open[key] = Some((note, frame));
            } else if let Some((note, first)) = self.open[key] {
                let length = frame - first;
                // The next frame is known. A single silent frame does not end a note.
                let sounds = (frame..=frame + 1)
                    .take_while(|&frame| frame < self.window_end())
                    .any(|frame| self.at(frame, key)[1] > logit(self.rules.sounding_threshold));
                if length >= self.rules.longest_frames {
                    let longest = note.onset_frames + self.rules.longest_frames as f64;
                    self.close(key, longest, notes);
                } else if length >= self.rules.shortest_frames && !sounds {
                    self.close(key, frame as f64, notes);
                }
            }
        }
        self.next_frame += 1;
        let keep_from = self
            .next_frame
            .saturating_sub(self.rules.reach_frames as u64);
        while self.window_start < keep_from {
            self.window.pop_front();
            self.window_start += 1;
        }
    }

    fn close(&mut self, key: usize, end_frames: f64, notes: &mut Vec<PickedNote>) {
        if let Some((mut note, _)) = self.open[key].take() {
            note.end_frames = end_frames.max(note.onset_frames + 1.0);
            notes.push(note);
        }
    }

    /// Index after the window's last frame.
    fn window_end(&self) -> u64 {
        self.window_start + self.window.len() as u64
    }

    fn at(&self, frame: u64, key: usize) -> [f32; VALUES_PER_KEY] {
        let frame = &self.window[(frame - self.window_start) as usize];
        std::array::from_fn(|value| frame[key * VALUES_PER_KEY + value])
    }

    fn is_onset(&self, frame: u64, key: usize) -> bool {
        let reach = self.rules.reach_frames as u64;
        let height = self.at(frame, key)[0];
        let moved = (0.5 - self.sensitivity) * 2.0 * self.rules.sensitivity_logits;
        // NaN is no evidence.
        if height.is_nan() || height < logit(self.rules.onset_threshold) + moved {
            return false;
        }
        let first = frame.saturating_sub(reach).max(self.window_start);
        let end = (frame + reach + 1).min(self.window_end());
        (first..end).all(|other| {
            let other_height = self.at(other, key)[0];
            // Of equal frames the first is the peak.
            let is_peak = !(other_height > height || (other < frame && other_height == height));
            let is_harmonic = HARMONIC_SEMITONES
                .into_iter()
                .filter_map(|semitones| key.checked_sub(semitones))
                .any(|lower| self.at(other, lower)[0] - height > self.rules.harmonic_lead_logits);
            is_peak && !is_harmonic
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: usize = 20;

    /// Frames of one key with the given onset and sounding logits; the other keys are silent.
    fn frames(key: usize, values: &[(f32, f32)]) -> Vec<Vec<f32>> {
        let silent = [-8.0, -8.0, 0.0, 0.0].repeat(KEYS);
        let frame = |&(onset, sounding): &(f32, f32)| {
            let mut frame = silent.clone();
            frame[key * VALUES_PER_KEY..][..2].copy_from_slice(&[onset, sounding]);
            frame
        };
        values.iter().map(frame).collect()
    }

    fn notes(frames: &[Vec<f32>], sensitivity: f32) -> Vec<PickedNote> {
        let mut picker = NotePicker::new(KEYS, NotePickRules::new(0.5, 0.5, 10));
        picker.set_sensitivity(sensitivity);
        let mut notes = Vec::new();
        for frame in frames {
            picker.push(frame, &mut notes);
        }
        picker.finish(&mut notes);
        notes
    }

    fn places(notes: &[PickedNote]) -> Vec<(usize, f64, f64)> {
        let place = |n: &PickedNote| (n.key, n.onset_frames, n.end_frames);
        notes.iter().map(place).collect()
    }

    const SILENCE: (f32, f32) = (-8.0, -8.0);
    const ONSET: (f32, f32) = (3.0, 4.0);
    const HELD: (f32, f32) = (-5.0, 4.0);

    #[test]
    fn a_note_lasts_from_its_onset_until_the_key_is_silent() {
        let mut curve = frames(1, &[SILENCE, ONSET, HELD, HELD, HELD, SILENCE, SILENCE]);
        curve[1][VALUES_PER_KEY + 3] = 0.25;
        let found = notes(&curve, 0.5);
        assert_eq!(places(&found), [(1, 1.25, 5.0)]);
        assert_eq!(found[0].velocity, 0.5);
        assert!((found[0].confidence - 0.9526).abs() < 1e-4);
    }

    #[test]
    fn a_single_silent_frame_does_not_end_a_note() {
        let curve = [ONSET, HELD, HELD, HELD, SILENCE, HELD, SILENCE, SILENCE];
        assert_eq!(places(&notes(&frames(1, &curve), 0.5)), [(1, 0.0, 6.0)]);
        // Nothing follows the last frame.
        let curve = [ONSET, HELD, HELD, HELD, SILENCE];
        assert_eq!(places(&notes(&frames(1, &curve), 0.5)), [(1, 0.0, 4.0)]);
    }

    #[test]
    fn a_key_that_is_struck_again_is_two_notes() {
        let curve = frames(0, &[ONSET, HELD, HELD, ONSET, HELD, HELD]);
        assert_eq!(places(&notes(&curve, 0.5)), [(0, 0.0, 3.0), (0, 3.0, 6.0)]);
        // Too close for two notes.
        let curve = frames(0, &[ONSET, HELD, (4.0, 4.0), HELD, HELD, HELD]);
        assert_eq!(places(&notes(&curve, 0.5)), [(0, 2.0, 6.0)]);
    }

    #[test]
    fn notes_are_neither_shorter_nor_longer_than_the_rules_allow() {
        let short = frames(2, &[ONSET, SILENCE, SILENCE, SILENCE, SILENCE]);
        assert_eq!(places(&notes(&short, 0.5)), [(2, 0.0, 3.0)]);
        let mut long = vec![ONSET];
        long.extend([HELD; 30]);
        assert_eq!(places(&notes(&frames(2, &long), 0.5)), [(2, 0.0, 10.0)]);
    }

    #[test]
    fn a_harmonic_of_a_stronger_key_is_no_note() {
        let mut curve = frames(2, &[SILENCE, (4.0, 4.0), HELD, HELD, HELD]);
        let mut with = |onset: f32| {
            curve[2][14 * VALUES_PER_KEY..][..2].copy_from_slice(&[onset, 4.0]);
            notes(&curve, 0.5).len()
        };
        assert_eq!(with(2.0), 1);
        assert_eq!(with(3.5), 2);
    }

    #[test]
    fn every_note_before_the_settled_position_is_appended() {
        let mut picker = NotePicker::new(KEYS, NotePickRules::new(0.5, 0.5, 100));
        let mut out = Vec::new();
        for frame in frames(1, &[SILENCE, ONSET, HELD, HELD, HELD, HELD]) {
            picker.push(&frame, &mut out);
        }
        assert!(out.is_empty());
        assert_eq!(picker.settled_frames(), 1.0);
        picker.finish(&mut out);
        assert_eq!(out.len(), 1);
        assert_eq!(picker.settled_frames(), 5.0);
    }

    #[test]
    fn sensitivity_moves_the_threshold_and_nan_is_no_note() {
        let weak = frames(0, &[(-1.0, 4.0), HELD, HELD, HELD]);
        assert!(notes(&weak, 0.5).is_empty());
        assert_eq!(notes(&weak, 1.0).len(), 1);
        let broken = vec![vec![f32::NAN; KEYS * VALUES_PER_KEY], Vec::new()];
        assert!(notes(&broken, 1.0).is_empty());
    }
}
