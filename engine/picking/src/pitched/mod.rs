//! From the outputs of the pitched networks to notes.

pub mod harmonic_picking;
pub mod note;
pub mod note_picking;
