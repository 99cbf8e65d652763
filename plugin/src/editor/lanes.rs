//! The waveform, drum lanes, piano roll and velocities of the shown passage, and the pointer's
//! actions in them.

mod accessible;
mod draw;
mod grid;
mod labels;

use std::sync::Arc;

use egui::{CursorIcon, Pos2, Response, Role, Sense, Ui, WidgetInfo};
use hitscribe_core::DrumClass;

use crate::background::preview::Preview;
use crate::editor::editing::{self, DragTo};
use crate::editor::resolved::{Fate, NoteView};
use crate::editor::state::EditorState;
use crate::editor::style::palette;
use crate::editor::view::View;
use crate::params::HitscribeParams;
pub use grid::Folds;
use grid::LaneGrid;

/// Velocity for each pixel that a hit is dragged up.
const VELOCITY_PER_PIXEL: f32 = 2.0;
/// An edge of the selection can be grabbed this many pixels from it.
const EDGE_PIXELS: f32 = 4.0;

/// Draws the lanes into the remaining space, and scrolls, zooms, selects and edits with the pointer.
pub fn lanes(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    preview: &Arc<Preview>,
    state: &mut EditorState,
) {
    let (response, painter) = ui.allocate_painter(ui.available_size(), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, summary(view)));
    let lanes = state.editing.lanes(view);
    let grid = LaneGrid::new(response.rect, view, &lanes, state.shown.folds);
    handle_wheel(ui, &response, &grid, view, state);
    handle_pointer(ui, &response, &grid, params, view, preview, state);
    context_menu(&response, params, view, state);
    draw::draw(&painter, &grid, params, view, state, palette(ui));
    accessible::describe(ui, &grid, params, view, preview, state);
    let hint = response
        .hover_pos()
        .and_then(|at| labels::hint(&grid, params, at));
    if let Some(hint) = hint {
        response.on_hover_text_at_pointer(hint);
    }
}

/// The lanes in words.
fn summary(view: &View) -> String {
    let counts = DrumClass::ALL.into_iter().filter_map(|class| {
        let count = view.class_counts[class.index()];
        (count > 0).then(|| format!("{} {count}", class.label()))
    });
    let counts: Vec<_> = counts.collect();
    format!("Lanes, {} notes: {}", view.shown_notes, counts.join(", "))
}

fn handle_wheel(
    ui: &Ui,
    response: &Response,
    grid: &LaneGrid,
    view: &View,
    state: &mut EditorState,
) {
    let Some(at) = response.hover_pos() else {
        return;
    };
    let length = view.length_seconds;
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
    let icon = if labels::threshold_at(grid, at).is_some() || is_on_edge(grid, state, at) {
        CursorIcon::ResizeHorizontal
    } else if grid.is_on_velocity(at) {
        CursorIcon::ResizeVertical
    } else if grid.class_of_label(at).is_some() || grid.note_at(view, at).is_some() {
        CursorIcon::Grab
    } else {
        return;
    };
    ui.ctx().set_cursor_icon(icon);
}

fn is_on_edge(grid: &LaneGrid, state: &EditorState, at: Pos2) -> bool {
    let selection = state.shown.viewport.selection();
    let is_near = |seconds: f64| (grid.x(seconds) - at.x).abs() <= EDGE_PIXELS;
    grid.is_on_lanes(at)
        && selection.is_some_and(|range| is_near(range.start) || is_near(range.end))
}

fn handle_pointer(
    ui: &Ui,
    response: &Response,
    grid: &LaneGrid,
    params: &HitscribeParams,
    view: &View,
    preview: &Arc<Preview>,
    state: &mut EditorState,
) {
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
        begin_drag(grid, params, view, state, origin, modifiers.alt);
    }
    if response.dragged_by(egui::PointerButton::Primary) {
        if let Some(class) = state.dragged_threshold {
            labels::drag_threshold(grid, params, class, at);
        } else if state.editing.drag.is_some() {
            let to = drag_to(grid, view, state, origin, at, modifiers.alt);
            editing::drag(params, state, to);
        } else if grid.is_on_lanes(origin) {
            let seconds = editing::snapped_seconds(params, view, grid.seconds(at.x), modifiers.alt);
            state.shown.viewport.select_to(seconds);
        }
    }
    if response.drag_stopped() {
        state.dragged_threshold = None;
        editing::end_drag(params, state);
    }
    if response.double_clicked() && grid.note_at(view, at).is_none() {
        if let Some(class) = grid.class_at(at).filter(|_| grid.is_on_lanes(at)) {
            let seconds = grid.seconds(at.x);
            editing::add(params, view, state, class, seconds, modifiers.alt);
        } else {
            labels::double_click(grid, params, state, at);
        }
    } else if response.clicked() {
        labels::click(grid, params, view, preview, state, at);
        click(grid, params, view, state, at, modifiers.command);
    }
}

fn begin_drag(
    grid: &LaneGrid,
    params: &HitscribeParams,
    view: &View,
    state: &mut EditorState,
    origin: Pos2,
    is_free: bool,
) {
    if let Some(note) = grid.velocity_note_at(view, state.shown.class, origin) {
        editing::begin_drag(params, view, state, note);
        return;
    }
    if !grid.is_on_lanes(origin) {
        state.dragged_threshold = labels::threshold_at(grid, origin);
        if state.dragged_threshold.is_none() {
            state.export.dragged_class = grid.class_of_label(origin);
        }
        return;
    }
    let at_seconds = grid.seconds(origin.x);
    if is_on_edge(grid, state, origin) {
        state.shown.viewport.grab_edge(at_seconds);
        return;
    }
    match grid.note_at(view, origin).copied() {
        Some(note) => editing::begin_drag(params, view, state, &note),
        None => {
            state.editing.chosen.clear();
            let seconds = editing::snapped_seconds(params, view, at_seconds, is_free);
            state.shown.viewport.select_from(seconds);
        }
    }
}

/// What a drag from `origin` to `at` does: sideways it moves hits, up and down it changes their
/// velocity, onto another lane their drum.
fn drag_to(
    grid: &LaneGrid,
    view: &View,
    state: &EditorState,
    origin: Pos2,
    at: Pos2,
    is_free: bool,
) -> DragTo {
    if grid.is_on_velocity(origin) {
        let grabbed = state.editing.drag.as_ref().map(|drag| drag.velocity());
        let velocity = grid.velocity_at(at.y);
        return DragTo::Velocity(i32::from(velocity) - i32::from(grabbed.unwrap_or(velocity)));
    }
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

/// A click chooses a hit, accepts a hollow one, or folds lanes.
fn click(
    grid: &LaneGrid,
    params: &HitscribeParams,
    view: &View,
    state: &mut EditorState,
    at: Pos2,
    is_command: bool,
) {
    let folds = &mut state.shown.folds;
    if grid.is_fold(at) {
        folds.shows_unused = !folds.shows_unused;
        return;
    }
    if grid.velocity_fold.contains(at) {
        folds.hides_velocity = grid.velocity.is_some();
        return;
    }
    if !grid.is_on_lanes(at) && !grid.is_on_velocity(at) {
        return;
    }
    let note = grid
        .note_at(view, at)
        .or_else(|| grid.velocity_note_at(view, state.shown.class, at));
    let Some(note) = note.copied() else {
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
    choose_hit(params, view, state, &note);
}

/// Chooses a hit, or accepts it if it is hollow.
fn choose_hit(params: &HitscribeParams, view: &View, state: &mut EditorState, note: &NoteView) {
    state.editing.chosen = [note.id].into();
    if matches!(note.fate, Fate::Candidate | Fate::Deleted) {
        editing::accept(params, view, state, note);
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
