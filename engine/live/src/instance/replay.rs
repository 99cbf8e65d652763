//! What a session that replaces another in the middle of a passage needs: the last audio, and which
//! notes were given out.

use std::collections::VecDeque;

/// Audio that is kept: the latency of the built-in models, and enough before it that the outputs
/// are those of the session before.
const KEPT_SECONDS: f64 = 10.0;
/// Two notes of one key that are closer are the same.
const SAME_SECONDS: f64 = 0.02;

/// The last audio of a passage and the notes in it.
pub(super) struct Replay {
    sample_rate_hz: f64,
    audio: VecDeque<f32>,
    /// Stream position before which all notes were given out.
    given_frames: u64,
    /// Notes and candidates that were given out from there on: position and key.
    ahead: Vec<(u64, u8)>,
    /// Notes that the session before has given out: a position before which all were, and those
    /// from there on.
    before: (u64, Vec<(u64, u8)>),
}

impl Replay {
    pub fn new(sample_rate_hz: f64) -> Self {
        Self {
            sample_rate_hz,
            audio: VecDeque::new(),
            given_frames: 0,
            ahead: Vec::new(),
            before: (0, Vec::new()),
        }
    }

    /// A passage begins at a position in the stream.
    pub fn start(&mut self, position_frames: u64) {
        self.audio.clear();
        self.given_frames = position_frames;
        self.ahead.clear();
        self.before = (position_frames, Vec::new());
    }

    /// Keeps audio.
    pub fn push(&mut self, samples: &[f32]) {
        self.audio.extend(samples);
        let kept = (KEPT_SECONDS * self.sample_rate_hz) as usize;
        let surplus = self.audio.len().saturating_sub(kept);
        self.audio.drain(..surplus);
    }

    /// Keeps which notes and candidates were given out, by position in the stream and key, all of
    /// them up to `given_frames`.
    pub fn give(&mut self, given: impl Iterator<Item = (u64, u8)>, given_frames: u64) {
        self.given_frames = self.given_frames.max(given_frames);
        self.ahead.extend(given);
        self.ahead.retain(|(onset, _)| *onset >= self.given_frames);
    }

    /// Another session begins with the audio that this returns.
    pub fn restart(&mut self) -> &[f32] {
        let mut ahead = std::mem::take(&mut self.ahead);
        // After two restarts in a row those of both sessions count.
        ahead.append(&mut self.before.1);
        self.before = (self.given_frames, ahead);
        self.audio.make_contiguous()
    }

    /// Stream position before which the session before has given out all notes.
    pub fn settled_frames(&self) -> u64 {
        self.before.0
    }

    /// Whether a note or candidate at a position was not given out by the session before.
    pub fn is_new(&self, onset_frames: u64, key: u8) -> bool {
        let (settled_frames, ahead) = &self.before;
        let same_frames = SAME_SECONDS * self.sample_rate_hz;
        let is_same = |(onset, other): &(u64, u8)| {
            *other == key && (onset.abs_diff(onset_frames) as f64) < same_frames
        };
        onset_frames >= *settled_frames && !ahead.iter().any(is_same)
    }
}
