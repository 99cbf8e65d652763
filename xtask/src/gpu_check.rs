//! `cargo xtask gpu-check`: the networks and live sessions on a GPU, here or on another computer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cargo::{cargo, succeed, target_folder, workspace_root};
use crate::patch::copy_folder;

/// Options of `gpu-check`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Also through CUDA
    #[arg(long)]
    cuda: bool,
    /// Write programs, data and run.sh to this folder instead, for another computer
    #[arg(long, value_name = "FOLDER")]
    pack: Option<PathBuf>,
    /// Golden files; what needs them is skipped without
    #[arg(long, value_name = "FOLDER", default_value = "../shared/parity")]
    parity: PathBuf,
}

const CRATES: [&str; 3] = ["hitscribe-models", "hitscribe-live", "hitscribe-cli"];
/// Name in the pack, package and target of each program.
const PROGRAMS: [(&str, &str, &str); 5] = [
    ("hitscribe", "cli", "hitscribe"),
    ("test-networks", "engine/models", "all"),
    ("test-family", "engine/models", "hitscribe_models"),
    ("test-live", "engine/live", "hitscribe_live"),
    ("bench", "engine/models", "mt3_family"),
];
/// Runs them. The tests use the first adapter, one at a time: they measure it, and some lose it.
const SCRIPT: &str = r#"#!/usr/bin/env bash
# Tests and measures Hitscribe's networks on the first GPU of this computer. Fails if a test fails.
cd "$(dirname "$0")"
export HITSCRIBE_TEST_DATA=$PWD/data
failed=0
run() { "$@" || { echo "FAILED: $*"; failed=1; }; }
run ./hitscribe devices --explain
for tests in networks family live; do
    run ./test-$tests gpu:: --include-ignored --nocapture --test-threads=1
done
for checkpoint in mt3_pytorch/tiny/mt3.pth yourmt3/tiny/last.ckpt; do
    [ -e data/parity/$checkpoint ] && run ./bench data/parity/$checkpoint
done
exit $failed
"#;

/// Builds the tests, the benchmark and the command with GPU support, and runs or packs them.
pub fn run(arguments: &Arguments) -> Result<()> {
    let folder = match &arguments.pack {
        Some(folder) => folder.clone(),
        None => target_folder()?.join("gpu-check"),
    };
    ensure!(
        arguments.pack.is_none() || !folder.exists(),
        "{}: already exists",
        folder.display()
    );
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(folder.join("data"))?;
    fs::write(folder.join("run.sh"), SCRIPT)?;
    for (name, program) in build(arguments.cuda)? {
        let mut strip = Command::new("strip");
        strip.arg("-o").arg(folder.join(name)).arg(&program);
        succeed(&mut strip, "a program could not be stripped")?;
    }
    let root = workspace_root()?;
    let models = root.join("engine/models/tests/data/mt3_family");
    copy_folder(&models, &folder.join("data/mt3_family"))?;
    let parity = root.join(&arguments.parity);
    if parity.exists() {
        copy_folder(&parity, &folder.join("data/parity"))?;
    }
    let mib = size(&folder)? as f64 / f64::from(1 << 20);
    eprintln!("{}: {mib:.1} MiB", folder.display());
    if arguments.pack.is_some() {
        return Ok(());
    }
    let mut bash = Command::new("bash");
    succeed(
        bash.arg(folder.join("run.sh")),
        "the GPU does not give the notes of the CPU",
    )
}

/// Names and paths of the programs.
fn build(cuda: bool) -> Result<Vec<(&'static str, PathBuf)>> {
    let backends = if cuda { &["gpu", "cuda"][..] } else { &["gpu"] };
    let mut select = vec!["--release".to_owned(), "--features".to_owned()];
    let features = CRATES.iter().flat_map(|name| {
        let of_crate = |backend: &&str| format!("{name}/{backend}");
        backends.iter().map(of_crate).collect::<Vec<_>>()
    });
    select.push(features.collect::<Vec<_>>().join(","));
    // One selection, so that third-party crates are compiled once.
    select.extend(
        CRATES
            .iter()
            .flat_map(|name| ["-p".to_owned(), (*name).to_owned()]),
    );
    let mut built = executables(&["test", "--no-run", "--lib", "--test", "all"], &select)?;
    built.extend(executables(
        &["build", "--bin", "hitscribe", "--bench", "mt3_family"],
        &select,
    )?);
    let find = |(name, package, target): &(&'static str, &str, &str)| {
        let of_target = |e: &&Executable| e.package.ends_with(package) && e.target == *target;
        let found = built.iter().find(of_target);
        let path = found.with_context(|| format!("cargo built no {target} in {package}"))?;
        Ok((*name, path.path.clone()))
    };
    PROGRAMS.iter().map(find).collect()
}

struct Executable {
    /// Folder of the package.
    package: PathBuf,
    target: String,
    path: PathBuf,
}

/// What Cargo builds with these arguments.
fn executables(arguments: &[&str], select: &[String]) -> Result<Vec<Executable>> {
    let output = cargo()?
        .args(arguments)
        .args(select)
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be started")?;
    ensure!(output.status.success(), "the programs could not be built");
    let messages = std::str::from_utf8(&output.stdout)?.lines();
    let messages: Vec<Value> = messages
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let executable = |message: &Value| {
        Some(Executable {
            path: message["executable"].as_str()?.into(),
            target: message["target"]["name"].as_str()?.to_owned(),
            package: Path::new(message["manifest_path"].as_str()?)
                .parent()?
                .to_owned(),
        })
    };
    Ok(messages.iter().filter_map(executable).collect())
}

/// Bytes of all files in a folder.
fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => size(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}
