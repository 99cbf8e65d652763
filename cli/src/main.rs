//! The `hitscribe` command.

#![deny(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "cuda")]
    #[allow(unsafe_code)]
    // SAFETY: there is no other thread yet.
    unsafe {
        hitscribe_models::device::export_cuda_path();
    }
    ExitCode::from(hitscribe_cli::main_from(std::env::args_os()))
}
