//! `cargo xtask eval`: scores of the built-in model on the development recordings, or with `--robust` on
//! the validation grid.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Scores the engine's transcription of the development recordings (outside of the repository).
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of the sets [default: ../shared/eval/data beside the repository]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Score the validation grid that `hitscribe-train grid` rendered instead: unheard kits in 18 situations
    #[arg(long)]
    robust: bool,
    /// Folder of the grid [default: target/grid]
    #[arg(long, requires = "robust")]
    grid: Option<PathBuf>,
    /// Half of the grid's seeds: tune for decisions, final for figures that are published
    #[arg(long, default_value = "tune", value_parser = ["tune", "final"], requires = "robust")]
    half: String,
    /// What `hitscribe eval-set` (or with --robust `hitscribe transcribe`) understands: --sets, --gain-db, --sample-rate, --sensitivity, --per-track, --json
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Builds the command line tool and lets it do the work, so that this crate links no engine.
pub fn run(arguments: &Arguments) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("no folder above xtask")?;
    if arguments.robust {
        return robust(arguments, root);
    }
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
    let mut command = program("hitscribe-cli", "hitscribe");
    command.arg("eval-set").arg("--data").arg(&data);
    succeed(command.args(&arguments.options))
}

/// Transcribes every scenario of the grid and scores it.
fn robust(arguments: &Arguments, root: &Path) -> Result<()> {
    let grid = arguments.grid.clone();
    let grid = grid
        .unwrap_or_else(|| root.join("target/grid"))
        .join(&arguments.half);
    let entries = std::fs::read_dir(&grid).with_context(|| {
        format!(
            "{}: the grid is not there; render it with `hitscribe-train grid` (train/README.md) and name \
             its folder with --grid",
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
        let mut command = program("hitscribe-cli", "hitscribe");
        command
            .args(["transcribe", "--source", "drums"])
            .arg(scenario.path());
        command.arg("--output").arg(&out);
        succeed(command.args(&arguments.options))?;
    }
    let mut command = program("hitscribe-train", "hitscribe-train");
    command.arg("grid-score").arg("--grid").arg(&grid);
    succeed(command.arg("--pred").arg(&predictions))
}

/// A program of the workspace, built first.
fn program(package: &str, binary: &str) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "run",
        "--release",
        "--quiet",
        "--package",
        package,
        "--bin",
        binary,
        "--",
    ]);
    command
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().context("cargo")?;
    if !status.success() {
        bail!("{:?} failed", command.get_args().nth(6).unwrap_or_default());
    }
    Ok(())
}
