//! Audio: decoding files, mixing down to mono, cleaning, resampling, and a synthetic drum kit.

pub mod demo_kit;
mod downmixer;
pub mod file;
pub mod mono;
pub mod resample;
mod samples;

pub use downmixer::Downmixer;
pub use samples::{downmix, sanitize, sanitize_warning};
