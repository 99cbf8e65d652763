//! From the outputs of the pitched network to notes.

pub mod note_picking;
