//! The `hitscribe` command as a library: the program, and the Python package that brings it along.

#![forbid(unsafe_code)]

mod batch;
mod bounce;
mod debug;
mod devices;
mod diagnose;
mod document;
mod eval;
mod filter;
mod help;
mod inputs;
mod model;
mod models;
mod note_map;
mod output;
mod recording;
mod targets;
mod tempo;
mod transcribe;
mod values;

use std::ffi::OsString;
use std::io::Write as _;

use clap::{Parser, Subcommand};

pub use eval::notes_file::{NotesFile, read as read_notes};
pub use eval::report as score_report;

/// Transcribe audio to MIDI: drums and pitched notes
#[derive(Parser)]
#[command(name = "hitscribe", version, after_help = help::MANUAL)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Transcribe(transcribe::Args),
    Models(models::Args),
    Devices(devices::Args),
    Filter(filter::Args),
    Diagnose(diagnose::Args),
    Bounce(bounce::Args),
    Eval(eval::Args),
    EvalSet(eval::set::Args),
    DebugTensors(debug::tensors::Args),
    DebugTokens(debug::tokens::Args),
}

/// Runs the command. The first of the arguments is the name of the program. Returns the exit code.
///
/// Writes to standard output and standard error, reads standard input for the input `-`, and sets
/// the logger of the process unless there is one.
pub fn main_from(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        // Help and version are errors too, with the code 0. Where they cannot be printed, nothing
        // else can.
        Err(error) => {
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(1);
        }
    };
    let logger = env_logger::Builder::new()
        // Warnings of Hitscribe only; RUST_LOG shows more.
        .filter_level(log::LevelFilter::Off)
        .filter_module("hitscribe", log::LevelFilter::Warn)
        .parse_default_env()
        .format(|out, record| {
            writeln!(
                out,
                "hitscribe: {}",
                output::one_line(&record.args().to_string())
            )
        })
        .try_init();
    // A second run in one process keeps the logger of the first.
    drop(logger);
    let done = |outcome: anyhow::Result<()>| outcome.map(|()| 0);
    let outcome = match cli.command {
        Command::Transcribe(args) => transcribe::run(&args),
        Command::Models(args) => done(models::run(&args)),
        Command::Devices(args) => done(devices::run(&args)),
        Command::Filter(args) => done(filter::run(&args)),
        Command::Diagnose(args) => done(diagnose::run(&args)),
        Command::Bounce(args) => done(bounce::run(&args)),
        Command::Eval(args) => done(eval::run(&args)),
        Command::EvalSet(args) => done(eval::set::run(&args)),
        Command::DebugTensors(args) => done(debug::tensors::run(&args)),
        Command::DebugTokens(args) => done(debug::tokens::run(&args)),
    };
    outcome.unwrap_or_else(|error| {
        output::report(&error);
        1
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn options_are_consistent_and_only_transcribe_keeps_leaked_notes_by_default() {
        Cli::command().debug_assert();
        let mut cli = Cli::command();
        cli.build();
        for (command, strategy) in [
            ("transcribe", "off"),
            ("diagnose", "auto"),
            ("filter", "auto"),
        ] {
            let command = cli.find_subcommand(command).unwrap();
            let option = command
                .get_arguments()
                .find(|argument| argument.get_long() == Some("leakage"))
                .unwrap();
            assert_eq!(option.get_default_values(), [strategy]);
        }
    }
}
