//! The bar of actions on the take: export, preview, selection, import, delete.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Button, ComboBox, RichText, Sense, Ui};
use hitscribe_core::DrumClass;
use hitscribe_live::take::Passage;

use crate::background::preview::Preview;
use crate::editor::file_dialog::{FileDialog, FileKind};
use crate::editor::state::{EditorState, Shown};
use crate::editor::style::palette;
use crate::editor::view::{View, start_label};
use crate::editor::viewport::Viewport;
use crate::editor::{editing, export, import_queue, note_map_window, preview_button};
use crate::params::HitscribeParams;
use crate::user_files;

/// Entry of the passage menu that follows the latest passage.
const LATEST: &str = "Latest passage";
/// Entry of the drum menu that selects all drums.
const ALL_DRUMS: &str = "All drums";

/// Draws the bar and runs its actions.
pub fn take_bar(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    preview: &Arc<Preview>,
    state: &mut EditorState,
) {
    accept_drops(ui, state);
    export::finish_drag(state);
    finish_import(params, state);
    ui.horizontal_wrapped(|ui| {
        export::buttons(ui, params, state, view.shown_notes > 0);
        preview_button::show(ui, params, view, preview, state);
        choose_passage(ui, params, &mut state.shown);
        choose_class(ui, &mut state.shown);
        let open = ui.button("Open audio…");
        if open
            .on_hover_text("Transcribes a recording. You can also drop it on the editor.")
            .clicked()
        {
            open_dialog(FileKind::Audio, state);
        }
        ui.separator();
        edit_buttons(ui, params, view, state);
    });
    messages(ui, state);
    if std::mem::take(&mut state.note_map.is_file_requested) {
        open_dialog(FileKind::NoteMap, state);
    }
    show_dialog(ui, params, state);
}

fn accept_drops(ui: &Ui, state: &mut EditorState) {
    let own = state.export.drag.as_ref().map(|(_, file)| file.clone());
    for path in import_queue::drops(ui, own.as_deref()) {
        if own
            .as_ref()
            .is_some_and(|own| import_queue::is_same(own, &path))
        {
            state.export.is_dropped_on_editor = true;
        } else {
            transcribe(path, state);
        }
    }
}

/// Adds a recording to the import queue.
fn transcribe(path: PathBuf, state: &mut EditorState) {
    if state.import.queue.is_idle() {
        state.message = None;
    }
    state.import.queue.add(path);
}

/// Advances the import queue and shows the passage of a finished import.
fn finish_import(params: &HitscribeParams, state: &mut EditorState) {
    let take = params.take.take();
    let model = params.model.chosen();
    let queue = &mut state.import.queue;
    match queue.advance(take, params.live_settings(), model) {
        None => {}
        Some(Ok(index)) => {
            state.has_changed_take = true;
            state.shown.passage = Some(index);
            state.shown.viewport = Viewport::default();
        }
        Some(Err(reason)) => state.message = Some(format!("Not transcribed: {reason}")),
    }
}

fn messages(ui: &mut Ui, state: &mut EditorState) {
    if state.message.is_none() && state.import.queue.is_idle() {
        return;
    }
    ui.horizontal(|ui| {
        state.import.queue.show(ui);
        let Some(message) = state.message.clone() else {
            return;
        };
        let label = ui.label(RichText::new(&message).color(palette(ui).faint).size(11.5));
        let label = label
            .on_hover_text("Click to copy")
            .interact(Sense::click());
        if label.clicked() {
            ui.ctx().copy_text(message);
        }
        if let Some(file) = &state.export.last_file
            && ui.small_button("Show in folder").clicked()
            && let Err(reason) = user_files::reveal(file)
        {
            state.message = Some(reason);
        }
        if ui
            .small_button("Hide")
            .on_hover_text("Hide this message")
            .clicked()
        {
            state.message = None;
        }
    });
}

fn open_dialog(kind: FileKind, state: &mut EditorState) {
    let folder = match kind {
        FileKind::Audio => state.import.folder.clone().unwrap_or_else(user_files::home),
        FileKind::NoteMap => user_files::map_folder(),
    };
    state.import.dialog = Some(FileDialog::open(kind, &folder));
}

fn show_dialog(ui: &Ui, params: &HitscribeParams, state: &mut EditorState) {
    let Some(mut dialog) = state.import.dialog.take() else {
        return;
    };
    let mut is_open = true;
    let selected = dialog.show(ui, &mut is_open);
    if let Some(path) = selected {
        match dialog.kind() {
            FileKind::Audio => {
                state.import.folder = path.parent().map(Path::to_owned);
                transcribe(path, state);
            }
            FileKind::NoteMap => {
                note_map_window::load(&params.note_map, &path, &mut state.note_map);
            }
        }
    }
    if is_open {
        state.import.dialog = Some(dialog);
    }
}

/// Title of a passage: the name of its recording or its bar, the pass of a loop, its notes.
fn passage_title(passages: &[Passage], index: usize, passage: &Passage) -> String {
    let start = passage.name.clone();
    let start = start.unwrap_or_else(|| start_label(passage, 0));
    // The same place again, without anything between, is the next pass of a loop.
    let is_again = |other: &&Passage| {
        passage.was_playing
            && passage.name.is_none()
            && passage.host_start_beats.is_some()
            && other.name.is_none()
            && start_label(other, 0) == start
    };
    let before = passages[..index].iter().rev().take_while(is_again).count();
    let is_looped = before > 0 || passages.get(index + 1).as_ref().is_some_and(is_again);
    let pass = match is_looped {
        true => format!(", pass {}", before + 1),
        false => String::new(),
    };
    let notes = passage.note_count();
    format!("{}: {start}{pass}, {notes} notes", index + 1)
}

fn choose_passage(ui: &mut Ui, params: &HitscribeParams, shown: &mut Shown) {
    let take = params.take.take().lock();
    let title = |index: usize, passage: &Passage| passage_title(&take.passages, index, passage);
    let with_notes = || {
        let passages = take.passages.iter().enumerate();
        passages.filter(|(_, passage)| passage.has_notes())
    };
    let selected = shown.passage.and_then(|index| take.passages.get(index));
    let text = match (shown.passage, selected) {
        (Some(index), Some(passage)) => title(index, passage),
        _ => {
            shown.passage = None;
            LATEST.to_owned()
        }
    };
    let before = shown.passage;
    ComboBox::from_id_salt("passage")
        .selected_text(text)
        .width(140.0)
        .show_ui(ui, |ui| {
            ui.selectable_value(&mut shown.passage, None, LATEST);
            for (index, passage) in with_notes() {
                ui.selectable_value(&mut shown.passage, Some(index), title(index, passage));
            }
        });
    if shown.passage != before {
        shown.viewport = Viewport::default();
    }
}

fn choose_class(ui: &mut Ui, shown: &mut Shown) {
    let text = shown.class.map_or(ALL_DRUMS, DrumClass::label);
    ComboBox::from_id_salt("class")
        .selected_text(text)
        .width(96.0)
        .show_ui(ui, |ui| {
            ui.selectable_value(&mut shown.class, None, ALL_DRUMS);
            for class in DrumClass::ALL {
                ui.selectable_value(&mut shown.class, Some(class), class.label());
            }
        });
}

fn edit_buttons(ui: &mut Ui, params: &HitscribeParams, view: &View, state: &mut EditorState) {
    let (can_undo, can_redo) = state.editing.history.can();
    let undo = ui.add_enabled(can_undo, Button::new("Undo"));
    if undo.on_hover_text("Ctrl + Z").clicked() {
        editing::step(params, state, false);
    }
    let redo = ui.add_enabled(can_redo, Button::new("Redo"));
    if redo.on_hover_text("Ctrl + Shift + Z").clicked() {
        editing::step(params, state, true);
    }
    let reset = ui.add_enabled(view.has_edits, Button::new("Reset edits"));
    let hint = "Shows the passage as it was detected. Can be undone.";
    if reset.on_hover_text(hint).clicked() {
        editing::reset(params, view, state, true);
    }
    let delete = ui.add_enabled(view.has_notes, Button::new("Delete all passages"));
    if delete.on_hover_text("Can be undone").clicked() {
        let deleted = params.take.take().lock().clear();
        state.editing.history.deleted(deleted);
        state.has_changed_take = true;
        state.shown.passage = None;
        state.shown.viewport = Viewport::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_core::note::{Note, PlacedNote};
    use hitscribe_live::MarkedNote;

    #[test]
    fn passages_are_told_apart_by_name_and_by_the_pass_of_a_loop() {
        let played = |beats: f64| {
            let mut passage = Passage::new(48_000.0);
            passage.was_playing = true;
            passage.host_start_beats = Some(beats);
            passage.insert(MarkedNote {
                note: PlacedNote::from_note(&Note::drum(DrumClass::Kick, 0.0, 90, 1.0), 48_000),
                is_leakage: false,
            });
            passage
        };
        let mut opened = played(0.0);
        opened.host_start_beats = None;
        opened.name = Some("Beatles.wav".to_owned());
        let passages = [
            played(0.0),
            played(16.0),
            played(16.0),
            played(16.0),
            opened,
        ];
        let titles: Vec<_> = passages
            .iter()
            .enumerate()
            .map(|(index, passage)| passage_title(&passages, index, passage))
            .collect();
        assert_eq!(
            titles,
            [
                "1: bar 1, 1 notes",
                "2: bar 5, pass 1, 1 notes",
                "3: bar 5, pass 2, 1 notes",
                "4: bar 5, pass 3, 1 notes",
                "5: Beatles.wav, 1 notes",
            ]
        );
    }
}
