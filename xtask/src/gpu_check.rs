//! `cargo xtask gpu-check`: the networks and live sessions on a GPU.

use anyhow::Result;

use crate::cargo;

/// Runs the tests that use the first adapter, one at a time: they measure it, and some lose it.
pub fn run() -> Result<()> {
    let arguments = [
        &["test", "--release"][..],
        // One selection, so that third-party crates are compiled once.
        &["-p", "hitscribe-models", "-p", "hitscribe-live"],
        &["--features", "hitscribe-models/gpu,hitscribe-live/gpu"],
        &["--lib", "--test", "all", "gpu::"],
        &["--", "--nocapture", "--test-threads", "1"],
    ];
    cargo::run(
        &arguments.concat(),
        "the GPU does not give the notes of the CPU",
    )
}
