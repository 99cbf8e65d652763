//! Standard MIDI files: reading and writing notes.

mod channel;
mod events;
mod note_map;
mod program_names;
mod read;
pub mod reference_writers;
mod tempo_map;
mod write;

pub use channel::DRUM_CHANNEL;
pub use note_map::{ClassMap, NoteMap};
pub use read::{Beats, parse_notes, read_beats, read_notes};
pub use tempo_map::TempoMap;
pub use write::{MidiSettings, TEMPO_RANGE_BPM, TICKS_PER_QUARTER, midi_file, write_midi_file};
