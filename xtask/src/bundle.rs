//! `cargo xtask bundle`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use hitscribe_bundler::System;
use serde_json::Value;

use crate::cargo::{cargo, metadata, succeed, target_of, workspace_root};
use crate::patch::Patched;
use crate::{licences, patch};

/// Features of the plugin in a bundle for users. `--no-gpu` leaves them out.
const FEATURES: &str = "cuda,gpu,parallel";

/// Options of `bundle`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Cargo profile: `dist` is for users, `release` builds faster
    #[arg(long, default_value = "dist", value_name = "NAME")]
    profile: String,
    /// Leave the GPU backends out: reuses what the tests have built
    #[arg(long, alias = "without-cuda")]
    no_gpu: bool,
    /// Bundle this library instead of building one
    #[arg(long, value_name = "FILE", requires = "system")]
    library: Option<PathBuf>,
    /// System of --library: linux-x86_64, linux-aarch64, macos, windows-x86_64 or windows-arm64
    #[arg(long, value_name = "NAME", value_parser = parse_system)]
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
                "unknown system {text}: use linux-x86_64, linux-aarch64, macos, windows-x86_64 or windows-arm64"
            ));
        }
    })
}

/// Builds and bundles.
pub fn run(arguments: &Arguments) -> Result<()> {
    let root = workspace_root()?;
    let metadata = metadata()?;
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

/// Builds the plugin's library with the patched crates and returns its path.
fn build(root: &Path, target: &Path, metadata: &Value, arguments: &Arguments) -> Result<PathBuf> {
    let patched = patch::patched_crates(target, metadata)?;
    let profile_folder = match arguments.profile.as_str() {
        "dev" => "debug",
        name => name,
    };
    let slot = OutputSlot {
        deps: target.join(profile_folder).join("deps"),
        kept: target.join("patched").join(profile_folder),
    };
    slot.select(Build::Patched)?;
    let built = compile(root, &patched, arguments);
    // Also after a failure: a plain build must not find the patched library.
    slot.select(Build::Plain)?;
    built?;
    let library = slot
        .folder(Build::Patched)
        .join(System::current().library_name());
    ensure!(
        library.exists(),
        "{}: Cargo has not built it",
        library.display()
    );
    Ok(library)
}

fn compile(root: &Path, patched: &[Patched], arguments: &Arguments) -> Result<()> {
    let mut command = cargo()?;
    // The selection of packages and features that the tests share third-party crates with.
    command.args(["build", "--package", "hitscribe-plugin", "--lib"]);
    command.args(["--profile", &arguments.profile]);
    for Patched { name, folder } in patched {
        let path = folder.display().to_string();
        command
            .arg("--config")
            .arg(format!("patch.crates-io.{name}.path={path:?}"));
    }
    if !arguments.no_gpu {
        command.args(["--features", FEATURES]);
    }
    // The patches change the sources in Cargo.lock. They hold for this build only.
    let lock = root.join("Cargo.lock");
    let before = fs::read(&lock).with_context(|| lock.display().to_string())?;
    let built = succeed(&mut command, "the plugin could not be built");
    fs::write(&lock, before).with_context(|| lock.display().to_string())?;
    built
}

/// Which crates the plugin is built with.
#[derive(Clone, Copy, PartialEq)]
enum Build {
    /// As published: `cargo build` and `cargo test`.
    Plain,
    /// With our patches: the bundle.
    Patched,
}

/// The files that Cargo builds the plugin to.
///
/// Both builds have the same file names, because Cargo gives a library for other programs no hash.
/// Cargo does not notice that one build has overwritten the files of the other, and takes them for
/// up to date. So only the files of the build that runs are in place; those of the other one are
/// kept elsewhere. Moving preserves their times, so that neither build is repeated needlessly.
struct OutputSlot {
    deps: PathBuf,
    /// Folder for the files that are not in place, and for the mark.
    kept: PathBuf,
}

impl OutputSlot {
    /// Where the files of a build are kept while those of the other one are in place.
    fn folder(&self, build: Build) -> PathBuf {
        self.kept.join(match build {
            Build::Plain => "plain",
            Build::Patched => "patched",
        })
    }

    /// Puts the files of a build in place and those of the other one aside.
    fn select(&self, build: Build) -> Result<()> {
        // The mark exists while the patched files are in place, also after an interruption.
        let mark = self.kept.join("patched-in-place");
        let current = match mark.exists() {
            true => Build::Patched,
            false => Build::Plain,
        };
        if current == build {
            return Ok(());
        }
        for folder in [&self.deps, &self.folder(current), &self.folder(build)] {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        if build == Build::Patched {
            fs::write(&mark, "").with_context(|| mark.display().to_string())?;
        }
        move_outputs(&self.deps, &self.folder(current))?;
        move_outputs(&self.folder(build), &self.deps)?;
        if build == Build::Plain {
            fs::remove_file(&mark).with_context(|| mark.display().to_string())?;
        }
        Ok(())
    }
}

/// Moves the plugin's files from one folder to another; those that are there already are replaced.
fn move_outputs(from: &Path, to: &Path) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| from.display().to_string())?;
    for entry in entries {
        let name = entry
            .with_context(|| from.display().to_string())?
            .file_name();
        let stem = name.to_string_lossy();
        let stem = stem.split('.').next().unwrap_or_default();
        if stem.trim_start_matches("lib") == "hitscribe_plugin" {
            let (from, to) = (from.join(&name), to.join(&name));
            fs::rename(&from, &to).with_context(|| {
                format!("{}: cannot be moved to {}", from.display(), to.display())
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_build_finds_its_own_library_again() {
        let folder = tempfile::tempdir().unwrap();
        let slot = OutputSlot {
            deps: folder.path().join("deps"),
            kept: folder.path().join("kept"),
        };
        fs::create_dir_all(&slot.deps).unwrap();
        let library = slot.deps.join("libhitscribe_plugin.so");
        let test = slot.deps.join("hitscribe_plugin-0123");
        fs::write(&test, "a test").unwrap();
        let read = || fs::read_to_string(&library).ok();
        // The tests are built first, then the bundle.
        fs::write(&library, "plain 1").unwrap();
        slot.select(Build::Patched).unwrap();
        assert_eq!(read(), None, "Cargo must build the patched library");
        fs::write(&library, "patched 1").unwrap();
        slot.select(Build::Plain).unwrap();
        assert_eq!(read().as_deref(), Some("plain 1"));
        let kept = slot.folder(Build::Patched).join("libhitscribe_plugin.so");
        assert_eq!(fs::read_to_string(kept).unwrap(), "patched 1");
        // Both are built again.
        fs::write(&library, "plain 2").unwrap();
        slot.select(Build::Patched).unwrap();
        assert_eq!(read().as_deref(), Some("patched 1"));
        // The bundle was interrupted and is made again.
        slot.select(Build::Patched).unwrap();
        assert_eq!(read().as_deref(), Some("patched 1"));
        slot.select(Build::Plain).unwrap();
        assert_eq!(read().as_deref(), Some("plain 2"));
        assert!(test.exists());
    }
}
