//! The names of the lanes: hits, thresholds, what is sent, and what a click does.

use std::sync::Arc;

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Stroke, StrokeKind, vec2};
use hitscribe_core::DrumClass;
use hitscribe_core::midi::ClassMap;

use crate::background::preview::Preview;
use crate::editor::lanes::grid::{LABEL_WIDTH, LaneGrid};
use crate::editor::preview_button;
use crate::editor::side_panel::SidePage;
use crate::editor::state::EditorState;
use crate::editor::style::Palette;
use crate::editor::view::View;
use crate::params::HitscribeParams;

/// A row has a threshold handle from this height on.
const THRESHOLD_FROM_HEIGHT: f32 = 30.0;
/// A row has a button from this height on.
const BUTTON_FROM_HEIGHT: f32 = 15.0;
/// Largest offset of a drum's sensitivity, in percent.
const MOST_PERCENT: f32 = 50.0;

/// The button that leaves a drum out, if there is room.
pub fn mute_area(grid: &LaneGrid, class: DrumClass) -> Option<Rect> {
    let row = grid.row(class)?;
    let center = Pos2::new(row.left() + LABEL_WIDTH - 17.0, name_y(row));
    let has_room = grid.row_height >= BUTTON_FROM_HEIGHT;
    has_room.then(|| Rect::from_center_size(center, vec2(18.0, 14.0)))
}

/// The line of the threshold handle, if there is room.
pub fn threshold_area(grid: &LaneGrid, class: DrumClass) -> Option<Rect> {
    let row = grid.row(class)?;
    let left = Pos2::new(row.left() + 19.0, row.bottom() - 13.0);
    let has_room = grid.row_height >= THRESHOLD_FROM_HEIGHT;
    has_room.then(|| Rect::from_min_size(left, vec2(LABEL_WIDTH - 48.0, 10.0)))
}

/// Height of the name within a row.
fn name_y(row: Rect) -> f32 {
    match row.height() >= THRESHOLD_FROM_HEIGHT {
        true => row.center().y - 5.0,
        false => row.center().y,
    }
}

/// A click on a name: chooses the drum and plays it; on the button: sends the drum or not.
pub fn click(
    grid: &LaneGrid,
    params: &HitscribeParams,
    view: &View,
    preview: &Arc<Preview>,
    state: &mut EditorState,
    at: Pos2,
) {
    let Some(class) = grid.class_of_label(at) else {
        return;
    };
    if mute_area(grid, class).is_some_and(|area| area.expand(2.0).contains(at)) {
        let map = params.note_map.class(class);
        let on = !map.on;
        params.note_map.set_class(class, ClassMap { on, ..map });
        return;
    }
    choose(view, preview, state, class);
}

/// Chooses a drum and plays it, or chooses all again.
pub fn choose(view: &View, preview: &Arc<Preview>, state: &mut EditorState, class: DrumClass) {
    let is_chosen = state.shown.class == Some(class);
    state.shown.class = (!is_chosen).then_some(class);
    if !is_chosen {
        preview_button::prelisten(view, preview, class);
    }
}

/// A double click on a name opens the drum's page; on its threshold, resets it.
pub fn double_click(grid: &LaneGrid, params: &HitscribeParams, state: &mut EditorState, at: Pos2) {
    let Some(class) = grid.class_of_label(at) else {
        return;
    };
    if threshold_area(grid, class).is_some_and(|area| area.expand(3.0).contains(at)) {
        set_threshold(params, class, 0.0);
    } else if mute_area(grid, class).is_none_or(|area| !area.expand(2.0).contains(at)) {
        state.shown.class = Some(class);
        state.side.page = Some(SidePage::Drums);
    }
}

/// The drum whose threshold handle is at a position.
pub fn threshold_at(grid: &LaneGrid, at: Pos2) -> Option<DrumClass> {
    let class = grid.class_of_label(at)?;
    let area = threshold_area(grid, class)?;
    area.expand(3.0).contains(at).then_some(class)
}

/// Moves a threshold to the pointer. Right is more sensitive.
pub fn drag_threshold(grid: &LaneGrid, params: &HitscribeParams, class: DrumClass, at: Pos2) {
    if let Some(area) = threshold_area(grid, class) {
        let share = ((at.x - area.left()) / area.width()).clamp(0.0, 1.0);
        set_threshold(params, class, (2.0 * share - 1.0) * MOST_PERCENT);
    }
}

/// Sets the sensitivity of a drum, an offset in percent.
pub fn set_threshold(params: &HitscribeParams, class: DrumClass, percent: f32) {
    let map = params.note_map.class(class);
    let sensitivity_percent = percent.round() as i8;
    let map = ClassMap {
        sensitivity_percent,
        ..map
    };
    params.note_map.set_class(class, map);
}

/// What is under the pointer, in words.
pub fn hint(grid: &LaneGrid, params: &HitscribeParams, at: Pos2) -> Option<String> {
    let class = grid.class_of_label(at)?;
    let (name, map) = (class.label(), params.note_map.class(class));
    if mute_area(grid, class).is_some_and(|area| area.expand(2.0).contains(at)) {
        return Some(match map.on {
            true => format!("Mute {name}: do not send or export it"),
            false => format!("{name} is muted: it is not sent or exported"),
        });
    }
    if threshold_at(grid, at).is_some() {
        let percent = map.sensitivity_percent;
        return Some(format!(
            "Sensitivity of {name}: {percent:+} %. A double click resets it."
        ));
    }
    Some(format!(
        "{name}, note {}. Click to choose and play it, double-click for its settings, drag it onto \
         a track.",
        map.key
    ))
}

/// Draws the names of all lanes.
pub fn draw(
    painter: &Painter,
    grid: &LaneGrid,
    params: &HitscribeParams,
    view: &View,
    state: &EditorState,
    colors: &Palette,
) {
    let only = state.shown.class;
    let font = FontId::proportional((grid.row_height * 0.66).clamp(8.0, 12.5));
    for (lane, class) in grid.classes.iter().copied().enumerate() {
        let Some(row) = grid.row(class) else { continue };
        if lane.is_multiple_of(2) {
            painter.rect_filled(row, 0.0, colors.lane);
        }
        let map = params.note_map.class(class);
        let is_chosen = map.on && only.is_none_or(|chosen| chosen == class);
        let color = match is_chosen {
            true => colors.class(class),
            false => colors.line,
        };
        let y = name_y(row);
        let dot = Pos2::new(row.left() + 10.0, y);
        let light = view.lights[class.index()];
        painter.circle_filled(dot, 3.0 + 3.0 * light, color);
        let text = if is_chosen { colors.text } else { colors.faint };
        let at = Pos2::new(row.left() + 19.0, y);
        let name = class.label();
        painter.text(at, Align2::LEFT_CENTER, name, font.clone(), text);
        let count = view.class_counts[class.index()];
        if count > 0 {
            let at = Pos2::new(row.left() + LABEL_WIDTH - 31.0, y);
            let count = count.to_string();
            painter.text(at, Align2::RIGHT_CENTER, count, font.clone(), colors.faint);
        }
        if let Some(area) = mute_area(grid, class) {
            draw_mute(painter, area, map.on, colors);
        }
        if let Some(area) = threshold_area(grid, class) {
            draw_threshold(painter, area, map.sensitivity_percent, colors);
        }
    }
}

fn draw_mute(painter: &Painter, area: Rect, is_on: bool, colors: &Palette) {
    let (fill, ink) = match is_on {
        true => (Color32::TRANSPARENT, colors.faint),
        false => (colors.alarm, colors.background),
    };
    painter.rect(
        area,
        2.0,
        fill,
        Stroke::new(1.0, colors.line),
        StrokeKind::Inside,
    );
    let font = FontId::proportional(10.0);
    painter.text(area.center(), Align2::CENTER_CENTER, "M", font, ink);
}

fn draw_threshold(painter: &Painter, area: Rect, percent: i8, colors: &Palette) {
    let y = area.center().y;
    painter.hline(area.x_range(), y, Stroke::new(1.0, colors.line));
    let x = |percent: f32| area.center().x + area.width() / 2.0 * percent / MOST_PERCENT;
    let (middle, handle) = (x(0.0), x(f32::from(percent)));
    painter.vline(middle, y - 2.0..=y + 2.0, Stroke::new(1.0, colors.line));
    let color = if percent == 0 {
        colors.faint
    } else {
        colors.accent
    };
    let line = Stroke::new(2.0, color);
    painter.hline(middle.min(handle)..=middle.max(handle), y, line);
    painter.circle_filled(Pos2::new(handle, y), 3.5, color);
}
