//! Where the results of inputs are written.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hitscribe_core::atomic_file::check_writable;

use crate::inputs::{Input, STANDARD, is_audio_name};

/// Where a result is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    File(PathBuf),
    StandardOutput,
    /// The file exists and is to be kept.
    Skipped(PathBuf),
}

/// What was asked for.
pub struct Settings<'a> {
    pub output: Option<&'a Path>,
    /// Extension of results, with the dot.
    pub extension: &'a str,
    /// Whether results go to standard output unless a path is given.
    pub to_standard_output: bool,
    pub overwrite: bool,
    pub skip_existing: bool,
}

/// The targets of `inputs`, in their order. `is_single`: one file was named, no folder.
pub fn targets(settings: &Settings<'_>, inputs: &[&Input], is_single: bool) -> Vec<Result<Target>> {
    let named = |is_full: bool| -> Vec<Result<Target>> {
        let target = |input: &&Input| path(settings, input, is_single, is_full);
        inputs.iter().map(target).collect()
    };
    let (short, full) = (named(false), named(true));
    // Of song.wav and song.mp3 the results are song.wav.mid and song.mp3.mid.
    let mut counts: HashMap<&PathBuf, usize> = HashMap::new();
    for target in short.iter().flatten() {
        if let Target::File(path) = target {
            *counts.entry(path).or_default() += 1;
        }
    }
    let is_shared =
        |target: &Result<Target>| matches!(target, Ok(Target::File(path)) if counts[path] > 1);
    let is_shared: Vec<bool> = short.iter().map(is_shared).collect();
    let mut taken: HashMap<PathBuf, &Path> = HashMap::new();
    let chosen = short.into_iter().zip(full).zip(is_shared).zip(inputs);
    chosen
        .map(|(((short, full), is_shared), input)| {
            let target = if is_shared { full? } else { short? };
            let Target::File(path) = &target else {
                return Ok(target);
            };
            if let Some(other) = taken.insert(path.clone(), &input.path) {
                let (input, other) = (input.path.display(), other.display());
                bail!(
                    "{input}: {} is already the output of {other}",
                    path.display()
                );
            }
            checked(settings, path)
        })
        .collect()
}

fn path(settings: &Settings<'_>, input: &Input, is_single: bool, is_full: bool) -> Result<Target> {
    let shown = input.path.display();
    if settings.output == Some(Path::new(STANDARD)) {
        return Ok(Target::StandardOutput);
    }
    let name = || -> Result<OsString> {
        let name = if is_full {
            input.path.file_name()
        } else {
            input.path.file_stem()
        };
        let name = match name {
            _ if input.is_stream() => None,
            name => name,
        };
        let mut name = name.map_or_else(|| OsString::from("audio"), OsString::from);
        name.push(settings.extension);
        Ok(name)
    };
    let Some(output) = settings.output else {
        return Ok(match settings.to_standard_output || input.is_stream() {
            true => Target::StandardOutput,
            false => Target::File(input.path.with_file_name(name()?)),
        });
    };
    let is_folder =
        !is_single || output.is_dir() || output.as_os_str().as_encoded_bytes().ends_with(b"/");
    if !is_folder {
        return Ok(Target::File(output.to_owned()));
    }
    let folder = match input.within.parent() {
        Some(within) => output.join(within),
        None => output.to_owned(),
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("{shown}: {}", folder.display()))?;
    Ok(Target::File(folder.join(name()?)))
}

/// Finds out before minutes of work whether a file may and can be written.
fn checked(settings: &Settings<'_>, path: &Path) -> Result<Target> {
    check(path, settings.overwrite || settings.skip_existing)?;
    if settings.skip_existing && path.is_file() {
        return Ok(Target::Skipped(path.to_owned()));
    }
    Ok(Target::File(path.to_owned()))
}

/// Whether a file that was named may and can be written. `replaces`: an existing one is no error.
pub fn check(path: &Path, replaces: bool) -> Result<()> {
    let shown = path.display();
    if is_audio_name(path) {
        bail!("{shown}: is the name of an audio file: name a MIDI or JSON file");
    }
    check_writable(path)?;
    if !replaces && path.is_file() {
        bail!("{shown}: exists: --overwrite replaces it, --skip-existing keeps it");
    }
    Ok(())
}
