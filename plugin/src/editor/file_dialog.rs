//! A small window to choose a file: the window toolkit has no dialogue.

use std::path::{Path, PathBuf};

use egui::{Key, RichText, ScrollArea, TextEdit, Ui, Window};

use crate::editor::style::palette;
use crate::user_files;

/// Files of a folder that are shown, at most.
const MOST_ENTRIES: usize = 2_000;

/// What is being looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A recording to transcribe.
    Audio,
    /// A note map.
    NoteMap,
}

impl Wanted {
    fn title(self) -> &'static str {
        match self {
            Self::Audio => "Open audio",
            Self::NoteMap => "Open note map",
        }
    }

    fn fits(self, path: &Path) -> bool {
        let known: &[&str] = match self {
            Self::Audio => &["wav", "aif", "aiff", "flac", "mp3", "ogg"],
            Self::NoteMap => &["json"],
        };
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|found| known.iter().any(|known| found.eq_ignore_ascii_case(known)))
    }
}

/// The open window.
pub struct Browser {
    wanted: Wanted,
    folder: PathBuf,
    /// What is typed or pasted.
    text: String,
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    problem: Option<String>,
}

impl Browser {
    /// Opens at a folder, or the nearest one above it that exists.
    pub fn open(wanted: Wanted, folder: &Path) -> Self {
        let exists = folder.ancestors().find(|folder| folder.is_dir());
        let folder = exists.map_or_else(user_files::home, Path::to_owned);
        let mut browser = Self {
            wanted,
            folder: PathBuf::new(),
            text: String::new(),
            folders: Vec::new(),
            files: Vec::new(),
            problem: None,
        };
        browser.enter(&folder);
        browser
    }

    /// What is being looked for.
    pub fn wanted(&self) -> Wanted {
        self.wanted
    }

    fn enter(&mut self, folder: &Path) {
        match std::fs::read_dir(folder) {
            Err(error) => self.problem = Some(format!("{}: {error}", folder.display())),
            Ok(entries) => {
                let is_hidden = |path: &PathBuf| {
                    path.file_name()
                        .is_some_and(|name| name.to_string_lossy().starts_with('.'))
                };
                let mut paths: Vec<PathBuf> = entries
                    .flatten()
                    .map(|entry| entry.path())
                    .filter(|path| !is_hidden(path))
                    .take(MOST_ENTRIES)
                    .collect();
                paths.sort();
                (self.folders, self.files) = paths.into_iter().partition(|path| path.is_dir());
                self.files.retain(|file| self.wanted.fits(file));
                self.folder = folder.to_owned();
                self.text = folder.display().to_string();
                self.problem = None;
            }
        }
    }

    /// Draws the window. Returns a file when one is chosen; `is_open` becomes false when the user is
    /// done.
    pub fn show(&mut self, ui: &Ui, is_open: &mut bool) -> Option<PathBuf> {
        let mut chosen = None;
        Window::new(self.wanted.title())
            .open(is_open)
            .default_pos([260.0, 110.0])
            .default_width(430.0)
            .show(ui.ctx(), |ui| chosen = self.content(ui));
        if chosen.is_some() {
            *is_open = false;
        }
        chosen
    }

    fn content(&mut self, ui: &mut Ui) -> Option<PathBuf> {
        let mut target: Option<PathBuf> = None;
        ui.horizontal(|ui| {
            if ui.button("Up").on_hover_text("The folder above").clicked() {
                target = self.folder.parent().map(Path::to_owned);
            }
            let field = TextEdit::singleline(&mut self.text)
                .desired_width(f32::INFINITY)
                .hint_text("Type or paste a path");
            let response = ui.add(field);
            if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
                target = Some(PathBuf::from(self.text.trim()));
            }
        });
        if let Some(problem) = &self.problem {
            ui.label(RichText::new(problem).color(palette(ui).alarm));
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
                    ui.label(RichText::new("Nothing here that fits").color(palette(ui).faint));
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
        self.problem = Some(format!("{}: there is no such file", target.display()));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_fit_are_listed_and_a_missing_folder_is_left() {
        let folder = std::env::temp_dir().join(format!("hitscribe-browser-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inside")).unwrap();
        for name in ["b.WAV", "a.flac", "map.json", ".hidden.wav"] {
            std::fs::write(folder.join(name), b"").unwrap();
        }
        let audio = Browser::open(Wanted::Audio, &folder.join("gone/further"));
        assert_eq!(audio.folder, folder);
        assert_eq!(audio.files, [folder.join("a.flac"), folder.join("b.WAV")]);
        assert_eq!(audio.folders, [folder.join("inside")]);
        let maps = Browser::open(Wanted::NoteMap, &folder);
        assert_eq!(maps.files, [folder.join("map.json")]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
