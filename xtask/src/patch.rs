//! Patches of the plugin framework.
//!
//! We carry small patches (`patches/`, with reasons in its README) instead of copies of the crates.
//! The published sources are copied into the target folder and patched there, and
//! `cargo xtask bundle` builds the plugin with the copies. Plain builds and `cargo test` use
//! the crates as published; `cargo xtask test-bundle` runs the end-to-end tests on the bundle.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// A crate with patches.
struct PatchedCrate {
    name: &'static str,
    version: &'static str,
    /// Files of the crate, each with its patch.
    patches: &'static [(&'static str, &'static str)],
}

/// A patched copy of a crate.
pub struct Patched {
    /// Name of the crate.
    pub name: &'static str,
    /// Folder of the copy.
    pub folder: PathBuf,
}

/// File in a copy that holds its patches: the copy is kept if they have not changed, so that Cargo
/// does not compile it again.
const APPLIED: &str = "applied.patch";

const NICE_PLUG: [(&str, &str); 3] = [
    // A change of the project is reported to the host. A background task borrows the editor's window
    // while the host opens or closes it; the panic ends the host.
    (
        "src/wrapper/vst3/inner.rs",
        include_str!("../../patches/nice-plug-0.4.2-inner.patch"),
    ),
    // The processing mode arrives one call late: the plugin takes live playback after a bounce for
    // offline, and the bounce for live playback.
    (
        "src/wrapper/vst3/wrapper.rs",
        include_str!("../../patches/nice-plug-0.4.2-wrapper.patch"),
    ),
    // A task that outlives its instance ends the worker thread. Dropping the last instance then
    // aborts the process.
    (
        "src/event_loop/background_thread.rs",
        include_str!("../../patches/nice-plug-0.4.2-background-thread.patch"),
    ),
];

const EGUI_BASEVIEW: [(&str, &str); 1] = [
    // Files dropped on the window do not reach egui.
    (
        "src/window.rs",
        include_str!("../../patches/egui-baseview-0.9.0-window.patch"),
    ),
];

const BASEVIEW: [(&str, &str); 1] = [
    // The editor stays black if the host shows it late.
    (
        "src/platform/x11/present.rs",
        include_str!("../../patches/baseview-0.4.2-present.patch"),
    ),
];

const PATCHED_CRATES: [PatchedCrate; 3] = [
    PatchedCrate {
        name: "nice-plug",
        version: "0.4.2",
        patches: &NICE_PLUG,
    },
    PatchedCrate {
        name: "egui-baseview",
        version: "0.9.0",
        patches: &EGUI_BASEVIEW,
    },
    PatchedCrate {
        name: "baseview",
        version: "0.4.2",
        patches: &BASEVIEW,
    },
];

/// Makes the patched copies in the target folder, or keeps those that are up to date.
pub fn patched_crates(target: &Path, metadata: &Value) -> Result<Vec<Patched>> {
    let copy = |one: &PatchedCrate| {
        Ok(Patched {
            name: one.name,
            folder: one.copy(target, metadata)?,
        })
    };
    PATCHED_CRATES.iter().map(copy).collect()
}

impl PatchedCrate {
    fn copy(&self, target: &Path, metadata: &Value) -> Result<PathBuf> {
        let full_name = format!("{}-{}", self.name, self.version);
        let source = self
            .source(metadata)
            .with_context(|| format!("{full_name} is not a dependency of the workspace"))?;
        let copy = target.join("patched").join(full_name);
        let applied: String = self.patches.iter().map(|(_, patch)| *patch).collect();
        let mark = copy.join(APPLIED);
        if fs::read_to_string(&mark).is_ok_and(|before| before == applied) {
            return Ok(copy);
        }
        if copy.exists() {
            fs::remove_dir_all(&copy).with_context(|| copy.display().to_string())?;
        }
        copy_folder(&source, &copy)?;
        for (name, patch) in self.patches {
            apply(&copy.join(name), patch)?;
        }
        fs::write(&mark, applied).with_context(|| mark.display().to_string())?;
        Ok(copy)
    }

    /// The folder of the published source, as Cargo unpacked it.
    fn source(&self, metadata: &Value) -> Option<PathBuf> {
        let packages = metadata["packages"].as_array()?;
        let package = packages
            .iter()
            .find(|p| p["name"] == self.name && p["version"] == self.version)?;
        Some(
            Path::new(package["manifest_path"].as_str()?)
                .parent()?
                .to_owned(),
        )
    }
}

fn apply(file: &Path, patch: &str) -> Result<()> {
    let name = file.display();
    let before = fs::read_to_string(file).with_context(|| format!("{name}"))?;
    let patch = diffy::Patch::from_str(patch).with_context(|| format!("patch of {name}"))?;
    let after = diffy::apply(&before, &patch)
        .with_context(|| format!("{name}: the patch does not fit this version"))?;
    ensure!(after != before, "{name}: the patch changes nothing");
    fs::write(file, after).with_context(|| format!("{name}"))
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
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
    fn the_patches_fit_the_published_crates() {
        let metadata = crate::cargo::metadata().unwrap();
        let target = tempfile::tempdir().unwrap();
        let copies = patched_crates(target.path(), &metadata).unwrap();
        let names: Vec<&str> = copies.iter().map(|copy| copy.name).collect();
        assert_eq!(names, ["nice-plug", "egui-baseview", "baseview"]);
        let inner_path = copies[0].folder.join(NICE_PLUG[0].0);
        let inner = fs::read_to_string(&inner_path).unwrap();
        assert!(!inner.contains("editor_window.borrow()"));
        let window = fs::read_to_string(copies[1].folder.join(EGUI_BASEVIEW[0].0)).unwrap();
        assert!(window.contains("dropped_files.push"));
        // A copy is made anew when its patches change, and kept otherwise.
        fs::write(&inner_path, "kept").unwrap();
        patched_crates(target.path(), &metadata).unwrap();
        assert_eq!(fs::read_to_string(&inner_path).unwrap(), "kept");
        fs::write(copies[0].folder.join(APPLIED), "older patches").unwrap();
        patched_crates(target.path(), &metadata).unwrap();
        assert_eq!(fs::read_to_string(&inner_path).unwrap(), inner);
    }
}
