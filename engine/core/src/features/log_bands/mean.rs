//! Powers relative to the mean level around a frame.

use std::collections::VecDeque;

use crate::features::log_bands::config::MeanReference;

/// The frames of one stream that wait for the level after them.
pub(super) struct MeanLevel {
    config: MeanReference,
    hop_samples: usize,
    frame_len: usize,
    /// Entry `i`: sum of the mean squares of the frames before frame `start + i`.
    sums: VecDeque<f64>,
    start: usize,
    /// Band powers of the frames from `next_frame` on.
    powers: VecDeque<f32>,
    next_frame: usize,
}

impl MeanLevel {
    pub(super) fn new(config: MeanReference, hop_samples: usize, frame_len: usize) -> Self {
        Self {
            config,
            hop_samples,
            frame_len,
            sums: VecDeque::from([0.0]),
            start: 0,
            powers: VecDeque::new(),
            next_frame: 0,
        }
    }

    /// The first frame whose mean square is not known yet.
    pub(super) fn end(&self) -> usize {
        self.start + self.sums.len() - 1
    }

    /// Takes the mean squares of the hops that are complete, of frames before `last_frame`. The
    /// first of `audio` is sample `audio_start` of the stream.
    pub(super) fn measure(&mut self, audio: &[f32], audio_start: i64, last_frame: usize) {
        let hop = self.hop_samples as i64;
        let samples_end = audio_start + audio.len() as i64;
        while (self.end() as i64 + 1) * hop <= samples_end && self.end() < last_frame {
            let start = (self.end() as i64 * hop - audio_start) as usize;
            let frame = &audio[start..start + self.hop_samples];
            let mean = frame.iter().map(|x| x * x).sum::<f32>() / hop as f32;
            let sum = self.sums.back().copied().unwrap_or(0.0) + f64::from(mean);
            self.sums.push_back(sum);
        }
    }

    /// Takes the powers of the next frame.
    pub(super) fn push(&mut self, powers: &[f32]) {
        self.powers.extend(powers);
    }

    /// Appends the frames whose level is known, or all that are left after the end.
    pub(super) fn drain(&mut self, is_finished: bool, features: &mut Vec<f32>) {
        while !self.powers.is_empty()
            && (is_finished || self.next_frame + self.config.level_future_frames < self.end())
        {
            let level = self.level();
            for power in self.powers.drain(..self.frame_len) {
                let value = (power / level + self.config.floor).log10() + self.config.log_offset;
                features.push(value * self.config.log_scale);
            }
            self.next_frame += 1;
        }
        let first = self
            .next_frame
            .saturating_sub(self.config.level_past_frames);
        while self.start < first {
            self.sums.pop_front();
            self.start += 1;
        }
    }

    /// Level reference of `next_frame`: the mean square around it, with silence outside of the
    /// stream.
    fn level(&self) -> f32 {
        let (past, future) = (
            self.config.level_past_frames,
            self.config.level_future_frames,
        );
        let first = self.next_frame.saturating_sub(past);
        let last = (self.next_frame + future + 1).min(self.end());
        let sum = self.sums[last - self.start] - self.sums[first - self.start];
        let count = past + future + 1;
        (sum / count as f64).max(0.0) as f32 + self.config.level_floor
    }
}
