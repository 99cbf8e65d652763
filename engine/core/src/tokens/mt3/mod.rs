//! Token streams of MT3, MT3-PyTorch and MR-MT3: one stream per recording.

mod encode;
mod incremental;
mod parse;

pub use encode::encode;
pub use incremental::Mt3IncrementalParser;
pub use parse::{MIN_NOTE_SECONDS, ParseRules, ParsedNotes, codec_indices, parse};
