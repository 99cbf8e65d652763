//! Chores of the developers. `cargo xtask help` lists them.

mod bench;
mod bundle;
mod eval;
mod licences;
mod patch;
mod validate;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Chores of the developers.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Scores the built-in model on the development recordings.
    Eval(eval::Arguments),
    Bench(bench::Arguments),
    /// Builds the plugin and lays out Hitscribe.clap and Hitscribe.vst3.
    Bundle(bundle::Arguments),
    /// Runs the validators of the plugin standards on the bundles.
    Validate(validate::Arguments),
}

fn main() -> Result<()> {
    match Arguments::parse().chore {
        Chore::Eval(arguments) => eval::run(&arguments),
        Chore::Bench(arguments) => bench::run(&arguments),
        Chore::Bundle(arguments) => bundle::run(&arguments),
        Chore::Validate(arguments) => validate::run(&arguments),
    }
}
