//! Lays out `.clap` and `.vst3` bundles from a built plugin library.
//!
//! A CLAP for Linux or Windows is the library under another name; VST3s and macOS plugins are
//! folders. Licences are written beside them, to `Hitscribe-licences`.

#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Name of the bundles.
pub const NAME: &str = "Hitscribe";
/// Identifier in macOS bundles.
const MACOS_IDENTIFIER: &str = "org.hitscribe.hitscribe";

/// The system that a library was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Linux, with the architecture as in VST3 folder names: `x86_64`, `aarch64`.
    Linux(&'static str),
    /// macOS, with a universal library.
    MacOs,
    /// Windows, with the architecture as in VST3 folder names: `x86_64`, `arm64`.
    Windows(&'static str),
}

impl System {
    /// The system that this program runs on.
    pub fn current() -> Self {
        let is_arm = cfg!(target_arch = "aarch64");
        if cfg!(target_os = "macos") {
            Self::MacOs
        } else if cfg!(target_os = "windows") {
            Self::Windows(if is_arm { "arm64" } else { "x86_64" })
        } else {
            Self::Linux(if is_arm { "aarch64" } else { "x86_64" })
        }
    }

    /// File name of the library that Cargo builds for the package `hitscribe-plugin`.
    pub fn library_name(self) -> &'static str {
        match self {
            Self::Linux(_) => "libhitscribe_plugin.so",
            Self::MacOs => "libhitscribe_plugin.dylib",
            Self::Windows(_) => "hitscribe_plugin.dll",
        }
    }
}

/// Paths of the bundles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundles {
    /// `Hitscribe.clap`, a file or, on macOS, a folder.
    pub clap: PathBuf,
    /// `Hitscribe.vst3`, a folder.
    pub vst3: PathBuf,
}

/// Makes both bundles in `folder` from `library`, which was built for `system`. Existing bundles
/// are replaced.
///
/// # Errors
/// If a file cannot be read or written; the error names it.
pub fn bundle(library: &Path, system: System, version: &str, folder: &Path) -> Result<Bundles> {
    let clap = folder.join(NAME).with_extension("clap");
    let vst3 = folder.join(NAME).with_extension("vst3");
    remove(&clap)?;
    remove(&vst3)?;
    match system {
        System::Linux(arch) => {
            copy(library, &clap)?;
            copy(
                library,
                &vst3.join(format!("Contents/{arch}-linux/{NAME}.so")),
            )?;
        }
        System::Windows(arch) => {
            copy(library, &clap)?;
            copy(
                library,
                &vst3.join(format!("Contents/{arch}-win/{NAME}.vst3")),
            )?;
        }
        System::MacOs => {
            for bundle in [&clap, &vst3] {
                copy(library, &bundle.join("Contents/MacOS").join(NAME))?;
                write(&bundle.join("Contents/PkgInfo"), "BNDL????")?;
                write(&bundle.join("Contents/Info.plist"), &property_list(version))?;
            }
        }
    }
    Ok(Bundles { clap, vst3 })
}

/// Writes texts (file name and content) to the licence folder beside the bundles.
///
/// # Errors
/// If a file cannot be written; the error names it.
pub fn add_licences(folder: &Path, texts: &[(String, String)]) -> Result<PathBuf> {
    let licences = folder.join(format!("{NAME}-licences"));
    remove(&licences)?;
    for (name, text) in texts {
        write(&licences.join(name), text)?;
    }
    Ok(licences)
}

fn property_list(version: &str) -> String {
    let entry =
        |key: &str, value: &str| format!("\t<key>{key}</key>\n\t<string>{value}</string>\n");
    let entries: String = [
        ("CFBundleExecutable", NAME),
        ("CFBundleIdentifier", MACOS_IDENTIFIER),
        ("CFBundleName", NAME),
        ("CFBundlePackageType", "BNDL"),
        ("CFBundleSignature", "????"),
        ("CFBundleShortVersionString", version),
        ("CFBundleVersion", version),
        ("CFBundleInfoDictionaryVersion", "6.0"),
        ("LSMinimumSystemVersion", "11.0"),
    ]
    .map(|(key, value)| entry(key, value))
    .concat();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST \
         1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n\
         <dict>\n{entries}</dict>\n</plist>\n"
    )
}

fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.with_context(|| format!("{}: cannot be replaced", path.display()))
}

fn parent(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be created", folder.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    parent(to)?;
    fs::copy(from, to)
        .with_context(|| format!("{}: cannot be copied to {}", from.display(), to.display()))?;
    Ok(())
}

fn write(to: &Path, text: &str) -> Result<()> {
    parent(to)?;
    fs::write(to, text).with_context(|| format!("{}: cannot be written", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(folder: &Path, root: &Path) -> Vec<String> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                names.extend(listed(&path, root));
            } else {
                names.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
        names.sort();
        names
    }

    fn made(system: System) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("library");
        fs::write(&library, b"code").unwrap();
        let out = folder.path().join("out");
        // Twice: the second replaces the first.
        bundle(&library, system, "1.2.3", &out).unwrap();
        let bundles = bundle(&library, system, "1.2.3", &out).unwrap();
        assert!(bundles.clap.exists() && bundles.vst3.exists());
        listed(&out, &out)
    }

    #[test]
    fn each_system_gets_its_layout() {
        assert_eq!(
            made(System::Linux("x86_64")),
            [
                "Hitscribe.clap",
                "Hitscribe.vst3/Contents/x86_64-linux/Hitscribe.so"
            ]
        );
        assert_eq!(
            made(System::Windows("x86_64")),
            [
                "Hitscribe.clap",
                "Hitscribe.vst3/Contents/x86_64-win/Hitscribe.vst3"
            ]
        );
        assert_eq!(
            made(System::MacOs),
            [
                "Hitscribe.clap/Contents/Info.plist",
                "Hitscribe.clap/Contents/MacOS/Hitscribe",
                "Hitscribe.clap/Contents/PkgInfo",
                "Hitscribe.vst3/Contents/Info.plist",
                "Hitscribe.vst3/Contents/MacOS/Hitscribe",
                "Hitscribe.vst3/Contents/PkgInfo",
            ]
        );
    }

    #[test]
    fn a_missing_library_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("nothing.so");
        let error = bundle(&missing, System::Linux("x86_64"), "1", folder.path()).unwrap_err();
        assert!(error.to_string().contains("nothing.so"), "{error}");
    }
}
