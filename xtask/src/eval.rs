//! `cargo xtask eval`: scores of the built-in model on the development recordings, or with
//! `--robust` on the validation grid.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{cargo, succeed, workspace_root};

/// Options of `eval`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of the sets [default: ../shared/eval/data beside the repository]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Score the validation grid of `hitscribe-train grid`: unheard kits in 18 situations
    #[arg(long)]
    robust: bool,
    /// Folder of the grid [default: target/grid]
    #[arg(long, value_name = "FOLDER", requires = "robust")]
    grid: Option<PathBuf>,
    /// Half of the grid's seeds: tune for decisions, final for published figures
    #[arg(long, default_value = "tune", value_parser = ["tune", "final"], requires = "robust")]
    half: String,
    /// Options of `hitscribe eval-set`, such as --sets; with --robust of `hitscribe transcribe`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Builds and runs `hitscribe eval-set`, or transcribes and scores the grid.
pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.robust {
        return robust(arguments);
    }
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
    let mut command = program("hitscribe-cli", "hitscribe")?;
    command
        .args(["eval-set", "--data"])
        .arg(&data)
        .args(&arguments.options);
    succeed(&mut command, "hitscribe eval-set failed")
}

/// Transcribes every scenario of the grid and scores it.
fn robust(arguments: &Arguments) -> Result<()> {
    let root = workspace_root()?;
    let grid = arguments.grid.clone();
    let grid = grid
        .unwrap_or_else(|| root.join("target/grid"))
        .join(&arguments.half);
    let entries = std::fs::read_dir(&grid).with_context(|| {
        format!(
            "{}: there is no grid; render it with `hitscribe-train grid` (train/README.md) and name its folder \
             with --grid",
            grid.display()
        )
    })?;
    let predictions = root.join("target/grid-transcribed").join(&arguments.half);
    for entry in entries {
        let scenario = entry.with_context(|| grid.display().to_string())?;
        if !scenario.path().is_dir() {
            continue;
        }
        let out = predictions.join(scenario.file_name());
        std::fs::create_dir_all(&out).with_context(|| format!("making {}", out.display()))?;
        let mut command = program("hitscribe-cli", "hitscribe")?;
        command
            .args(["transcribe", "--source", "drums"])
            .arg(scenario.path())
            .arg("--output")
            .arg(&out)
            .args(&arguments.options);
        succeed(&mut command, "hitscribe transcribe failed")?;
    }
    let mut command = program("hitscribe-train", "hitscribe-train")?;
    command.arg("grid-score").arg("--grid").arg(&grid);
    command.arg("--pred").arg(&predictions);
    succeed(&mut command, "hitscribe-train grid-score failed")
}

/// A program of the workspace, built before it runs. Paths in its options are relative to where the
/// user is.
fn program(package: &str, binary: &str) -> Result<Command> {
    let mut command = cargo()?;
    command
        .current_dir(std::env::current_dir()?)
        .args(["run", "--release", "--quiet", "--package", package])
        .args(["--bin", binary, "--"]);
    Ok(command)
}
