//! Code for each plugin format and operating system.

pub mod accessibility;
#[expect(unsafe_code, reason = "the interface of CLAP")]
pub mod clap;
pub mod drag;
