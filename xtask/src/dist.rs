//! `cargo xtask dist` and `cargo xtask install`: the archive for users, and the user's own copy.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use hitscribe_bundler::{NAME, System};
use sha2::{Digest, Sha256};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::bundle::parse_system;
use crate::cargo::{target_folder, workspace_root};

/// Files and folders of the workspace that the archive has besides bundles and licences.
const COMPANIONS: [&str; 5] = [
    "ATTRIBUTION.md",
    "CHANGELOG.md",
    "docs/manual.md",
    "docs/model-card.md",
    "docs/pictures",
];
/// Folder of the presets in the workspace and in the archive.
const PRESETS: &str = "presets";

/// Options of `dist`.
#[derive(clap::Args)]
pub struct DistArguments {
    /// System of the bundles in target/bundles, as in `cargo xtask bundle` [default: this one]
    #[arg(long, value_name = "NAME", value_parser = parse_system)]
    system: Option<System>,
}

/// Packs the bundles with licences, attribution, model card, manual and presets into a zip archive
/// in `target/dist`, and writes the checksums of all archives there.
pub fn dist(arguments: &DistArguments) -> Result<()> {
    let (root, bundles) = (workspace_root()?, made_bundles()?);
    let system = arguments.system.unwrap_or_else(System::current);
    let folder = target_folder()?.join("dist");
    fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    let stem = format!("{NAME}-{}-{}", env!("CARGO_PKG_VERSION"), label(system));
    let archive = folder.join(format!("{stem}.zip"));
    let file = fs::File::create(&archive).with_context(|| format!("{}", archive.display()))?;
    let mut zip = ZipWriter::new(file);
    for entry in ["clap", "vst3"].map(|kind| format!("{NAME}.{kind}")) {
        add(
            &mut zip,
            &bundles.join(&entry),
            &format!("{stem}/{entry}"),
            0o755,
        )?;
    }
    let licences = format!("{NAME}-licences");
    add(
        &mut zip,
        &bundles.join(&licences),
        &format!("{stem}/{licences}"),
        0o644,
    )?;
    for companion in COMPANIONS {
        add(
            &mut zip,
            &root.join(companion),
            &format!("{stem}/{companion}"),
            0o644,
        )?;
    }
    add(
        &mut zip,
        &root.join(PRESETS),
        &format!("{stem}/{PRESETS}"),
        0o644,
    )?;
    zip.finish()
        .with_context(|| format!("{}", archive.display()))?;
    let sums = write_checksums(&folder)?;
    say(&archive);
    say(&sums);
    Ok(())
}

/// Copies the bundles to the user's plugin folders.
pub fn install() -> Result<()> {
    let bundles = made_bundles()?;
    for (kind, folder) in plugin_folders()? {
        let name = format!("{NAME}.{kind}");
        let target = folder.join(&name);
        if target.is_dir() {
            fs::remove_dir_all(&target).with_context(|| format!("{}", target.display()))?;
        }
        copy(&bundles.join(&name), &target)?;
        say(&target);
    }
    Ok(())
}

fn made_bundles() -> Result<PathBuf> {
    let bundles = target_folder()?.join("bundles");
    let is_made = bundles.join(format!("{NAME}.clap")).exists();
    ensure!(
        is_made,
        "{}: run `cargo xtask bundle` first",
        bundles.display()
    );
    Ok(bundles)
}

/// Kind of plugin, and the folder in which hosts look for it.
fn plugin_folders() -> Result<[(&'static str, PathBuf); 2]> {
    let home = |variable: &str| {
        std::env::var_os(variable)
            .map(PathBuf::from)
            .with_context(|| format!("{variable} is not set"))
    };
    Ok(if cfg!(target_os = "windows") {
        let common = home("LOCALAPPDATA")?.join("Programs").join("Common");
        [("clap", common.join("CLAP")), ("vst3", common.join("VST3"))]
    } else if cfg!(target_os = "macos") {
        let plugins = home("HOME")?.join("Library/Audio/Plug-Ins");
        [
            ("clap", plugins.join("CLAP")),
            ("vst3", plugins.join("VST3")),
        ]
    } else {
        let home = home("HOME")?;
        [("clap", home.join(".clap")), ("vst3", home.join(".vst3"))]
    })
}

fn label(system: System) -> String {
    match system {
        System::Linux(arch) => format!("linux-{arch}"),
        System::MacOs => "macos".to_owned(),
        System::Windows(arch) => format!("windows-{arch}"),
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        for entry in sorted(from)? {
            let name = entry.file_name().context("an entry without a name")?;
            copy(&entry, &to.join(name))?;
        }
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    }
    // A new file beside the old one: a host may have the old one loaded.
    let fresh = to.with_extension("new");
    fs::copy(from, &fresh).with_context(|| format!("{}", from.display()))?;
    fs::rename(&fresh, to).with_context(|| format!("{}", to.display()))
}

/// Adds a file or a folder with all that is in it.
fn add(zip: &mut ZipWriter<fs::File>, from: &Path, name: &str, mode: u32) -> Result<()> {
    if from.is_dir() {
        for entry in sorted(from)? {
            let file_name = entry.file_name().context("an entry without a name")?;
            add(
                zip,
                &entry,
                &format!("{name}/{}", file_name.to_string_lossy()),
                mode,
            )?;
        }
        return Ok(());
    }
    if !from.is_file() {
        bail!("{}: is missing; the archive needs it", from.display());
    }
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(mode);
    zip.start_file(name, options)?;
    let bytes = fs::read(from).with_context(|| format!("{}", from.display()))?;
    zip.write_all(&bytes)?;
    Ok(())
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Writes `SHA256SUMS` for the archives in a folder, as `sha256sum -c` reads it.
fn write_checksums(folder: &Path) -> Result<PathBuf> {
    let mut text = String::new();
    for path in sorted(folder)? {
        if path.extension().is_some_and(|extension| extension == "zip") {
            let mut bytes = Vec::new();
            fs::File::open(&path)?.read_to_end(&mut bytes)?;
            let sum: String = Sha256::digest(&bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            text += &format!("{sum}  {name}\n");
        }
    }
    let sums = folder.join("SHA256SUMS");
    fs::write(&sums, text).with_context(|| format!("{}", sums.display()))?;
    Ok(sums)
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn say(path: &Path) {
    println!("{}", path.display());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_packed_and_missing_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let content = folder.path().join("content");
        fs::create_dir_all(content.join("inner")).unwrap();
        fs::write(content.join("inner/a.txt"), "a").unwrap();
        fs::write(content.join("b.txt"), "b").unwrap();
        let archive = folder.path().join("x.zip");
        let mut zip = ZipWriter::new(fs::File::create(&archive).unwrap());
        add(&mut zip, &content, "top", 0o644).unwrap();
        let error = add(&mut zip, &content.join("gone"), "gone", 0o644).unwrap_err();
        assert!(error.to_string().contains("gone"), "{error}");
        zip.finish().unwrap();
        let read = zip::ZipArchive::new(fs::File::open(&archive).unwrap()).unwrap();
        let mut names: Vec<&str> = read.file_names().collect();
        names.sort_unstable();
        assert_eq!(names, ["top/b.txt", "top/inner/a.txt"]);
        let sums = fs::read_to_string(write_checksums(folder.path()).unwrap()).unwrap();
        assert!(
            sums.ends_with("  x.zip\n") && sums.len() == 64 + 8,
            "{sums}"
        );
    }

    #[test]
    fn the_workspace_has_what_the_archive_needs() {
        let root = workspace_root().unwrap();
        for companion in COMPANIONS.into_iter().chain([PRESETS]) {
            assert!(root.join(companion).exists(), "{companion}");
        }
    }

    #[test]
    fn an_installed_file_replaces_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (
            folder.path().join("new.so"),
            folder.path().join("in/Plugin.clap"),
        );
        for content in ["one", "two"] {
            fs::write(&from, content).unwrap();
            copy(&from, &to).unwrap();
            assert_eq!(fs::read_to_string(&to).unwrap(), content);
        }
        assert_eq!(sorted(&folder.path().join("in")).unwrap(), [to]);
    }
}
