//! What differs by operating system.

pub mod drag;
