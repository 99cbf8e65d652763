//! Writing files so that nobody ever sees half of one.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes a file whole or not at all: into a new file beside it, which then takes its place. What is
/// there and no regular file, such as a pipe, is written to directly.
///
/// # Errors
/// [`Error::Io`] with the path that was asked for.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let io = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    // A link stays a link: what it points to is replaced.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match std::fs::metadata(&target) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(io(std::io::Error::other("is a folder")));
        }
        Ok(metadata) if !metadata.is_file() => return std::fs::write(&target, bytes).map_err(io),
        _ => {}
    }
    let new = beside(&target);
    let written = std::fs::File::create_new(&new)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&new, &target));
    if written.is_err() {
        // Nothing more can be done if this fails too.
        let _ = std::fs::remove_file(&new);
    }
    written.map_err(io)
}

/// A name in the same folder that no other process and no other thread of this one uses.
fn beside(path: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(
        ".{}-{}.new",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_and_replaced_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b.mid");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("a.mid");
        let error = write_atomically(&path, b"x").unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        let error = write_atomically(folder.path(), b"x")
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("is a folder"), "{error}");
    }
}
