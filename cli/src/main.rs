//! The `hitscribe` command.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(hitscribe_cli::main_from(std::env::args_os()))
}
