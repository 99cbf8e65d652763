//! Values of arguments that several commands take.

use anyhow::{Result, bail};
use hitscribe_core::midi::TEMPO_RANGE_BPM;

/// A share, from 0 to 1.
pub fn share(text: &str) -> Result<f32> {
    let value: f32 = text.parse()?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        bail!("must lie between 0 and 1")
    }
}

/// A tempo that a MIDI file can have, in quarter notes per minute.
pub fn tempo(text: &str) -> Result<f64> {
    let value: f64 = text.parse()?;
    let (low, high) = (TEMPO_RANGE_BPM.start(), TEMPO_RANGE_BPM.end());
    if TEMPO_RANGE_BPM.contains(&value) {
        Ok(value)
    } else {
        bail!("must lie between {low} and {high}")
    }
}
