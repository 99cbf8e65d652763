//! Argument values that several commands share.

use anyhow::{Result, bail};
use hitscribe_core::features::mt3_family::FrontEndKind;
use hitscribe_core::midi::TEMPO_RANGE_BPM;

/// A number from 0 to 1.
pub fn fraction(text: &str) -> Result<f32> {
    let value: f32 = text.parse()?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        bail!("must be between 0 and 1")
    }
}

/// A tempo that a MIDI file can store, in quarter notes per minute.
pub fn tempo(text: &str) -> Result<f64> {
    let value: f64 = text.parse()?;
    let (low, high) = (TEMPO_RANGE_BPM.start(), TEMPO_RANGE_BPM.end());
    if TEMPO_RANGE_BPM.contains(&value) {
        Ok(value)
    } else {
        bail!("must be between {low} and {high}")
    }
}

/// The name of a front end.
pub fn front_end(text: &str) -> Result<FrontEndKind, String> {
    text.parse()
}
