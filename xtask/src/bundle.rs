//! `cargo xtask bundle`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use hitscribe_bundler::System;
use serde_json::Value;

use crate::{licences, patch};

/// What the command line says.
#[derive(clap::Args)]
pub struct Arguments {
    /// Cargo profile: `dist` is what is shipped, `release` builds faster.
    #[arg(long, default_value = "dist")]
    profile: String,
    /// Leave the CUDA backend out.
    #[arg(long)]
    without_cuda: bool,
    /// Bundle a library that was built elsewhere instead of building one.
    #[arg(long, value_name = "FILE", requires = "system")]
    library: Option<PathBuf>,
    /// The system of `--library`: linux-x86_64, linux-aarch64, macos, windows-x86_64, windows-arm64.
    #[arg(long, value_parser = parse_system)]
    system: Option<System>,
}

/// Reads the name of a system from the command line.
pub fn parse_system(text: &str) -> Result<System, String> {
    Ok(match text {
        "linux-x86_64" => System::Linux("x86_64"),
        "linux-aarch64" => System::Linux("aarch64"),
        "macos" => System::MacOs,
        "windows-x86_64" => System::Windows("x86_64"),
        "windows-arm64" => System::Windows("arm64"),
        _ => {
            return Err(format!(
                "{text} is none of the systems that bundles are made for"
            ));
        }
    })
}

/// Builds and bundles.
pub fn run(arguments: &Arguments) -> Result<()> {
    let root = workspace_root()?;
    let metadata = metadata(&root)?;
    let target = target_of(&metadata)?;
    let system = arguments.system.unwrap_or_else(System::current);
    let library = match &arguments.library {
        Some(library) => library.clone(),
        None => build(&root, &target, &metadata, arguments)?,
    };
    let folder = target.join("bundles");
    let version = env!("CARGO_PKG_VERSION");
    let bundles = hitscribe_bundler::bundle(&library, system, version, &folder)?;
    let texts = licences::collect(&root, &metadata)?;
    let licences = hitscribe_bundler::add_licences(&folder, &texts)?;
    for path in [&bundles.clap, &bundles.vst3, &licences] {
        #[expect(clippy::print_stdout, reason = "the result of the command")]
        {
            println!("{}", path.display());
        }
    }
    Ok(())
}

/// The folder that Cargo builds into.
pub fn target_folder() -> Result<PathBuf> {
    target_of(&metadata(&workspace_root()?)?)
}

fn target_of(metadata: &Value) -> Result<PathBuf> {
    let folder = metadata["target_directory"].as_str();
    Ok(PathBuf::from(
        folder.context("cargo metadata names no target folder")?,
    ))
}

/// The folder of the workspace.
pub fn workspace_root() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("xtask has no workspace")?;
    Ok(root.to_owned())
}

/// The Cargo that runs this chore.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

pub(crate) fn metadata(root: &Path) -> Result<Value> {
    let output = Command::new(cargo())
        .args(["metadata", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("cargo metadata cannot be run")?;
    ensure!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("cargo metadata answers in an unknown way")
}

/// Builds the plugin's library with our corrections of the plugin framework.
fn build(root: &Path, target: &Path, metadata: &Value, arguments: &Arguments) -> Result<PathBuf> {
    let corrected = patch::corrected(root, target, metadata)?;
    let mut command = Command::new(cargo());
    command
        .args([
            "build",
            "--package",
            "hitscribe-plugin",
            "--lib",
            "--profile",
            &arguments.profile,
        ])
        .current_dir(root);
    for (name, copy) in corrected {
        let path = copy.display().to_string();
        command
            .arg("--config")
            .arg(format!("patch.crates-io.{name}.path={path:?}"));
    }
    if arguments.without_cuda {
        command.arg("--no-default-features");
    }
    // The patches change where the lock file says the crates come from. That is this build's
    // business only: the file is put back as it was.
    let lock = root.join("Cargo.lock");
    let before = std::fs::read(&lock).with_context(|| format!("{}", lock.display()))?;
    let status = command.status().context("cargo build cannot be run");
    std::fs::write(&lock, before).with_context(|| format!("{}", lock.display()))?;
    if !status?.success() {
        bail!("the plugin could not be built");
    }
    let folder = if arguments.profile == "dev" {
        "debug"
    } else {
        &arguments.profile
    };
    let library = target.join(folder).join(System::current().library_name());
    ensure!(
        library.exists(),
        "{}: cargo has not made it",
        library.display()
    );
    Ok(library)
}
