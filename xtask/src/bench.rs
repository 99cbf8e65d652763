//! `cargo xtask bench`: the networks of the MT3 family beside PyTorch.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cargo::{cargo, succeed};

/// Options of `bench`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Python with torch, to measure the networks in PyTorch as well, in turns
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Threads on the CPU
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Checkpoints of MT3, MR-MT3 or YourMT3; their weights do not matter
    #[arg(required = true)]
    checkpoints: Vec<PathBuf>,
}

/// Runs the benchmark of `engine/models`: encoder per segment and decoder per step, on the CPU and
/// on a GPU if there is one.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut command = cargo()?;
    // The whole workspace: with another selection Cargo would choose other features and compile
    // everything again.
    command
        .args(["bench", "--workspace", "--bench", "mt3_family", "--"])
        .env("RAYON_NUM_THREADS", arguments.threads.to_string());
    if let Some(python) = &arguments.python {
        command.arg("--python").arg(python);
    }
    for checkpoint in &arguments.checkpoints {
        // The benchmark runs in the folder of its package.
        let path = checkpoint
            .canonicalize()
            .with_context(|| checkpoint.display().to_string())?;
        command.arg(path);
    }
    succeed(&mut command, "the benchmark failed")
}
