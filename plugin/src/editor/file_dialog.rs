//! The editor's own file dialog, for systems without one (`platform::file_dialog`).

use std::path::{Path, PathBuf};

use egui::{Key, RichText, ScrollArea, TextEdit, Ui, Window};

use crate::editor::style::palette;
use crate::user_files;
use hitscribe_core::audio::file::EXTENSIONS;

/// Largest number of entries that are listed.
const MAX_ENTRIES: usize = 2_000;

/// The kind of file to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A recording to transcribe.
    Audio,
    /// A note map.
    NoteMap,
}

impl FileKind {
    /// Title of a dialog.
    pub fn title(self) -> &'static str {
        match self {
            Self::Audio => "Open audio",
            Self::NoteMap => "Open note map",
        }
    }

    /// What such files are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audio => "Audio files",
            Self::NoteMap => "Note maps",
        }
    }

    /// Extensions of such files, in lower case.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Audio => EXTENSIONS,
            Self::NoteMap => &["json"],
        }
    }

    fn none_text(self) -> &'static str {
        match self {
            Self::Audio => "No audio files here",
            Self::NoteMap => "No note maps here",
        }
    }

    fn matches(self, path: &Path) -> bool {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let known = self.extensions().iter();
        extension.is_some_and(|found| {
            known
                .into_iter()
                .any(|known| found.eq_ignore_ascii_case(known))
        })
    }
}

/// The open dialog.
pub struct FileDialog {
    kind: FileKind,
    folder: PathBuf,
    /// Content of the path field.
    text: String,
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    error: Option<String>,
}

impl FileDialog {
    /// Opens the dialog at a folder, or at the nearest existing one above it.
    pub fn open(kind: FileKind, folder: &Path) -> Self {
        let exists = folder.ancestors().find(|folder| folder.is_dir());
        let folder = exists.map_or_else(user_files::home, Path::to_owned);
        let mut dialog = Self {
            kind,
            folder: PathBuf::new(),
            text: String::new(),
            folders: Vec::new(),
            files: Vec::new(),
            error: None,
        };
        dialog.enter(&folder);
        dialog
    }

    /// The kind of file to open.
    pub fn kind(&self) -> FileKind {
        self.kind
    }

    fn enter(&mut self, folder: &Path) {
        match std::fs::read_dir(folder) {
            Err(error) => self.error = Some(format!("{}: {error}", folder.display())),
            Ok(entries) => {
                let is_hidden = |path: &PathBuf| {
                    path.file_name()
                        .is_some_and(|name| name.to_string_lossy().starts_with('.'))
                };
                let mut paths: Vec<PathBuf> = entries
                    .flatten()
                    .map(|entry| entry.path())
                    .filter(|path| !is_hidden(path))
                    .take(MAX_ENTRIES)
                    .collect();
                paths.sort();
                (self.folders, self.files) = paths.into_iter().partition(|path| path.is_dir());
                self.files.retain(|file| self.kind.matches(file));
                self.folder = folder.to_owned();
                self.text = folder.display().to_string();
                self.error = None;
            }
        }
    }

    /// Draws the dialog. Returns the file that the user has selected. `is_open` becomes false when
    /// the dialog is closed.
    pub fn show(&mut self, ui: &Ui, is_open: &mut bool) -> Option<PathBuf> {
        let mut selected = None;
        Window::new(self.kind.title())
            .open(is_open)
            .default_pos([260.0, 110.0])
            .default_width(430.0)
            .show(ui.ctx(), |ui| selected = self.content(ui));
        if selected.is_some() {
            *is_open = false;
        }
        selected
    }

    fn content(&mut self, ui: &mut Ui) -> Option<PathBuf> {
        let mut target: Option<PathBuf> = None;
        ui.horizontal(|ui| {
            if ui.button("Up").on_hover_text("Parent folder").clicked() {
                target = self.folder.parent().map(Path::to_owned);
            }
            let field = TextEdit::singleline(&mut self.text)
                .desired_width(f32::INFINITY)
                .hint_text("Type or paste a path");
            let response = ui.add(field).accessible_name("Path");
            if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
                target = Some(PathBuf::from(self.text.trim()));
            }
        });
        if let Some(error) = &self.error {
            ui.label(RichText::new(error).color(palette(ui).alarm));
        }
        ScrollArea::vertical()
            .max_height(300.0)
            .auto_shrink([false, true])
            .show(ui, |ui| {
                let name = |path: &Path| {
                    let name = path.file_name().unwrap_or_default();
                    name.to_string_lossy().into_owned()
                };
                for folder in &self.folders {
                    let text = RichText::new(format!("{}/", name(folder))).strong();
                    if ui.selectable_label(false, text).clicked() {
                        target = Some(folder.clone());
                    }
                }
                for file in &self.files {
                    if ui.selectable_label(false, name(file)).clicked() {
                        target = Some(file.clone());
                    }
                }
                if self.folders.is_empty() && self.files.is_empty() {
                    ui.label(RichText::new(self.kind.none_text()).color(palette(ui).faint));
                }
            });
        let target = target?;
        if target.is_dir() {
            self.enter(&target);
            return None;
        }
        if target.is_file() {
            return Some(target);
        }
        self.error = Some(format!("{}: file not found", target.display()));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_matching_files_are_listed_and_a_missing_folder_opens_its_parent() {
        let folder = std::env::temp_dir().join(format!("hitscribe-dialog-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inside")).unwrap();
        for name in ["b.WAV", "a.m4a", "map.json", ".hidden.wav"] {
            std::fs::write(folder.join(name), b"").unwrap();
        }
        let audio = FileDialog::open(FileKind::Audio, &folder.join("gone/further"));
        assert_eq!(audio.folder, folder);
        assert_eq!(audio.files, [folder.join("a.m4a"), folder.join("b.WAV")]);
        assert_eq!(audio.folders, [folder.join("inside")]);
        let maps = FileDialog::open(FileKind::NoteMap, &folder);
        assert_eq!(maps.files, [folder.join("map.json")]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
