//! The user's files: exported MIDI files, note maps and presets.

use std::path::{Path, PathBuf};

use hitscribe_core::atomic_file::write_atomically;
use hitscribe_core::midi::NoteMap;
use serde::Serialize;

use crate::params::settings::Preset;

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

/// Folder of the user's presets, which all projects share: `presets` in [`save_folder`].
pub fn preset_folder() -> PathBuf {
    save_folder().join("presets")
}

/// The note maps in a folder, sorted by name. Other files are skipped.
pub fn note_maps(folder: &Path) -> Vec<NoteMap> {
    let mut maps = all(folder, read_note_map);
    maps.sort_by(|a, b| a.name.cmp(&b.name));
    maps
}

/// The presets in a folder, sorted by name. Other files are skipped.
pub fn presets(folder: &Path) -> Vec<Preset> {
    let mut presets = all(folder, read_preset);
    presets.sort_by(|a, b| a.name.cmp(&b.name));
    presets
}

/// What `read` makes of the JSON files in a folder.
fn all<T>(folder: &Path, read: impl Fn(&Path) -> Result<T, String>) -> Vec<T> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let is_json = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    };
    paths
        .filter(is_json)
        .filter_map(|path| read(&path).ok())
        .collect()
}

/// Reads a note map.
///
/// # Errors
/// One line with the path and the reason.
pub fn read_note_map(path: &Path) -> Result<NoteMap, String> {
    let failed = |reason: String| format!("{}: not a note map: {reason}", path.display());
    NoteMap::parse(&small_text(path)?).map_err(|error| failed(error.to_string()))
}

/// Reads a preset.
///
/// # Errors
/// One line with the path and the reason.
pub fn read_preset(path: &Path) -> Result<Preset, String> {
    let failed = |reason| format!("{}: not a preset: {reason}", path.display());
    Preset::parse(&small_text(path)?).map_err(failed)
}

fn small_text(path: &Path) -> Result<String, String> {
    /// Larger files are not read.
    const MAX_BYTES: u64 = 1 << 20;
    let failed = |reason: &dyn std::fmt::Display| format!("{}: {reason}", path.display());
    let length = std::fs::metadata(path)
        .map_err(|error| failed(&error))?
        .len();
    if length > MAX_BYTES {
        return Err(failed(&"too large"));
    }
    std::fs::read_to_string(path).map_err(|error| failed(&error))
}

/// Saves a note map under its name. An existing map with this name is replaced atomically.
///
/// # Errors
/// One line with the path and the reason.
pub fn save_note_map(folder: &Path, map: &NoteMap) -> Result<PathBuf, String> {
    save_named(folder, &map.name, map)
}

/// Saves a preset under its name. An existing preset with this name is replaced atomically.
///
/// # Errors
/// One line with the path and the reason.
pub fn save_preset(folder: &Path, preset: &Preset) -> Result<PathBuf, String> {
    save_named(folder, &preset.name, preset)
}

fn save_named(folder: &Path, name: &str, value: &impl Serialize) -> Result<PathBuf, String> {
    let is_plain = |c: char| c.is_alphanumeric() || " -_.()".contains(c);
    let stem: String = name
        .chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .collect();
    let path = folder.join(format!("{}.json", stem.trim()));
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    write_atomically(&path, (text + "\n").as_bytes()).map_err(|error| error.to_string())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::note_map::NoteMapField;
    use crate::params::HitscribeParams;
    use crate::params::settings::Settings;
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
    fn saved_presets_are_listed_and_note_maps_are_none() {
        let folder = folder("presets");
        let settings = Settings::of(&HitscribeParams::default());
        let preset = Preset::new("Live / dry".to_owned(), settings);
        let path = save_preset(&folder, &preset).unwrap();
        assert!(path.ends_with("Live - dry.json"), "{}", path.display());
        assert_eq!(save_preset(&folder, &preset).unwrap(), path);
        let map = save_note_map(&folder, &NoteMapField::default().current()).unwrap();
        std::fs::write(folder.join("junk.json"), "{").unwrap();
        assert_eq!(presets(&folder), [preset]);
        let error = read_preset(&map).unwrap_err();
        assert!(error.contains("not a preset"), "{error}");
        assert!(presets(&folder.join("nowhere")).is_empty());
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
