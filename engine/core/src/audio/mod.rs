//! Audio: decoding files, mixing down to mono, cleaning, resampling, and a synthetic drum kit.

pub mod demo_kit;
pub mod file;
pub mod mono;
pub mod resample;
mod samples;

pub use samples::{downmix, sanitize, sanitize_warning};
