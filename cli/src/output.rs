//! Standard output that may be closed, and messages on standard error.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};

use anyhow::{Context, Result};

/// Writes text to standard output.
pub fn write(text: Arguments) -> Result<()> {
    flushed(|out| out.write_fmt(text))
}

/// Writes bytes to standard output.
pub fn write_bytes(bytes: &[u8]) -> Result<()> {
    flushed(|out| out.write_all(bytes))
}

/// A reader that has gone, such as `head`, is no error.
fn flushed(write: impl FnOnce(&mut std::io::StdoutLock) -> std::io::Result<()>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("standard output")
        }
        _ => Ok(()),
    }
}

/// Like `print!`, with an error instead of a panic.
macro_rules! out {
    ($($part:tt)*) => { $crate::output::write(format_args!($($part)*))? };
}

/// Like `println!`, with an error instead of a panic.
macro_rules! outln {
    () => { $crate::output::write(format_args!("\n"))? };
    ($($part:tt)*) => { $crate::output::write(format_args!("{}\n", format_args!($($part)*)))? };
}

pub(crate) use {out, outln};

/// Prints an error with its causes on standard error, in one line.
pub fn report(error: &anyhow::Error) {
    message(&text(error));
}

/// An error with its causes.
pub fn text(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Errors of the engine already contain their cause.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Prints a message on standard error, in one line.
pub fn message(text: &str) {
    eprintln!("hitscribe: {}", one_line(text));
}

/// Replaces line breaks and other control characters, which file names can contain.
pub fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}
