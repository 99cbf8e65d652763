//! `cargo xtask eval`: scores of the built-in model on the development recordings.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Scores the engine's transcription of the development recordings (outside of the repository).
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of the sets [default: ../shared/eval/data beside the repository]
    #[arg(long)]
    data: Option<std::path::PathBuf>,
    /// What `hitscribe eval-set` understands: --sets, --gain-db, --sample-rate, --sensitivity, --per-track, --json
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Builds the command line tool and lets it do the work, so that this crate links no engine.
pub fn run(arguments: &Arguments) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("no folder above xtask")?;
    let data = arguments
        .data
        .clone()
        .unwrap_or_else(|| root.join("../shared/eval/data"));
    if !data.is_dir() {
        bail!(
            "{}: the recordings are not there; name their folder with --data",
            data.display()
        );
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "run",
            "--release",
            "--quiet",
            "--package",
            "hitscribe-cli",
            "--bin",
            "hitscribe",
            "--",
            "eval-set",
        ])
        .arg("--data")
        .arg(&data)
        .args(&arguments.options)
        .status()
        .context("cargo")?;
    if !status.success() {
        bail!("hitscribe eval-set failed");
    }
    Ok(())
}
