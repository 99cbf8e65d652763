//! `cargo xtask soak`: an hour of playback by many instances; see `tests/examples/soak.rs`.

use std::process::Command;

use anyhow::Result;

use crate::cargo::{run as run_cargo, succeed, target_folder};

/// Options of `soak`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Instances that play at the same time
    #[arg(long, default_value_t = 8)]
    instances: u32,
    /// Minutes of audio for each instance
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Factor of real time; above 1.3 the plugin takes the host for a renderer
    #[arg(long, default_value_t = 1.2)]
    speed: f64,
    /// Block size in frames, at 48 kHz
    #[arg(long, default_value_t = 128)]
    block: u32,
    /// Open the editor of the first instance; needs an X11 display, such as that of xvfb-run
    #[arg(long)]
    editor: bool,
}

/// Builds and runs the soak test.
pub fn run(arguments: &Arguments) -> Result<()> {
    run_cargo(
        &["build", "--workspace", "--release", "--examples"],
        "the soak test could not be built",
    )?;
    let mut command = Command::new(target_folder()?.join("release/examples/soak"));
    command
        .args(["--instances", &arguments.instances.to_string()])
        .args(["--minutes", &arguments.minutes.to_string()])
        .args(["--speed", &arguments.speed.to_string()])
        .args(["--block", &arguments.block.to_string()])
        .args(arguments.editor.then_some("--editor"));
    succeed(&mut command, "the soak test failed")
}
