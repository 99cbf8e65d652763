//! Standard MIDI files and live MIDI events.

pub mod reference;
