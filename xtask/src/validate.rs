//! `cargo xtask validate`: the validators of the plugin standards.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo::{succeed, target_folder};

/// Runs of pluginval: its tests with a window differ from run to run.
const PLUGINVAL_RUNS: usize = 10;

/// Options of `validate`; at least one validator is required.
#[derive(clap::Args)]
#[group(required = true, multiple = true)]
pub struct Arguments {
    /// clap-validator (github.com/free-audio/clap-validator)
    #[arg(long, value_name = "PATH")]
    clap_validator: Option<PathBuf>,
    /// Validator of the VST3 SDK, run with its normal and its extended tests
    #[arg(long, value_name = "PATH")]
    vst3_validator: Option<PathBuf>,
    /// pluginval, run ten times at strictness 10; needs a display
    #[arg(long, value_name = "PATH")]
    pluginval: Option<PathBuf>,
}

/// Runs the validators on the bundles in `target/bundles`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let bundles = target_folder()?.join("bundles");
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
    let failure = format!("{} refuses the bundle", program.display());
    succeed(Command::new(program).args(arguments).arg(bundle), &failure)
}
