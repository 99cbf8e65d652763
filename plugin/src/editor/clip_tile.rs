//! The clip to drag: a miniature of the notes that a drop will write.

use egui::{
    Align2, CornerRadius, CursorIcon, FontId, Pos2, Rect, Role, Sense, Ui, WidgetInfo, vec2,
};

use crate::editor::export;
use crate::editor::resolved::{Fate, NoteView};
use crate::editor::state::EditorState;
use crate::editor::style::palette;
use crate::editor::view::View;
use crate::params::HitscribeParams;

/// Size of the tile in points.
const SIZE: [f32; 2] = [160.0, 52.0];
/// Height of its text.
const TEXT_HEIGHT: f32 = 17.0;

/// Draws the tile and starts drags, also those of one drum out of the lanes.
pub fn show(ui: &mut Ui, params: &HitscribeParams, view: &View, state: &mut EditorState) {
    let (text, notes) = match state.shown.viewport.selection() {
        Some(_) => ("Drag selection", "the selected notes"),
        None => ("Drag MIDI", "the notes of the take"),
    };
    let has_notes = view.shown_notes > 0;
    let sense = match has_notes {
        true => Sense::click_and_drag(),
        false => Sense::hover(),
    };
    let (response, painter) = ui.allocate_painter(SIZE.into(), sense);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, has_notes, text));
    let response = response.on_hover_text(format!("Drag {notes} onto a track as a MIDI file"));
    let response = match has_notes {
        true => response.on_hover_cursor(CursorIcon::Grab),
        false => response,
    };
    if response.drag_started() {
        export::start_drag(params, state, state.shown.class);
    }
    if let Some(class) = state.export.dragged_class.take() {
        export::start_drag(params, state, Some(class));
    }
    if response.clicked() {
        state.message = Some("Press and drag onto a track".to_owned());
    }

    let colors = palette(ui);
    let area = response.rect;
    let (fill, ink) = match has_notes {
        true => (colors.accent, colors.background),
        false => (colors.button, colors.faint),
    };
    painter.rect_filled(area, CornerRadius::same(5), fill);
    let title = Pos2::new(area.left() + 8.0, area.top() + TEXT_HEIGHT / 2.0 + 1.0);
    let font = FontId::proportional(12.5);
    painter.text(title, Align2::LEFT_CENTER, text, font, ink);
    let inside = Rect::from_min_max(
        Pos2::new(area.left() + 8.0, area.top() + TEXT_HEIGHT),
        Pos2::new(area.right() - 8.0, area.bottom() - 4.0),
    );
    let is_in = |note: &&NoteView| {
        let range = state.shown.viewport.selection();
        note.fate == Fate::Sent
            && range.is_none_or(|range| range.contains(&note.at_seconds))
            && state
                .shown
                .class
                .is_none_or(|class| note.class == Some(class))
    };
    let span = state.shown.viewport.selection();
    let span = span.unwrap_or(0.0..view.length_seconds.max(0.01));
    let mut last = [i64::MIN; 128];
    for note in view.all_notes.iter().filter(is_in) {
        let share = (note.at_seconds - span.start) / (span.end - span.start);
        let x = inside.left() + inside.width() * share as f32;
        // One dot for each pixel, so that long takes are drawn quickly.
        let seen = &mut last[usize::from(note.key.min(127))];
        if std::mem::replace(seen, x as i64) == x as i64 {
            continue;
        }
        let row = note
            .class
            .map_or(usize::from(note.key) % 19, |class| class.index());
        let y = inside.top() + inside.height() * row as f32 / 19.0;
        painter.rect_filled(
            Rect::from_min_size(Pos2::new(x, y), vec2(2.0, 2.0)),
            0.0,
            ink,
        );
    }
}
