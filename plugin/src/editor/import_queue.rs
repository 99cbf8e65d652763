//! Recordings that come in, chosen or dropped: transcribed into the take, one after another.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Align2, Color32, FontId, Id, LayerId, Order, Stroke, StrokeKind, Ui};
use hitscribe::ModelChoice;
use hitscribe_live::LiveSettings;
use hitscribe_live::take::Take;
use parking_lot::Mutex;

use crate::background::import::Import;
use crate::editor::style::palette;

/// The recording that is transcribed, and those that wait.
#[derive(Default)]
pub struct Incoming {
    import: Option<Import>,
    waiting: VecDeque<PathBuf>,
}

impl Incoming {
    /// Lets `path` be transcribed after those that wait.
    pub fn add(&mut self, path: PathBuf) {
        self.waiting.push_back(path);
    }

    /// Whether there is nothing to wait for.
    pub fn is_idle(&self) -> bool {
        self.import.is_none() && self.waiting.is_empty()
    }

    /// Begins what is next, as a track of this kind would be heard by the model of the project. When one has ended: the index of
    /// its passage in the take, or what went wrong.
    pub fn advance(
        &mut self,
        take: &Arc<Mutex<Take>>,
        listening: LiveSettings,
        model: Option<ModelChoice>,
    ) -> Option<Result<usize, String>> {
        let outcome = self.import.as_ref().and_then(Import::take_outcome);
        if outcome.is_some() {
            self.import = None;
        }
        if self.import.is_none()
            && let Some(path) = self.waiting.pop_front()
        {
            self.import = Some(Import::start(path, take.clone(), listening, model));
        }
        outcome
    }

    /// How far it is, with a way to end it.
    pub fn show(&mut self, ui: &mut Ui) {
        let Some(import) = &self.import else {
            return;
        };
        let text = match self.waiting.len() {
            0 => "Transcribing".to_owned(),
            waiting => format!("Transcribing, {waiting} wait"),
        };
        let bar = egui::ProgressBar::new(import.progress()).desired_width(160.0);
        ui.add(bar.text(text));
        if ui.button("Cancel").clicked() {
            *self = Self::default();
        }
    }
}

/// Files that were dropped onto the editor since the last frame. While some are held over it, says
/// what a drop will do; `own` is a file that is on its way out of the editor.
pub fn drops(ui: &Ui, own: Option<&Path>) -> Vec<PathBuf> {
    invite(ui, own);
    let path = |file: &egui::DroppedFileHandle| file.path().to_owned();
    ui.input(|input| input.raw.dropped_files.iter().map(path).collect())
}

/// Says over the whole window what will happen while files are held over it.
fn invite(ui: &Ui, own: Option<&Path>) {
    let text = ui.input(|input| {
        let held = &input.raw.hovered_files;
        let is_own = |file: &egui::HoveredFile| {
            own.zip(file.path.as_deref())
                .is_some_and(|(own, held)| is_same(own, held))
        };
        (!held.iter().any(is_own)).then(|| invitation(held))?
    });
    let Some(text) = text else {
        return;
    };
    let colors = palette(ui);
    let area = ui.ctx().content_rect();
    let layer = LayerId::new(Order::Foreground, Id::unique("drop"));
    let painter = ui.ctx().layer_painter(layer);
    let [red, green, blue, _] = colors.background.to_array();
    let veil = Color32::from_rgba_unmultiplied(red, green, blue, 200);
    painter.rect_filled(area, 0.0, veil);
    let edge = Stroke::new(3.0, colors.accent);
    painter.rect_stroke(area.shrink(8.0), 6.0, edge, StrokeKind::Inside);
    let font = FontId::proportional(18.0);
    let galley = painter.layout(text, font, colors.text, area.width() - 60.0);
    let place = Align2::CENTER_CENTER.anchor_size(area.center(), galley.size());
    painter.galley(place.min, galley, colors.text);
}

/// Whether two paths lead to one file: systems tell of a drop with links followed.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let followed = |path: &Path| path.canonicalize().ok();
    one == other || followed(one).is_some_and(|one| followed(other) == Some(one))
}

fn is_midi(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        ["mid", "midi", "smf"]
            .iter()
            .any(|e| extension.eq_ignore_ascii_case(e))
    })
}

/// What a drop of these files would do; none if there are none.
fn invitation(files: &[egui::HoveredFile]) -> Option<String> {
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    match files {
        [] => None,
        [file] => {
            let name = file.path.as_deref().and_then(name);
            let name = name.unwrap_or_else(|| "the recording".to_owned());
            Some(if is_midi(Path::new(&name)) {
                format!("{name} is MIDI already: drop it onto a track of the host")
            } else {
                format!("Drop to transcribe {name} into the take")
            })
        }
        files => Some(format!(
            "Drop to transcribe {} recordings into the take",
            files.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::{Context, HoveredFile, RawInput, Shape};
    use std::time::{Duration, Instant};

    #[derive(Debug)]
    struct File(PathBuf);

    impl egui::DroppedFile for File {
        fn path(&self) -> &Path {
            &self.0
        }

        fn bytes(&self) -> Result<Vec<u8>, String> {
            Err("nobody reads it through the toolkit".to_owned())
        }
    }

    fn held(name: &str) -> HoveredFile {
        HoveredFile {
            path: Some(PathBuf::from("/music").join(name)),
            ..HoveredFile::default()
        }
    }

    /// What [`invite`] writes while these files are held over the window.
    fn invited(hovered_files: Vec<HoveredFile>, own: Option<&Path>) -> Vec<String> {
        let input = RawInput {
            hovered_files,
            ..RawInput::default()
        };
        let output = Context::default().run_ui(input, |ui| invite(ui, own));
        let text = |shape: &egui::epaint::ClippedShape| match &shape.shape {
            Shape::Text(text) => Some(text.galley.text().to_owned()),
            _ => None,
        };
        output.shapes.iter().filter_map(text).collect()
    }

    #[test]
    fn who_holds_files_over_the_window_is_told_what_a_drop_does() {
        assert!(invited(Vec::new(), None).is_empty());
        assert_eq!(
            invited(vec![held("Übung 1.wav")], None),
            ["Drop to transcribe Übung 1.wav into the take"]
        );
        let two = invited(vec![held("kick.wav"), held("snare.wav")], None);
        assert_eq!(two, ["Drop to transcribe 2 recordings into the take"]);
        assert_eq!(
            invited(vec![held("Fill.MID")], None),
            ["Fill.MID is MIDI already: drop it onto a track of the host"]
        );
        // What is being dragged out of the editor has only left it.
        let own = held("out.mid").path;
        assert!(invited(vec![held("out.mid")], own.as_deref()).is_empty());
    }

    #[test]
    fn dropped_files_are_transcribed_in_turn_and_junk_is_named() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let files =
            ["../engine/core/tests/data/ping.aiff", "src/lib.rs"].map(|file| root.join(file));
        let handle = |path: &PathBuf| Arc::new(File(path.clone())) as egui::DroppedFileHandle;
        let input = RawInput {
            dropped_files: files.iter().map(handle).collect(),
            ..RawInput::default()
        };
        let mut found = Vec::new();
        let _ = Context::default().run_ui(input, |ui| found = drops(ui, None));
        assert_eq!(found, files);

        let take = Arc::new(Mutex::new(Take::default()));
        let mut incoming = Incoming::default();
        found.into_iter().for_each(|path| incoming.add(path));
        let (mut outcomes, began) = (Vec::new(), Instant::now());
        while !incoming.is_idle() {
            outcomes.extend(incoming.advance(&take, LiveSettings::default(), None));
            assert!(began.elapsed() < Duration::from_secs(120), "no end");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(outcomes.len(), 2);
        assert_eq!(outcomes[0], Ok(0));
        assert!(matches!(&outcomes[1], Err(problem) if problem.contains("lib.rs")));
        assert_eq!(take.lock().passages.len(), 1);
    }
}
