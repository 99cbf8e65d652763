//! `cargo xtask python`: the wheel, and its tests in a fresh environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{succeed, target_folder, workspace_root};

/// What the tests need besides the wheel; those of pandas and pretty_midi are skipped without them.
const TEST_PACKAGES: [&str; 2] = ["matplotlib", "pytest"];

/// Options of `python`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Profile of Cargo: dist is published, release shares what `cargo test` has built
    #[arg(long, default_value = "dist")]
    profile: String,
    /// Test the batches on Ray too, with a worker that is killed; takes minutes
    #[arg(long)]
    batch: bool,
    /// Only build
    #[arg(long)]
    no_test: bool,
    /// Skip all of it, and say why, where Python, its module venv or PyPI is missing
    #[arg(long)]
    if_possible: bool,
}

/// Builds the wheel in `target/wheels` and tests it.
pub fn run(arguments: &Arguments) -> Result<()> {
    let target = target_folder()?;
    let maturin = match prepare(&target) {
        Ok(maturin) => maturin,
        Err(error) if arguments.if_possible => {
            eprintln!("skipped: the Python package: {error:#}");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let wheel = build(&maturin, &target.join("wheels"), &arguments.profile)?;
    eprintln!("{}", wheel.display());
    if arguments.no_test {
        return Ok(());
    }
    let python = environment(&target.join("python/test"))?;
    let mut packages = vec![wheel.display().to_string()];
    if arguments.batch {
        packages[0].push_str("[batch,pandas,pretty-midi]");
    }
    packages.extend(TEST_PACKAGES.map(str::to_owned));
    install(&python, &packages)?;
    let tests = workspace_root()?.join("python/tests");
    let mut files = vec![
        tests.join("test_package.py"),
        tests.join("test_notebook.py"),
    ];
    if arguments.batch {
        files.push(tests.join("batch_cluster.py"));
    }
    let mut command = Command::new(&python);
    command
        .args(["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"])
        .args(files)
        // Not the folder of the sources, where Python would find them instead of the wheel.
        .current_dir(target.join("python"));
    succeed(&mut command, "the tests of the Python package failed")
}

/// Installs maturin; its path.
fn prepare(target: &Path) -> Result<PathBuf> {
    let python = environment(&target.join("python/build"))?;
    install(&python, &["maturin>=1.9,<2".to_owned()])?;
    Ok(python.with_file_name(format!("maturin{}", std::env::consts::EXE_SUFFIX)))
}

/// Creates a fresh environment; the path of its Python.
fn environment(folder: &Path) -> Result<PathBuf> {
    let python = if cfg!(windows) { "python" } else { "python3" };
    let mut command = Command::new(python);
    command.args(["-m", "venv", "--clear"]).arg(folder);
    succeed(
        &mut command,
        "no environment: is the module venv installed?",
    )?;
    let programs = if cfg!(windows) { "Scripts" } else { "bin" };
    let name = format!("python{}", std::env::consts::EXE_SUFFIX);
    Ok(folder.join(programs).join(name))
}

fn install(python: &Path, packages: &[String]) -> Result<()> {
    let mut command = Command::new(python);
    command
        .args(["-m", "pip", "install", "--quiet"])
        .arg("--disable-pip-version-check")
        .args(packages);
    succeed(&mut command, "packages could not be installed")
}

fn build(maturin: &Path, wheels: &Path, profile: &str) -> Result<PathBuf> {
    if wheels.exists() {
        fs::remove_dir_all(wheels).with_context(|| wheels.display().to_string())?;
    }
    let mut command = Command::new(maturin);
    command
        .args(["build", "--locked", "--profile", profile, "--manifest-path"])
        .arg(workspace_root()?.join("python/Cargo.toml"))
        .arg("--out")
        .arg(wheels);
    succeed(&mut command, "the wheel could not be built")?;
    let entries = fs::read_dir(wheels).with_context(|| wheels.display().to_string())?;
    let found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .collect();
    match <[PathBuf; 1]>::try_from(found) {
        Ok([wheel]) => Ok(wheel),
        Err(found) => bail!(
            "{}: {} wheels instead of one",
            wheels.display(),
            found.len()
        ),
    }
}
