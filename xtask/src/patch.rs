//! Our corrections of nice-plug, carried as small differences instead of a copy of the crate.
//!
//! A copy of the registry's source is made in the target folder, the differences in
//! `xtask/patches` are applied to it, and the bundle is built with it. Plain builds and tests of
//! the workspace use the crate as published.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

const CRATE: &str = "nice-plug";
const VERSION: &str = "0.4.2";

/// File of the crate, and the difference to apply to it.
const PATCHES: [(&str, &str); 3] = [
    // Background tasks borrow the editor's window while the host opens or closes it, or from
    // another thread; the panic takes the host with it.
    (
        "src/wrapper/vst3/inner.rs",
        include_str!("../patches/nice-plug-0.4.2-inner.patch"),
    ),
    // The processing mode is stored one call too late: live playback after a bounce is told that
    // it is offline, and the bounce that it is live.
    (
        "src/wrapper/vst3/wrapper.rs",
        include_str!("../patches/nice-plug-0.4.2-wrapper.patch"),
    ),
    // A task that outlives its instance ends the worker thread, and the end of the last instance
    // then aborts the process.
    (
        "src/event_loop/background_thread.rs",
        include_str!("../patches/nice-plug-0.4.2-background-thread.patch"),
    ),
];

/// Makes the corrected copy and returns its folder.
pub fn nice_plug(root: &Path, target: &Path, metadata: &Value) -> Result<PathBuf> {
    let source = source(metadata).with_context(|| {
        format!(
            "{CRATE} {VERSION} is not among the dependencies in {}",
            root.display()
        )
    })?;
    let copy = target.join("patched").join(format!("{CRATE}-{VERSION}"));
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("{}", copy.display()))?;
    }
    copy_folder(&source, &copy)?;
    for (name, difference) in PATCHES {
        apply(&copy.join(name), difference)?;
    }
    Ok(copy)
}

/// The folder of the crate's source, as Cargo unpacked it.
fn source(metadata: &Value) -> Option<PathBuf> {
    let packages = metadata["packages"].as_array()?;
    let package = packages
        .iter()
        .find(|p| p["name"] == CRATE && p["version"] == VERSION)?;
    Some(
        Path::new(package["manifest_path"].as_str()?)
            .parent()?
            .to_owned(),
    )
}

fn apply(file: &Path, difference: &str) -> Result<()> {
    let name = file.display();
    let before = fs::read_to_string(file).with_context(|| format!("{name}"))?;
    let patch = diffy::Patch::from_str(difference).with_context(|| format!("patch of {name}"))?;
    let after = diffy::apply(&before, &patch)
        .with_context(|| format!("{name}: the correction does not fit this version"))?;
    ensure!(after != before, "{name}: the correction changes nothing");
    fs::write(file, after).with_context(|| format!("{name}"))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("{}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("{}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("{}", target.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_applied_and_one_that_does_not_fit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.rs");
        fs::write(&file, "one\ntwo\nthree\n").unwrap();
        let patch = "--- a/a.rs\n+++ b/a.rs\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";
        apply(&file, patch).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one\n2\nthree\n");
        assert!(apply(&file, patch).is_err());
    }

    #[test]
    fn our_patches_fit_the_published_crate() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let metadata = crate::bundle::metadata(root).unwrap();
        let target = tempfile::tempdir().unwrap();
        let copy = nice_plug(root, target.path(), &metadata).unwrap();
        let inner = fs::read_to_string(copy.join(PATCHES[0].0)).unwrap();
        assert!(!inner.contains("editor_window.borrow()"));
    }
}
