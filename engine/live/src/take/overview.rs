//! The level overview of a passage.

use crate::take::passage::PEAKS_PER_SECOND;

/// Computes the level overview of a passage while its audio comes in.
pub struct Overview {
    step_frames: f64,
    position_frames: u64,
    peak: f32,
    steps: u64,
}

impl Overview {
    /// An overview of no audio.
    pub fn new(sample_rate_hz: f64) -> Self {
        let step_frames = sample_rate_hz / PEAKS_PER_SECOND as f64;
        Self {
            step_frames,
            position_frames: 0,
            peak: 0.0,
            steps: 0,
        }
    }

    /// Complete steps so far.
    pub fn steps(&self) -> usize {
        self.steps as usize
    }

    /// Takes the next samples and returns the peaks of the steps that they complete, 255 for full
    /// scale.
    pub fn push(&mut self, mono: &[f32]) -> Vec<u8> {
        let mut done = Vec::new();
        for sample in mono {
            self.peak = self.peak.max(sample.abs());
            self.position_frames += 1;
            if self.position_frames as f64 >= (self.steps + 1) as f64 * self.step_frames {
                done.push((self.peak.min(1.0) * 255.0).round() as u8);
                self.peak = 0.0;
                self.steps += 1;
            }
        }
        done
    }
}
