//! `cargo xtask test-bundle`: the end-to-end tests on the bundle that is shipped.

use anyhow::{Result, ensure};

use crate::cargo::{cargo, succeed, target_folder};

/// Environment variable of the tests in `tests/` that names the bundle.
const BUNDLE_VARIABLE: &str = "HITSCRIBE_BUNDLE";

/// Runs the end-to-end tests on `target/bundles/Hitscribe.clap`.
pub fn run() -> Result<()> {
    let bundle = target_folder()?.join("bundles/Hitscribe.clap");
    ensure!(
        bundle.exists(),
        "{}: run `cargo xtask bundle` first",
        bundle.display()
    );
    let mut command = cargo()?;
    // The whole workspace, so that everything is built as by `cargo test --workspace --release`.
    command
        .args(["test", "--release", "--workspace"])
        .args(["--test", "bundle", "--test", "published"])
        .env(BUNDLE_VARIABLE, &bundle);
    succeed(&mut command, "the end-to-end tests failed on the bundle")
}
