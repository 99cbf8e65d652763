//! The user's files: exported MIDI files and note maps.

use std::path::{Path, PathBuf};

use hitscribe_core::atomic_file::write_atomically;

use hitscribe_core::midi::NoteMap;

/// Writes `bytes` to a new file `stem.extension` (or `stem (2).extension`, ...) in `folder`, which is
/// created if necessary. Existing files are never overwritten.
///
/// # Errors
/// One line with the path and the system's error.
pub fn save(folder: &Path, stem: &str, extension: &str, bytes: &[u8]) -> Result<PathBuf, String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for number in 1..10_000 {
        let name = if number == 1 {
            format!("{stem}.{extension}")
        } else {
            format!("{stem} ({number}).{extension}")
        };
        let path = folder.join(name);
        match std::fs::File::create_new(&path) {
            // The name is reserved; the content follows completely or not at all.
            Ok(_) => {
                return match write_atomically(&path, bytes) {
                    Ok(()) => Ok(path),
                    Err(error) => {
                        let _ = std::fs::remove_file(&path);
                        Err(error.to_string())
                    }
                };
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&path, error)),
        }
    }
    Err(format!(
        "{}: too many files with this name, move some away",
        folder.display()
    ))
}

/// The user's home folder.
pub fn home() -> PathBuf {
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
    home.map_or_else(std::env::temp_dir, PathBuf::from)
}

/// Folder for exported files: `Hitscribe` in the user's music folder, or in the home folder.
pub fn save_folder() -> PathBuf {
    let home = home();
    let music = home.join("Music");
    if music.is_dir() {
        music.join("Hitscribe")
    } else {
        home.join("Hitscribe")
    }
}

/// Opens the folder of a file in the system's file manager.
///
/// # Errors
/// One line if the file manager cannot be started.
pub fn reveal(file: &Path) -> Result<(), String> {
    let folder = file.parent().unwrap_or(file);
    let program = if cfg!(target_os = "windows") {
        "explorer"
    } else if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let spawned = std::process::Command::new(program).arg(folder).spawn();
    let mut child = spawned.map_err(|error| format!("{program}: {error}"))?;
    // Reaps the process when it ends.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// Folder of the user's note maps, which all projects share: `note-maps` in [`save_folder`].
pub fn map_folder() -> PathBuf {
    save_folder().join("note-maps")
}

/// The note maps in a folder, sorted by name. Other files are skipped.
pub fn note_maps(folder: &Path) -> Vec<NoteMap> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let is_map = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    };
    let mut maps: Vec<NoteMap> = paths
        .filter(is_map)
        .filter_map(|path| read_note_map(&path).ok())
        .collect();
    maps.sort_by(|a, b| a.name.cmp(&b.name));
    maps
}

/// Reads a note map.
///
/// # Errors
/// One line with the path and the reason.
pub fn read_note_map(path: &Path) -> Result<NoteMap, String> {
    /// Larger files are not read.
    const MAX_BYTES: u64 = 1 << 20;
    let failed = |reason: &dyn std::fmt::Display| format!("{}: {reason}", path.display());
    let length = std::fs::metadata(path)
        .map_err(|error| failed(&error))?
        .len();
    if length > MAX_BYTES {
        return Err(failed(&"too large for a note map"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    NoteMap::parse(&text).map_err(|error| failed(&format!("not a note map: {error}")))
}

/// Saves a note map under its name. An existing map with this name is replaced atomically.
///
/// # Errors
/// One line with the path and the reason.
pub fn save_note_map(folder: &Path, map: &NoteMap) -> Result<PathBuf, String> {
    let is_plain = |c: char| c.is_alphanumeric() || " -_.()".contains(c);
    let stem: String = map
        .name
        .chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .collect();
    let path = folder.join(format!("{}.json", stem.trim()));
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let text = serde_json::to_string_pretty(map).map_err(|error| error.to_string())?;
    write_atomically(&path, (text + "\n").as_bytes()).map_err(|error| error.to_string())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::note_map::NoteMapField;
    use hitscribe_core::DrumClass;
    use hitscribe_core::midi::ClassMap;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("hitscribe-{name}-{}", std::process::id()))
    }

    #[test]
    fn saved_note_maps_are_listed_and_other_files_are_skipped() {
        let folder = folder("maps");
        let field = NoteMapField::default();
        field.set_class(
            DrumClass::Snare,
            ClassMap {
                key: 99,
                ..ClassMap::default()
            },
        );
        let mut map = field.current();
        map.name = "Mein Set / 2".to_owned();
        let path = save_note_map(&folder, &map).unwrap();
        assert_eq!(save_note_map(&folder, &map).unwrap(), path);
        std::fs::write(folder.join("junk.json"), "{").unwrap();
        assert_eq!(note_maps(&folder), [map]);
        let error = read_note_map(&folder.join("junk.json")).unwrap_err();
        assert!(error.contains("junk.json: not a note map"), "{error}");
        assert!(note_maps(&folder.join("nowhere")).is_empty());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn files_are_never_overwritten_and_errors_name_the_path() {
        let folder = folder("export");
        let first = save(&folder, "Übung 1", "mid", b"a").unwrap();
        let second = save(&folder, "Übung 1", "mid", b"b").unwrap();
        // Not "bar 1 2", which reads as bar 12.
        assert!(second.ends_with("Übung 1 (2).mid"), "{}", second.display());
        assert_ne!(first, second);
        assert_eq!(std::fs::read(&first).unwrap(), b"a");
        let error = save(&first, "x", "mid", b"c").unwrap_err();
        assert!(error.contains("Übung 1.mid"), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
