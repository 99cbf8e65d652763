//! Tokens of YourMT3.

pub mod decode;
pub mod encode;
pub mod incremental;
pub mod notes;
pub mod programs;
