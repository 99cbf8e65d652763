//! Lengths of a segment, and of what sounds before it.

use crate::SAMPLE_RATE;

/// Samples of a segment unless another length is asked for: 4.096 s, 512 frames of the model.
pub const SEGMENT_SAMPLES: usize = 131_072;
/// The same in seconds.
pub const SEGMENT_SECONDS: f64 = SEGMENT_SAMPLES as f64 / SAMPLE_RATE as f64;
/// What sounds before the segment starts, so that it begins in the middle of music.
pub(crate) const LEAD_SAMPLES: usize = 40_960;
/// The same in seconds.
pub(crate) const LEAD_SECONDS: f64 = LEAD_SAMPLES as f64 / SAMPLE_RATE as f64;
