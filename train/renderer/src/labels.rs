//! Hits in CSV files: a line for each, as the validation grid and labelled loops have them.

use std::path::Path;

use anyhow::{Context, Result};

use crate::class::DrumClass;

/// Hits that other sounds drown by more than this are neither asked for nor forbidden.
pub const INAUDIBLE_DB: f32 = -15.0;

/// A hit of a reference or of a transcription.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Onset.
    pub seconds: f64,
    /// What was struck.
    pub class: DrumClass,
    /// 0..=1.
    pub velocity: f32,
    /// Whether it must be found.
    pub is_required: bool,
}

/// Reads lines of seconds, class, and where they are given velocity and audibility.
///
/// # Errors
/// When the file cannot be read or a line is no hit.
pub(crate) fn read_csv(path: &Path) -> Result<Vec<Hit>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let line = |line: &str| -> Option<Hit> {
        let mut fields = line.split(',').map(|f| f.trim().parse::<f64>());
        let seconds = fields.next()?.ok()?;
        let class = *DrumClass::ALL.get(fields.next()?.ok()? as usize)?;
        let velocity = fields.next().and_then(Result::ok).unwrap_or(0.8) as f32;
        let audibility = fields.next().and_then(Result::ok).unwrap_or(0.0) as f32;
        Some(Hit {
            seconds,
            class,
            velocity,
            is_required: audibility >= INAUDIBLE_DB,
        })
    };
    let lines = text.lines().filter(|l| !l.trim().is_empty());
    lines
        .map(|l| line(l).with_context(|| format!("{}: {l:?} is no hit", path.display())))
        .collect()
}
