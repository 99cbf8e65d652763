//! `cargo xtask soak`: an hour of playback by many instances; see `tests/examples/soak.rs`.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::bundle::{cargo, target_folder, workspace_root};

/// What the command line says.
#[derive(clap::Args)]
pub struct Arguments {
    /// Instances that play at once.
    #[arg(long, default_value_t = 8)]
    instances: u32,
    /// Minutes of audio that each of them plays.
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// How much faster than it sounds; above 1.3 the plugin takes the host for a renderer.
    #[arg(long, default_value_t = 1.2)]
    speed: f64,
    /// Frames in a block, at 48 kHz.
    #[arg(long, default_value_t = 128)]
    block: u32,
}

/// Builds and runs it.
pub fn run(arguments: &Arguments) -> Result<()> {
    let status = Command::new(cargo())
        .args(["build", "--workspace", "--release", "--examples"])
        .current_dir(workspace_root()?)
        .status()
        .context("cargo build cannot be run")?;
    ensure!(status.success(), "the soak test could not be built");
    let program = target_folder()?.join("release/examples/soak");
    let status = Command::new(&program)
        .args(["--instances", &arguments.instances.to_string()])
        .args(["--minutes", &arguments.minutes.to_string()])
        .args(["--speed", &arguments.speed.to_string()])
        .args(["--block", &arguments.block.to_string()])
        .status()
        .with_context(|| format!("{}: cannot be run", program.display()))?;
    ensure!(status.success(), "the soak test has failed");
    Ok(())
}
