//! Chores of the developers. `cargo xtask help` lists them.

mod bench;
mod bundle;
mod daw;
mod dist;
mod eval;
mod licences;
mod patch;
mod soak;
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
    /// Records, closes and opens a session with the plugin in Ardour 7, headless.
    Daw(daw::Arguments),
    /// Packs the bundles for users, with licences, presets, manual and checksums.
    Dist(dist::DistArguments),
    /// Copies the bundles to where hosts of this user look for plugins.
    Install,
    /// Plays for hours and says whether notes were late, memory grew or blocks took long.
    Soak(soak::Arguments),
    /// Runs the validators of the plugin standards on the bundles.
    Validate(validate::Arguments),
}

fn main() -> Result<()> {
    match Arguments::parse().chore {
        Chore::Eval(arguments) => eval::run(&arguments),
        Chore::Bench(arguments) => bench::run(&arguments),
        Chore::Bundle(arguments) => bundle::run(&arguments),
        Chore::Daw(arguments) => daw::run(&arguments),
        Chore::Dist(arguments) => dist::dist(&arguments),
        Chore::Install => dist::install(),
        Chore::Soak(arguments) => soak::run(&arguments),
        Chore::Validate(arguments) => validate::run(&arguments),
    }
}
