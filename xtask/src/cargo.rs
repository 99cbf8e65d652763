//! Cargo, and what it knows of the workspace.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The Cargo that runs this task, in the folder of the workspace.
pub fn cargo() -> Result<Command> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace_root()?);
    Ok(command)
}

/// Runs Cargo with arguments. `failure` is the error if it does not succeed.
pub fn run<A: AsRef<OsStr>>(arguments: &[A], failure: &str) -> Result<()> {
    succeed(cargo()?.args(arguments), failure)
}

/// Runs a command. `failure` is the error if it does not succeed.
pub fn succeed(command: &mut Command, failure: &str) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .with_context(|| format!("{name}: cannot be started"))?;
    ensure!(status.success(), "{failure} ({name}: {status})");
    Ok(())
}

/// The folder of the workspace.
pub fn workspace_root() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("xtask is not in a workspace")?;
    Ok(root.to_owned())
}

/// The folder that Cargo builds into.
pub fn target_folder() -> Result<PathBuf> {
    target_of(&metadata()?)
}

/// The folder that Cargo builds into, according to its metadata.
pub fn target_of(metadata: &Value) -> Result<PathBuf> {
    let folder = metadata["target_directory"].as_str();
    Ok(PathBuf::from(
        folder.context("cargo metadata has no target folder")?,
    ))
}

/// What `cargo metadata` prints.
pub fn metadata() -> Result<Value> {
    let output = cargo()?
        .args(["metadata", "--format-version", "1"])
        .output()
        .context("cargo metadata cannot be started")?;
    ensure!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")
}
