//! Standard MIDI files and live MIDI events.
