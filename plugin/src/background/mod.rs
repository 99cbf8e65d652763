//! Work on background threads: transcribing an audio file, rendering a preview.

pub mod import;
pub mod preview;
