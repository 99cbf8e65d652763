//! Where the plugin's files lie: exported takes and the user's note maps.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::notes::note_map::NoteMap;

/// Writes `bytes` as a new file `stem.extension` (or `stem 2.extension`, ...) in `folder`, which is
/// made if it is missing.
///
/// # Errors
/// What the system says, with the path.
pub fn save(folder: &Path, stem: &str, extension: &str, bytes: &[u8]) -> Result<PathBuf, String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for number in 1..10_000 {
        let name = if number == 1 {
            format!("{stem}.{extension}")
        } else {
            format!("{stem} {number}.{extension}")
        };
        let path = folder.join(name);
        match std::fs::File::create_new(&path) {
            Ok(mut file) => {
                file.write_all(bytes)
                    .map_err(|error| failed(&path, error))?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&path, error)),
        }
    }
    Err(format!(
        "{}: holds too many files, move some away",
        folder.display()
    ))
}

/// The home folder of the user.
pub fn home() -> PathBuf {
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
    home.map_or_else(std::env::temp_dir, PathBuf::from)
}

/// Where takes are saved: `Hitscribe` in the user's music folder, or in the home folder.
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
/// One line when there is none.
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
    // Waited for elsewhere, so that it does not stay behind as a dead process.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// Where the user's note maps lie, to be shared by all projects: `note-maps` beside the takes.
pub fn map_folder() -> PathBuf {
    save_folder().join("note-maps")
}

/// The note maps in a folder, by name. A file that is no map is left out.
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
/// One line that names the file and what is wrong with it.
pub fn read_note_map(path: &Path) -> Result<NoteMap, String> {
    /// No map is larger; other files are not worth reading.
    const LARGEST_BYTES: u64 = 1 << 20;
    let failed = |reason: &dyn std::fmt::Display| format!("{}: {reason}", path.display());
    let length = std::fs::metadata(path)
        .map_err(|error| failed(&error))?
        .len();
    if length > LARGEST_BYTES {
        return Err(failed(&"too large for a note map"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    NoteMap::parse(&text).map_err(|error| failed(&format!("no note map: {error}")))
}

/// Saves a note map under its name. One of the same name is replaced.
///
/// # Errors
/// One line that names the file and what is wrong.
pub fn save_note_map(folder: &Path, map: &NoteMap) -> Result<PathBuf, String> {
    let is_plain = |c: char| c.is_alphanumeric() || " -_.()".contains(c);
    let stem: String = map
        .name
        .chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .collect();
    let path = folder.join(format!("{}.json", stem.trim()));
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    std::fs::create_dir_all(folder).map_err(failed)?;
    let text = serde_json::to_string_pretty(map).map_err(|error| error.to_string())?;
    std::fs::write(&path, text + "\n").map_err(failed)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::note_map::{ClassMap, NoteMapField};
    use hitscribe_core::DrumClass;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("hitscribe-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_users_map_is_found_again_and_junk_beside_it_is_not() {
        let folder = folder("maps");
        let field = NoteMapField::default();
        field.set_class(
            DrumClass::Snare,
            ClassMap {
                key: 99,
                ..ClassMap::default()
            },
        );
        let mut map = field.map_now();
        map.name = "Mein Set / 2".to_owned();
        let path = save_note_map(&folder, &map).unwrap();
        assert_eq!(save_note_map(&folder, &map).unwrap(), path);
        std::fs::write(folder.join("junk.json"), "{").unwrap();
        assert_eq!(note_maps(&folder), [map]);
        let error = read_note_map(&folder.join("junk.json")).unwrap_err();
        assert!(error.contains("junk.json: no note map"), "{error}");
        assert!(note_maps(&folder.join("nowhere")).is_empty());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn names_are_never_reused_and_errors_name_the_path() {
        let folder = folder("export");
        let first = save(&folder, "Übung 1", "mid", b"a").unwrap();
        let second = save(&folder, "Übung 1", "mid", b"b").unwrap();
        assert_ne!(first, second);
        assert_eq!(std::fs::read(&first).unwrap(), b"a");
        let error = save(&first, "x", "mid", b"c").unwrap_err();
        assert!(error.contains("Übung 1.mid"), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
