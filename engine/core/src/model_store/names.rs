//! Names of models.

use std::path::Path;

use crate::error::{Error, Result};

const MAXIMUM_NAME_BYTES: usize = 64;

/// No model can have this name: it stands for one that is chosen by what a recording contains.
pub const RESERVED_NAME: &str = "auto";

/// Whether a model can have this name, which is also the name of its folder on every system.
pub(super) fn check_name(name: &str) -> Result<()> {
    if name == RESERVED_NAME {
        let reason = "stands for a model chosen by content; choose another name".to_owned();
        return Err(Error::store(Path::new(name), reason));
    }
    let is_plain =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    let is_edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    if bytes.len() <= MAXIMUM_NAME_BYTES
        && bytes.iter().all(|&b| is_plain(b))
        && is_edge(bytes.first())
        && is_edge(bytes.last())
    {
        return Ok(());
    }
    let reason = format!(
        "is no name for a model: up to {MAXIMUM_NAME_BYTES} of a-z, 0-9, '.', '-', '_', a letter or digit at both ends"
    );
    Err(Error::store(Path::new(name), reason))
}

/// A name made from a file's name.
pub(super) fn name_from(file: &Path) -> String {
    let stem = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let plain: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(MAXIMUM_NAME_BYTES)
        .collect();
    plain.trim_matches('-').to_owned()
}

/// `weights` with the extension of the original, which tells its format.
pub(super) fn file_name_for(file: &Path) -> String {
    let extension = file
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let is_usable =
        (1..=16).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_usable {
        format!("weights.{extension}")
    } else {
        "weights".to_owned()
    }
}
