//! Recordings that were opened or dropped. They are transcribed into the take one after another.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Align2, Color32, FontId, Id, LayerId, Order, Stroke, StrokeKind, Ui};
use hitscribe::ModelChoice;
use hitscribe_live::LiveSettings;
use hitscribe_live::take::Take;
use parking_lot::Mutex;

use crate::background::import::{Import, Recording};
use crate::editor::style::palette;
use crate::params::choices::ImportTempo;

/// The recording being transcribed and the queued ones.
#[derive(Default)]
pub struct ImportQueue {
    import: Option<Import>,
    queued: VecDeque<Recording>,
}

impl ImportQueue {
    /// Adds a recording to the end of the queue.
    pub fn add(&mut self, recording: Recording) {
        self.queued.push_back(recording);
    }

    /// Whether nothing is being transcribed or queued.
    pub fn is_idle(&self) -> bool {
        self.import.is_none() && self.queued.is_empty()
    }

    /// Starts the next recording when the last one has ended, with the settings, the model and the
    /// choice of tempo of the project. Returns the result of one that has ended: the index of its
    /// passage in the take, or the error.
    pub fn advance(
        &mut self,
        take: &Arc<Mutex<Take>>,
        live_settings: LiveSettings,
        model: Option<ModelChoice>,
        tempo: ImportTempo,
    ) -> Option<Result<usize, String>> {
        let outcome = self.import.as_ref().and_then(Import::take_outcome);
        if outcome.is_some() {
            self.import = None;
        }
        if self.import.is_none()
            && let Some(recording) = self.queued.pop_front()
        {
            let take = take.clone();
            let import = Import::start(recording, take, live_settings, model, tempo);
            self.import = Some(import);
        }
        outcome
    }

    /// Draws the progress and the cancel button.
    pub fn show(&mut self, ui: &mut Ui) {
        let Some(import) = &self.import else {
            return;
        };
        let text = match self.queued.len() {
            0 => "Transcribing".to_owned(),
            queued => format!("Transcribing ({queued} queued)"),
        };
        let bar = egui::ProgressBar::new(import.progress()).desired_width(160.0);
        ui.add(bar.text(text));
        if ui.button("Cancel").clicked() {
            *self = Self::default();
        }
    }
}

/// The files that were dropped on the editor since the last frame. While files are dragged over the
/// editor, shows what a drop will do. `own` is the file that is being dragged out of the editor.
pub fn drops(ui: &Ui, own: Option<&Path>) -> Vec<PathBuf> {
    invite(ui, own);
    let path = |file: &egui::DroppedFileHandle| file.path().to_owned();
    ui.input(|input| input.raw.dropped_files.iter().map(path).collect())
}

/// Shows what a drop will do while files are dragged over the window.
fn invite(ui: &Ui, own: Option<&Path>) {
    let text = ui.input(|input| {
        let dragged = &input.raw.hovered_files;
        let is_own = |file: &egui::HoveredFile| {
            own.zip(file.path.as_deref())
                .is_some_and(|(own, dragged)| is_same(own, dragged))
        };
        (!dragged.iter().any(is_own)).then(|| invitation(dragged))?
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

/// Whether two paths lead to the same file. Systems report dropped files with links resolved.
pub fn is_same(one: &Path, other: &Path) -> bool {
    let resolved = |path: &Path| path.canonicalize().ok();
    one == other || resolved(one).is_some_and(|one| resolved(other) == Some(one))
}

fn is_midi(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        ["mid", "midi", "smf"]
            .iter()
            .any(|e| extension.eq_ignore_ascii_case(e))
    })
}

/// What a drop of these files will do; none without files.
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
                format!("{name} is a MIDI file: drop it on a track in your DAW")
            } else {
                format!("Drop to transcribe {name}")
            })
        }
        files => Some(format!("Drop to transcribe {} recordings", files.len())),
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
            Err("not read through the toolkit".to_owned())
        }
    }

    fn dragged(name: &str) -> HoveredFile {
        HoveredFile {
            path: Some(PathBuf::from("/music").join(name)),
            ..HoveredFile::default()
        }
    }

    /// What [`invite`] shows while these files are dragged over the window.
    fn invited(hovered_files: Vec<HoveredFile>, own: Option<&Path>) -> Vec<String> {
        let input = RawInput {
            hovered_files,
            ..RawInput::default()
        };
        let mut output = Context::default().run_ui(input, |ui| invite(ui, own));
        output.textures_delta.clear();
        let text = |shape: &egui::epaint::ClippedShape| match &shape.shape {
            Shape::Text(text) => Some(text.galley.text().to_owned()),
            _ => None,
        };
        output.shapes.iter().filter_map(text).collect()
    }

    #[test]
    fn dragged_files_show_what_a_drop_will_do() {
        assert!(invited(Vec::new(), None).is_empty());
        assert_eq!(
            invited(vec![dragged("Übung 1.wav")], None),
            ["Drop to transcribe Übung 1.wav"]
        );
        let two = invited(vec![dragged("kick.wav"), dragged("snare.wav")], None);
        assert_eq!(two, ["Drop to transcribe 2 recordings"]);
        assert_eq!(
            invited(vec![dragged("Fill.MID")], None),
            ["Fill.MID is a MIDI file: drop it on a track in your DAW"]
        );
        // A file that is being dragged out of the editor is not an import.
        let own = dragged("out.mid").path;
        assert!(invited(vec![dragged("out.mid")], own.as_deref()).is_empty());
    }

    #[test]
    fn dropped_files_are_transcribed_in_turn_and_errors_name_the_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let files =
            ["../engine/core/tests/data/ping.aiff", "src/lib.rs"].map(|file| root.join(file));
        let handle = |path: &PathBuf| Arc::new(File(path.clone())) as egui::DroppedFileHandle;
        let input = RawInput {
            dropped_files: files.iter().map(handle).collect(),
            ..RawInput::default()
        };
        let mut found = Vec::new();
        let mut output = Context::default().run_ui(input, |ui| found = drops(ui, None));
        output.textures_delta.clear();
        assert_eq!(found, files);

        let take = Arc::new(Mutex::new(Take::default()));
        let mut queue = ImportQueue::default();
        found
            .into_iter()
            .for_each(|path| queue.add(Recording::File(path)));
        let (mut outcomes, began) = (Vec::new(), Instant::now());
        while !queue.is_idle() {
            outcomes.extend(queue.advance(&take, LiveSettings::default(), None, ImportTempo::Host));
            assert!(began.elapsed() < Duration::from_secs(120), "no end");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(outcomes.len(), 2);
        assert_eq!(outcomes[0], Ok(0));
        assert!(matches!(&outcomes[1], Err(problem) if problem.contains("lib.rs")));
        assert_eq!(take.lock().passages.len(), 1);
    }
}
