//! Tasks of the developers. `cargo xtask help` lists them.

#![forbid(unsafe_code)]

mod bench;
mod bundle;
mod cargo;
mod daw;
mod dist;
mod eval;
mod gpu_check;
mod licences;
mod patch;
mod python;
mod soak;
mod test_bundle;
mod validate;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Build, test and pack the plugin
///
/// The plugin is bundled with patched copies of two crates of its framework (patches/).
/// `cargo test` uses the crates as published; `test-bundle` tests the bundle end to end.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the plugin and write Hitscribe.clap and Hitscribe.vst3 to target/bundles
    Bundle(bundle::Arguments),
    /// Run the end-to-end tests on the bundle in target/bundles
    TestBundle,
    /// Run the validators of the plugin standards on the bundles
    Validate(validate::Arguments),
    /// Copy the bundles to the user's plugin folders
    Install,
    /// Pack the bundles with licences, presets, manual and checksums
    Dist(dist::DistArguments),
    /// Test the plugin in Ardour 7: record, save, reopen, export
    Daw(daw::Arguments),
    /// Play for hours and report late notes, memory growth and slow blocks
    Soak(soak::Arguments),
    /// Build the Python wheel in target/wheels and test it in a fresh environment
    Python(python::Arguments),
    /// Score the built-in model on the development recordings
    Eval(eval::Arguments),
    /// Test and measure the networks on the first GPU, in software if there is no other
    GpuCheck(gpu_check::Arguments),
    /// Measure the networks of the MT3 family, also in PyTorch
    Bench(bench::Arguments),
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Bundle(arguments) => bundle::run(&arguments),
        Task::TestBundle => test_bundle::run(),
        Task::Validate(arguments) => validate::run(&arguments),
        Task::Install => dist::install(),
        Task::Dist(arguments) => dist::dist(&arguments),
        Task::Daw(arguments) => daw::run(&arguments),
        Task::Soak(arguments) => soak::run(&arguments),
        Task::Python(arguments) => python::run(&arguments),
        Task::Eval(arguments) => eval::run(&arguments),
        Task::GpuCheck(arguments) => gpu_check::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
    }
}
