//! Standard MIDI files and live MIDI events.

pub mod reference;
mod write;

pub use write::{DRUM_CHANNEL, MidiSettings, TEMPOS_BPM, TICKS_PER_QUARTER, midi_file, write_midi_file};
