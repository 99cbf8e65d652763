//! Token streams of YourMT3's multi-channel model: one stream per channel.

mod encode;
mod incremental;
mod notes;
mod programs;
mod segment;

pub use encode::{Layout, encode};
pub use incremental::YourMt3IncrementalParser;
pub use notes::{
    MAX_NOTE_SECONDS, MIN_NOTE_SECONDS, NOTE_VELOCITY, ParsedNotes, merge, mix, parse,
    parse_channel,
};
pub use programs::{channel_of_program, output_program, training_drum_key, training_program};
pub use segment::{CHANNELS, DRUM_PROGRAM, Fault, Faults, NoteEvent, ParsedSegment, parse_segment};
