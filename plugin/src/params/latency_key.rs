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
