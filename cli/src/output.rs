//! Standard output that may go away.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};

use anyhow::{Context, Result};

/// Writes to standard output. Nobody listening any more is no error.
pub fn write(text: Arguments) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_fmt(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("standard output")
        }
        _ => Ok(()),
    }
}

/// As `print!`, but gives up with an error instead of a panic.
macro_rules! out {
    ($($part:tt)*) => { $crate::output::write(format_args!($($part)*))? };
}

/// As `println!`, but gives up with an error instead of a panic.
macro_rules! outln {
    () => { $crate::output::write(format_args!("\n"))? };
    ($($part:tt)*) => { $crate::output::write(format_args!("{}\n", format_args!($($part)*)))? };
}

pub(crate) use {out, outln};
