//! Help texts that several commands share.

/// Where the details are.
pub const MANUAL: &str = "Values and details: section \"Command\" of the manual (docs/manual.md)";

/// Headings of option groups.
pub const FILES: &str = "Input and output";
pub const BATCH: &str = "Many inputs";
pub const AUDIO: &str = "Audio";
pub const MODEL: &str = "Model";
pub const NOTES: &str = "Notes";
pub const MIDI: &str = "MIDI file";
