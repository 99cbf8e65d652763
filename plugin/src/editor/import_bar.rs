//! Recordings that are opened or dropped, their progress, and the result of the last action.

use std::path::{Path, PathBuf};

use egui::{RichText, Sense, Ui};

use crate::background::import::Recording;
use crate::editor::file_dialog::{FileDialog, FileKind};
use crate::editor::state::EditorState;
use crate::editor::style::palette;
use crate::editor::viewport::Viewport;
use crate::editor::{drums_page, export, import_queue};
use crate::params::HitscribeParams;
use crate::user_files;

/// Runs drags, drops and imports and draws their state.
pub fn import_bar(ui: &mut Ui, params: &HitscribeParams, state: &mut EditorState) {
    accept_drops(ui, state);
    export::finish_drag(state);
    finish_import(params, state);
    messages(ui, state);
    if std::mem::take(&mut state.note_map.is_file_requested) {
        state.import.request = Some(FileKind::NoteMap);
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
            transcribe(Recording::File(path), state);
        }
    }
}

/// Adds a recording to the import queue.
pub fn transcribe(recording: Recording, state: &mut EditorState) {
    if state.import.queue.is_idle() {
        state.message = None;
    }
    state.import.queue.add(recording);
}

/// Advances the import queue and shows the passage of a finished import.
fn finish_import(params: &HitscribeParams, state: &mut EditorState) {
    let take = params.take.take();
    let model = params.model.chosen();
    let queue = &mut state.import.queue;
    match queue.advance(
        take,
        params.live_settings(),
        model,
        *params.import_tempo.lock(),
    ) {
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

/// The folder in which a file dialog opens.
pub fn first_folder(kind: FileKind, state: &EditorState) -> PathBuf {
    match kind {
        FileKind::Audio => state.import.folder.clone().unwrap_or_else(user_files::home),
        FileKind::NoteMap => user_files::map_folder(),
    }
}

/// Opens the editor's own file dialog.
pub fn open_own_dialog(kind: FileKind, state: &mut EditorState) {
    let folder = first_folder(kind, state);
    state.import.dialog = Some(FileDialog::open(kind, &folder));
}

/// Opens a file that the user has selected.
pub fn open_file(kind: FileKind, path: PathBuf, params: &HitscribeParams, state: &mut EditorState) {
    match kind {
        FileKind::Audio => {
            state.import.folder = path.parent().map(Path::to_owned);
            transcribe(Recording::File(path), state);
        }
        FileKind::NoteMap => drums_page::load(&params.note_map, &path, &mut state.note_map),
    }
}

fn show_dialog(ui: &Ui, params: &HitscribeParams, state: &mut EditorState) {
    let Some(mut dialog) = state.import.dialog.take() else {
        return;
    };
    let mut is_open = true;
    let selected = dialog.show(ui, &mut is_open);
    if let Some(path) = selected {
        open_file(dialog.kind(), path, params, state);
    }
    if is_open {
        state.import.dialog = Some(dialog);
    }
}
