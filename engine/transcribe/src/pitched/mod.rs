//! From the pitched network's outputs to notes.

pub mod note_picking;
