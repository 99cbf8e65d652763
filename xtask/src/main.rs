//! Chores of the developers. `cargo xtask help` lists them.

mod eval;

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
}

fn main() -> Result<()> {
    match Arguments::parse().chore {
        Chore::Eval(arguments) => eval::run(&arguments),
    }
}
