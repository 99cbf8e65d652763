//! `cargo xtask eval`: scores of the built-in model on the development recordings.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::cargo::{cargo, succeed, workspace_root};

/// Options of `eval`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of the sets [default: ../shared/eval/data beside the repository]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Options of `hitscribe eval-set`, such as --sets or --per-track
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Builds and runs `hitscribe eval-set`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let data = match &arguments.data {
        Some(data) => data.clone(),
        None => workspace_root()?.join("../shared/eval/data"),
    };
    if !data.is_dir() {
        bail!(
            "{}: there are no recordings; name their folder with --data",
            data.display()
        );
    }
    let mut command = cargo()?;
    // Paths in the options are relative to where the user is.
    command
        .current_dir(std::env::current_dir()?)
        .args(["run", "--release", "--quiet", "--package", "hitscribe-cli"])
        .args(["--bin", "hitscribe", "--", "eval-set", "--data"])
        .arg(&data)
        .args(&arguments.options);
    succeed(&mut command, "hitscribe eval-set failed")
}
