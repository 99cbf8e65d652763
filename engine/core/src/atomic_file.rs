//! Atomic writing of whole files.

use std::io::Write as _;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes a file atomically: other processes see the old file or the complete new one, never a
/// part.
///
/// The bytes go to a temporary file in the same folder, which then replaces `path`. A symbolic link
/// is kept and its target replaced. If `path` is neither a file nor a folder, such as a pipe, it is
/// written directly.
///
/// # Errors
/// [`Error::Io`] with `path`.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes).map_err(|source| Error::io(path, source))
}

/// Checks whether [`write_atomically`] can write to `path`, without changing it.
///
/// # Errors
/// [`Error::Io`] with `path`.
pub fn check_writable(path: &Path) -> Result<()> {
    let check = || -> std::io::Result<()> {
        let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match std::fs::metadata(&target) {
            Ok(metadata) if metadata.is_dir() => Err(std::io::Error::other("is a folder")),
            Ok(metadata) if !metadata.is_file() => Ok(()),
            _ => {
                let folder = folder_of(&target);
                if !folder.is_dir() {
                    let reason = format!("there is no folder {}", folder.display());
                    return Err(std::io::Error::other(reason));
                }
                temporary(".hitscribe-", 0o666)
                    .tempfile_in(folder)
                    .map(|_| ())
            }
        }
    };
    check().map_err(|source| Error::io(path, source))
}

/// The folder of a file. A bare file name has the empty path as its parent.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match std::fs::metadata(&target) {
        Ok(metadata) if metadata.is_dir() => return Err(std::io::Error::other("is a folder")),
        Ok(metadata) if !metadata.is_file() => return std::fs::write(&target, bytes),
        _ => {}
    }
    let mut file = temporary(".hitscribe-", 0o666).tempfile_in(folder_of(&target))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    // If this fails, the temporary file is removed when the error is dropped.
    file.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

/// A builder of temporary files or folders with this prefix and Unix mode, to which the umask
/// applies. Those of the `tempfile` crate are private to the user by default.
pub(crate) fn temporary<'a>(prefix: &'a str, mode: u32) -> tempfile::Builder<'a, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_created_and_replaced_without_leftovers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b.mid");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn new_files_have_the_usual_permissions_and_links_stay_links() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (usual, path) = (folder.path().join("usual"), folder.path().join("new"));
        std::fs::write(&usual, b"").unwrap();
        write_atomically(&path, b"one").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&usual));

        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_atomically(&link, b"two").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
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
