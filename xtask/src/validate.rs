//! `cargo xtask validate`: the plugin standards' own validators, where they are installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Times that pluginval is run: its tests with a window are not the same twice.
const PLUGINVAL_RUNS: usize = 10;

/// What the command line says. At least one validator must be named.
#[derive(clap::Args)]
#[group(required = true, multiple = true)]
pub struct Arguments {
    /// clap-validator (github.com/free-audio/clap-validator).
    #[arg(long, value_name = "PATH")]
    clap_validator: Option<PathBuf>,
    /// Steinberg's validator of the VST3 SDK; run as it is and with its extended tests.
    #[arg(long, value_name = "PATH")]
    vst3_validator: Option<PathBuf>,
    /// pluginval, at strictness 10, ten times. Needs a display.
    #[arg(long, value_name = "PATH")]
    pluginval: Option<PathBuf>,
}

/// Runs the validators on the bundles in `target/bundles`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let bundles = crate::bundle::target_folder()?.join("bundles");
    let clap = bundles.join("Hitscribe.clap");
    let vst3 = bundles.join("Hitscribe.vst3");
    if let Some(validator) = &arguments.clap_validator {
        call(validator, &["validate"], &clap)?;
    }
    if let Some(validator) = &arguments.vst3_validator {
        call(validator, &[], &vst3)?;
        call(validator, &["-e"], &vst3)?;
    }
    if let Some(validator) = &arguments.pluginval {
        for _ in 0..PLUGINVAL_RUNS {
            call(
                validator,
                &["--strictness-level", "10", "--validate"],
                &vst3,
            )?;
        }
    }
    Ok(())
}

fn call(program: &Path, arguments: &[&str], bundle: &Path) -> Result<()> {
    ensure!(
        bundle.exists(),
        "{}: run `cargo xtask bundle` first",
        bundle.display()
    );
    let name = program.display();
    let status = Command::new(program)
        .args(arguments)
        .arg(bundle)
        .status()
        .with_context(|| format!("{name}: cannot be run"))?;
    ensure!(status.success(), "{name} {}: {status}", arguments.join(" "));
    Ok(())
}
