//! The `hitscribe` command.

#![forbid(unsafe_code)]

mod bounce;
mod debug;
mod diagnose;
mod eval;
mod filter;
mod help;
mod model;
mod models;
mod output;
mod recording;
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
    let outcome = match Cli::parse().command {
        Command::Transcribe(args) => transcribe::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Filter(args) => filter::run(&args),
        Command::Diagnose(args) => diagnose::run(&args),
        Command::Bounce(args) => bounce::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::EvalSet(args) => eval::set::run(&args),
        Command::DebugTensors(args) => debug::tensors::run(&args),
        Command::DebugTokens(args) => debug::tokens::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::report(&error);
            ExitCode::FAILURE
        }
    }
}
