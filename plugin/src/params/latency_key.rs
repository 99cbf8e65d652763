//! The parameters that determine the delay between audio and MIDI.

use crate::params::choices::{Hop, LatencyMode};
use crate::params::model::ModelTag;

/// The parameters that determine the delay between audio and MIDI. A change takes effect when the
/// transport is stopped, because the processor must be built anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyKey {
    /// Direct or Aligned.
    pub mode: LatencyMode,
    /// Time between two engine runs.
    pub hop: Hop,
    /// Whether the track can have pitched notes, which take longer.
    pub is_pitched: bool,
    /// The selected model.
    pub model: ModelTag,
}

impl LatencyKey {
    /// The key in two words, of which the first is never 0. Real-time safe.
    pub fn to_bits(self) -> [u64; 2] {
        let is_aligned = u64::from(self.mode == LatencyMode::Aligned);
        let key = 1 | is_aligned << 1 | u64::from(self.is_pitched) << 2;
        [key | (self.hop.frames() as u64) << 3, self.model.to_bits()]
    }

    /// Whether the track can have pitched notes, by the first of the words.
    pub fn is_pitched_in(first_bits: u64) -> bool {
        first_bits & 4 != 0
    }
}
