//! Standard MIDI files and live MIDI events.

mod read;
pub mod upstream;
mod write;

pub use read::{parse_notes, read_notes};
pub use write::{
    DRUM_CHANNEL, MidiSettings, TEMPOS_BPM, TICKS_PER_QUARTER, midi_file, write_midi_file,
};
