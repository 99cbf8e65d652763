//! Taps over time.

use serde::Deserialize;

/// One residual block over time. Tap `i` is at frame `t + (i - past_taps) * dilation`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BlockConfig {
    /// Number of taps.
    pub taps: usize,
    /// Frames between taps.
    pub dilation: usize,
    /// Taps before the frame itself.
    pub past_taps: usize,
}

impl BlockConfig {
    /// Past and future frames in the block's receptive field.
    pub fn context_frames(&self) -> usize {
        (self.taps - 1) * self.dilation
    }

    /// Past frames in the block's receptive field.
    pub fn past_frames(&self) -> usize {
        self.past_taps * self.dilation
    }

    /// Future frames in the block's receptive field.
    pub fn future_frames(&self) -> usize {
        self.context_frames() - self.past_frames()
    }

    pub(in crate::frame) fn is_valid(&self) -> bool {
        (1..=64).contains(&self.taps)
            && (1..=4096).contains(&self.dilation)
            && self.past_taps < self.taps
    }
}
