//! The audio files that a command is given: files, folders, and standard input.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hitscribe::audio::file;
use tempfile::NamedTempFile;

/// Name of standard input and standard output.
pub const STANDARD: &str = "-";

/// An audio file.
#[derive(Debug)]
pub struct Input {
    /// The file as it was named, or found.
    pub path: PathBuf,
    /// Its path within the folder that was named; empty if it was named itself.
    pub within: PathBuf,
    /// A copy of standard input.
    copy: Option<NamedTempFile>,
}

impl Input {
    fn named(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            within: PathBuf::new(),
            copy: None,
        }
    }

    /// Whether this is a stream that has no folder and can be read once.
    pub fn is_stream(&self) -> bool {
        self.is_standard() || std::fs::metadata(&self.path).is_ok_and(|m| !m.is_file())
    }

    fn is_standard(&self) -> bool {
        self.path == Path::new(STANDARD)
    }

    /// The file to read. A stream is copied to a temporary file first, because a recording may be
    /// read more than once.
    pub fn readable(&mut self) -> Result<&Path> {
        if self.copy.is_none() && self.is_stream() && !self.path.is_dir() {
            let mut copy = NamedTempFile::new().context("temporary file")?;
            let copied = if self.is_standard() {
                std::io::copy(&mut std::io::stdin().lock(), &mut copy)
            } else {
                let mut stream = std::fs::File::open(&self.path)
                    .with_context(|| format!("{}", self.path.display()))?;
                std::io::copy(&mut stream, &mut copy)
            };
            copied.with_context(|| format!("{}", self.path.display()))?;
            self.copy = Some(copy);
        }
        Ok(self.copy.as_ref().map_or(&self.path, |copy| copy.path()))
    }
}

/// Replaces folders by their audio files. What is named twice is there once.
pub fn expand(named: &[PathBuf], recursive: bool) -> Vec<Result<Input>> {
    let mut inputs = Vec::new();
    let mut seen = HashSet::new();
    let mut is_new = |path: &Path| path.canonicalize().map_or(true, |path| seen.insert(path));
    for path in named {
        if !path.is_dir() {
            if is_new(path) {
                inputs.push(Ok(Input::named(path)));
            }
            continue;
        }
        match audio_files(path, recursive) {
            Ok(found) => inputs.extend(found.into_iter().filter(|i| is_new(&i.path)).map(Ok)),
            Err(error) => inputs.push(Err(error)),
        }
    }
    inputs
}

fn audio_files(folder: &Path, recursive: bool) -> Result<Vec<Input>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    let mut has_folders = false;
    while let Some(current) = folders.pop() {
        let shown = || format!("{}", current.display());
        for entry in std::fs::read_dir(&current).with_context(shown)? {
            let entry = entry.with_context(shown)?;
            let path = entry.path();
            // Hidden files, and the companions of files from a Mac.
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // Links to folders could lead back.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                has_folders = true;
                if recursive {
                    folders.push(path);
                }
            } else if is_audio_name(&path) && path.is_file() {
                let within = path.strip_prefix(folder).unwrap_or(&path).to_owned();
                found.push(Input {
                    within,
                    ..Input::named(&path)
                });
            }
        }
    }
    if found.is_empty() {
        let hint = match has_folders && !recursive {
            true => "; --recursive searches the folders in it",
            false => "",
        };
        bail!(
            "{}: no audio files in this folder ({}){hint}",
            folder.display(),
            file::EXTENSIONS.join(", ")
        );
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Whether a path has the extension of an audio file.
pub fn is_audio_name(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    extension.is_some_and(|e| file::EXTENSIONS.contains(&e.to_ascii_lowercase().as_str()))
}
