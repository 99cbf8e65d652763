//! `cargo xtask bench`: the networks of the MT3 family beside PyTorch.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Encoder per segment and decoder per step of MT3, MR-MT3 and YourMT3, on the CPU and on a GPU if there is one.
#[derive(clap::Args)]
pub struct Arguments {
    /// A Python that has torch: the same networks in PyTorch are measured in turns
    #[arg(long)]
    python: Option<PathBuf>,
    /// Threads on the CPU
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Checkpoints, as published or with other weights
    #[arg(required = true)]
    checkpoints: Vec<PathBuf>,
}

/// Builds the benchmark of the engine and runs it, so that this crate links no engine.
pub fn run(arguments: &Arguments) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // The whole workspace, as elsewhere: other features would build everything anew.
    command
        .args(["bench", "--workspace", "--bench", "mt3_family", "--"])
        .env("RAYON_NUM_THREADS", arguments.threads.to_string());
    if let Some(python) = &arguments.python {
        command.arg("--python").arg(python);
    }
    for checkpoint in &arguments.checkpoints {
        // The benchmark runs in its package's folder.
        let path = checkpoint
            .canonicalize()
            .with_context(|| checkpoint.display().to_string())?;
        command.arg(path);
    }
    if !command.status().context("cargo")?.success() {
        bail!("the benchmark failed");
    }
    Ok(())
}
