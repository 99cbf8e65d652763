//! The `hitscribe` command.

mod audio_in;
mod bounce;
mod debug;
mod diagnose;
mod eval;
mod filter;
mod help;
mod model;
mod models;
mod output;
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
        // Our own warnings; what libraries say in passing is for RUST_LOG.
        .filter_level(log::LevelFilter::Off)
        .filter_module("hitscribe", log::LevelFilter::Warn)
        .parse_default_env()
        .format(|out, record| writeln!(out, "hitscribe: {}", one_line(&record.args().to_string())))
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
            report(&error);
            ExitCode::FAILURE
        }
    }
}

/// Says on standard error what went wrong, in one line.
fn report(error: &anyhow::Error) {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Errors of the engine name their cause themselves.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    tell(&text);
}

/// Says something on standard error, in one line.
fn tell(text: &str) {
    eprintln!("hitscribe: {}", one_line(text));
}

/// One line, whatever a file name or a nested error brings in.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}
