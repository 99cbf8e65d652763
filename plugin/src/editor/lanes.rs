//! The waveform, drum lanes and piano roll of the shown passage, and the pointer's actions in them.

mod draw;
mod grid;

use egui::{Pos2, Response, Sense, Ui};
use hitscribe_core::DrumClass;

use crate::editor::editing::{self, DragTo};
use crate::editor::state::EditorState;
use crate::editor::style::palette;
use crate::editor::view::{Fate, NoteView, View};
use crate::params::HitscribeParams;
use grid::LaneGrid;

/// Velocity for each pixel that a hit is dragged up.
const VELOCITY_PER_PIXEL: f32 = 2.0;

/// Draws the lanes into the remaining space, and scrolls, zooms, selects and edits with the pointer.
pub fn lanes(ui: &mut Ui, params: &HitscribeParams, view: &View, state: &mut EditorState) {
    let (response, painter) = ui.allocate_painter(ui.available_size(), Sense::click_and_drag());
    let lanes = state.editing.lanes(view);
    let grid = LaneGrid::new(response.rect, view, &lanes, state.shown.shows_unused);
    handle_pointer(ui, &response, &grid, params, view, state);
    context_menu(&response, params, view, state);
    draw::draw(&painter, &grid, view, state, palette(ui));
}

fn handle_pointer(
    ui: &Ui,
    response: &Response,
    grid: &LaneGrid,
    params: &HitscribeParams,
    view: &View,
    state: &mut EditorState,
) {
    let length = view.length_seconds;
    if let Some(at) = response.hover_pos() {
        let (scrolled, zoomed) = ui.input(|input| (input.smooth_scroll_delta, input.zoom_delta()));
        let viewport = &mut state.shown.viewport;
        if zoomed != 1.0 {
            viewport.zoom(f64::from(zoomed), grid.seconds(at.x), length);
        } else if scrolled != egui::Vec2::ZERO {
            let pixels = if scrolled.x.abs() > scrolled.y.abs() {
                scrolled.x
            } else {
                scrolled.y
            };
            let seconds = f64::from(-pixels / grid.pixels_per_second);
            viewport.scroll(seconds, length);
        }
        let is_grabbable = grid.class_of_label(at).is_some() || grid.note_at(view, at).is_some();
        if is_grabbable {
            ui.ctx().set_cursor_icon(egui::CursorIcon::Grab);
        }
    }
    let Some(at) = response.interact_pointer_pos() else {
        return;
    };
    let origin = ui.input(|input| input.pointer.press_origin()).unwrap_or(at);
    let modifiers = ui.input(|input| input.modifiers);
    if response.secondary_clicked() {
        state.editing.menu = grid.note_at(view, at).copied();
        if let Some(note) = &state.editing.menu
            && !state.editing.chosen.contains(&note.id)
        {
            state.editing.chosen = [note.id].into();
        }
    }
    if response.drag_started_by(egui::PointerButton::Primary) {
        begin_drag(grid, params, view, state, origin);
    }
    if response.dragged_by(egui::PointerButton::Primary) && grid.is_on_lanes(origin) {
        if state.editing.drag.is_some() {
            editing::drag(
                params,
                state,
                drag_to(grid, view, origin, at, modifiers.alt),
            );
        } else {
            state.shown.viewport.select_to(grid.seconds(at.x));
        }
    }
    if response.drag_stopped() {
        editing::end_drag(params, state);
    }
    if response.double_clicked() && grid.note_at(view, at).is_none() {
        if let Some(class) = grid.class_at(at).filter(|_| grid.is_on_lanes(at)) {
            let seconds = grid.seconds(at.x);
            editing::add(params, view, state, class, seconds, modifiers.alt);
        }
    } else if response.clicked() {
        click(grid, params, view, state, at, modifiers.command);
    }
}

fn begin_drag(
    grid: &LaneGrid,
    params: &HitscribeParams,
    view: &View,
    state: &mut EditorState,
    origin: Pos2,
) {
    if !grid.is_on_lanes(origin) {
        state.export.dragged_class = grid.class_of_label(origin);
        return;
    }
    match grid.note_at(view, origin).copied() {
        Some(note) => editing::begin_drag(params, view, state, &note),
        None => {
            state.editing.chosen.clear();
            let seconds = grid.seconds(origin.x);
            state.shown.viewport.select_from(seconds);
        }
    }
}

/// What a drag from `origin` to `at` does: sideways it moves hits, up and down it changes their
/// velocity, onto another lane their drum.
fn drag_to(grid: &LaneGrid, view: &View, origin: Pos2, at: Pos2, is_free: bool) -> DragTo {
    let moved = at - origin;
    let lane = grid
        .class_at(at)
        .filter(|_| grid.note_at(view, origin).is_none_or(|n| n.is_drum));
    let is_same_lane = grid.class_at(origin) == grid.class_at(at);
    if moved.x.abs() >= moved.y.abs() {
        return DragTo::Time {
            seconds: f64::from(moved.x / grid.pixels_per_second),
            is_free,
            class: lane.filter(|_| !is_same_lane),
        };
    }
    match lane {
        Some(class) if !is_same_lane => DragTo::Class(class),
        _ => DragTo::Velocity((-moved.y * VELOCITY_PER_PIXEL).round() as i32),
    }
}

/// A click chooses a hit, accepts a hollow one, or selects a drum by its name.
fn click(
    grid: &LaneGrid,
    params: &HitscribeParams,
    view: &View,
    state: &mut EditorState,
    at: Pos2,
    is_command: bool,
) {
    if grid.is_fold(at) {
        state.shown.shows_unused = !state.shown.shows_unused;
        return;
    }
    if let Some(class) = grid.class_of_label(at) {
        let shown = &mut state.shown;
        shown.class = (shown.class != Some(class)).then_some(class);
        return;
    }
    let Some(note) = grid.note_at(view, at).copied() else {
        state.shown.viewport.deselect();
        state.editing.chosen.clear();
        return;
    };
    if is_command {
        if !state.editing.chosen.remove(&note.id) {
            state.editing.chosen.insert(note.id);
        }
        return;
    }
    state.editing.chosen = [note.id].into();
    if matches!(note.fate, Fate::Candidate | Fate::Deleted) {
        editing::accept(params, view, state, &note);
    }
}

fn context_menu(
    response: &Response,
    params: &HitscribeParams,
    view: &View,
    state: &mut EditorState,
) {
    let Some(note) = state.editing.menu else {
        return;
    };
    response.context_menu(|ui| note_menu(ui, params, view, state, &note));
}

fn note_menu(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    state: &mut EditorState,
    note: &NoteView,
) {
    if matches!(note.fate, Fate::Candidate | Fate::Deleted) {
        if ui.button("Accept").clicked() {
            editing::accept(params, view, state, note);
            ui.close();
        }
    } else if ui.button("Delete").clicked() {
        editing::delete(params, view, state);
        ui.close();
    }
    if note.is_drum {
        ui.menu_button("Drum", |ui| {
            for class in DrumClass::ALL {
                let is_current = note.class == Some(class);
                if ui.selectable_label(is_current, class.label()).clicked() {
                    editing::set_class(params, view, state, class);
                    ui.close();
                }
            }
        });
    }
    let reset = egui::Button::new("Reset to detected");
    if ui.add_enabled(note.is_edited, reset).clicked() {
        editing::reset(params, view, state, false);
        ui.close();
    }
}

#[cfg(test)]
mod tests;
