//! The `hitscribe` command.

#![forbid(unsafe_code)]

mod bounce;
mod debug;
mod diagnose;
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

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    Filter(filter::Args),
    Diagnose(diagnose::Args),
    Bounce(bounce::Args),
    Eval(eval::Args),
    EvalSet(eval::set::Args),
    DebugTensors(debug::tensors::Args),
    DebugTokens(debug::tokens::Args),
}

fn main() -> ExitCode {
    env_logger::Builder::new()
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
        .init();
    let done = |outcome: anyhow::Result<()>| outcome.map(|()| 0);
    let outcome = match Cli::parse().command {
        Command::Transcribe(args) => transcribe::run(&args),
        Command::Models(args) => done(models::run(&args)),
        Command::Filter(args) => done(filter::run(&args)),
        Command::Diagnose(args) => done(diagnose::run(&args)),
        Command::Bounce(args) => done(bounce::run(&args)),
        Command::Eval(args) => done(eval::run(&args)),
        Command::EvalSet(args) => done(eval::set::run(&args)),
        Command::DebugTensors(args) => done(debug::tensors::run(&args)),
        Command::DebugTokens(args) => done(debug::tokens::run(&args)),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::report(&error);
            ExitCode::FAILURE
        }
    }
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
