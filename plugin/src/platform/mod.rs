//! Code for each plugin format and operating system.

pub mod accessibility;
#[expect(unsafe_code, reason = "the interface of CLAP")]
pub mod clap;
pub mod drag;
pub mod file_dialog;
#[cfg(all(test, target_os = "linux"))]
pub mod test_session;
