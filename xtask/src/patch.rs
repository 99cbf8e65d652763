//! Our corrections of the plugin framework, carried as small differences instead of copies of its
//! crates.
//!
//! Copies of the registry's sources are made in the target folder, the differences in
//! `patches` are applied to them, and the bundle is built with them. Plain builds and tests of
//! the workspace use the crates as published.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A crate that is corrected.
struct Corrected {
    name: &'static str,
    version: &'static str,
    /// Files of the crate, and the difference to apply to each.
    patches: &'static [(&'static str, &'static str)],
}

const NICE_PLUG: [(&str, &str); 3] = [
    // Background tasks borrow the editor's window while the host opens or closes it, or from
    // another thread; the panic takes the host with it.
    (
        "src/wrapper/vst3/inner.rs",
        include_str!("../../patches/nice-plug-0.4.2-inner.patch"),
    ),
    // The processing mode is stored one call too late: live playback after a bounce is told that
    // it is offline, and the bounce that it is live.
    (
        "src/wrapper/vst3/wrapper.rs",
        include_str!("../../patches/nice-plug-0.4.2-wrapper.patch"),
    ),
    // A task that outlives its instance ends the worker thread, and the end of the last instance
    // then aborts the process.
    (
        "src/event_loop/background_thread.rs",
        include_str!("../../patches/nice-plug-0.4.2-background-thread.patch"),
    ),
];

const EGUI_BASEVIEW: [(&str, &str); 1] = [
    // Files that are dragged onto the window are told to nobody.
    (
        "src/window.rs",
        include_str!("../../patches/egui-baseview-0.9.0-window.patch"),
    ),
];

const CORRECTED: [Corrected; 2] = [
    Corrected {
        name: "nice-plug",
        version: "0.4.2",
        patches: &NICE_PLUG,
    },
    Corrected {
        name: "egui-baseview",
        version: "0.9.0",
        patches: &EGUI_BASEVIEW,
    },
];

/// Makes the corrected copies: the name of each crate, and the folder of its copy.
pub fn corrected(
    root: &Path,
    target: &Path,
    metadata: &Value,
) -> Result<Vec<(&'static str, PathBuf)>> {
    let copy = |one: &Corrected| Ok((one.name, one.copy(root, target, metadata)?));
    CORRECTED.iter().map(copy).collect()
}

impl Corrected {
    fn copy(&self, root: &Path, target: &Path, metadata: &Value) -> Result<PathBuf> {
        let full_name = format!("{}-{}", self.name, self.version);
        let source = source(metadata, self).with_context(|| {
            let root = root.display();
            format!("{full_name} is not among the dependencies in {root}")
        })?;
        let copy = target.join("patched").join(full_name);
        if copy.exists() {
            fs::remove_dir_all(&copy).with_context(|| format!("{}", copy.display()))?;
        }
        copy_folder(&source, &copy)?;
        for (name, difference) in self.patches {
            apply(&copy.join(name), difference)?;
        }
        Ok(copy)
    }
}

/// The folder of a crate's source, as Cargo unpacked it.
fn source(metadata: &Value, wanted: &Corrected) -> Option<PathBuf> {
    let packages = metadata["packages"].as_array()?;
    let package = packages
        .iter()
        .find(|p| p["name"] == wanted.name && p["version"] == wanted.version)?;
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
    fn our_patches_fit_the_published_crates() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let metadata = crate::bundle::metadata(root).unwrap();
        let target = tempfile::tempdir().unwrap();
        let copies = corrected(root, target.path(), &metadata).unwrap();
        let names: Vec<&str> = copies.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["nice-plug", "egui-baseview"]);
        let inner = fs::read_to_string(copies[0].1.join(NICE_PLUG[0].0)).unwrap();
        assert!(!inner.contains("editor_window.borrow()"));
        let window = fs::read_to_string(copies[1].1.join(EGUI_BASEVIEW[0].0)).unwrap();
        assert!(window.contains("dropped_files.push"));
    }
}
