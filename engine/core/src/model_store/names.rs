//! Names of stored models and of their files.

use std::path::Path;

use crate::error::{Error, Result};

const MAX_NAME_BYTES: usize = 64;

/// A name that no model can have: it selects a model by the content of a recording.
pub const RESERVED_NAME: &str = "auto";

/// Checks the name of a model, which is also a valid folder name on every system.
pub(super) fn check_name(name: &str) -> Result<()> {
    if name == RESERVED_NAME {
        let reason = "is reserved for choosing a model by content; use another name".to_owned();
        return Err(Error::store(Path::new(name), reason));
    }
    let is_plain =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    let is_edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    if bytes.len() <= MAX_NAME_BYTES
        && bytes.iter().all(|&b| is_plain(b))
        && is_edge(bytes.first())
        && is_edge(bytes.last())
    {
        return Ok(());
    }
    let reason = format!(
        "is not a valid model name; use up to {MAX_NAME_BYTES} of a-z, 0-9, '.', '-' and '_', with a \
         letter or digit at both ends"
    );
    Err(Error::store(Path::new(name), reason))
}

/// A model name derived from a file name. It may be invalid: see [`check_name`].
pub(super) fn name_from(file: &Path) -> String {
    let stem = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    let plain: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(MAX_NAME_BYTES)
        .collect();
    plain.trim_matches('-').to_owned()
}

/// `weights` with the extension of the original file.
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
