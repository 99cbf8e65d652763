//! Draws the lanes.

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Stroke, StrokeKind, vec2};
use hitscribe_core::DrumClass;
use hitscribe_live::take::PEAKS_PER_SECOND;

use crate::editor::lanes::grid::LaneGrid;
use crate::editor::lanes::labels;
use crate::editor::resolved::{Fate, NoteView};
use crate::editor::state::EditorState;
use crate::editor::style::Palette;
use crate::editor::view::View;
use crate::editor::viewport::Viewport;
use crate::params::HitscribeParams;

/// Distance of the lines across the part that is not transcribed yet.
const HATCH_PIXELS: f32 = 8.0;

/// Shapes that are narrower have square corners: round ones are hardly seen there, and cost most
/// of the time of a frame.
const ROUND_FROM_PIXELS: f32 = 6.0;

/// Radius of the corners of a note or a bar.
fn corner(shape: Rect) -> f32 {
    match shape.width() < ROUND_FROM_PIXELS {
        true => 0.0,
        false => 1.5,
    }
}

/// Draws everything.
pub fn draw(
    painter: &Painter,
    grid: &LaneGrid,
    params: &HitscribeParams,
    view: &View,
    state: &EditorState,
    colors: &Palette,
) {
    painter.rect_filled(grid.area, 4.0, colors.panel);
    labels::draw(painter, grid, params, view, state, colors);
    draw_folds(painter, grid, state, colors);
    draw_lines(painter, grid, view, colors);
    let inside = painter.with_clip_rect(Rect::from_min_max(
        grid.ruler.left_top(),
        grid.area.right_bottom(),
    ));
    draw_wave(&inside, grid, view, colors);
    draw_pending(&inside, grid, view, colors);
    // What falls on the same pixel of a lane is drawn once, so that long takes are drawn quickly.
    let mut last = [(i64::MIN, false); DrumClass::ALL.len()];
    for note in view.notes() {
        let is_candidate = note.fate == Fate::Candidate;
        let last = note.class.map(|class| &mut last[class.index()]);
        if let Some((pixel, was_candidate)) = last {
            let here = grid.x(note.at_seconds) as i64;
            let is_hidden = here == *pixel && (is_candidate || !*was_candidate);
            if is_hidden && !state.editing.chosen.contains(&note.id) {
                continue;
            }
            (*pixel, *was_candidate) = (here, is_candidate);
        }
        draw_note(&inside, grid, note, state, colors);
    }
    draw_velocities(&inside, grid, view, state, colors);
    draw_selection(&inside, grid, &state.shown.viewport, colors);
    if let Some(seconds) = state.shown.playhead_seconds {
        let line = Stroke::new(1.5, colors.text);
        inside.vline(grid.x(seconds), grid.ruler.top()..=grid.bottom(), line);
    }
}

/// The lines that fold unused lanes and the velocity lane, and the name of the piano roll.
fn draw_folds(painter: &Painter, grid: &LaneGrid, state: &EditorState, colors: &Palette) {
    let font = FontId::proportional(11.5);
    let text = |area: Rect, text: String| {
        let at = Pos2::new(area.left() + 8.0, area.center().y);
        painter.text(at, Align2::LEFT_CENTER, text, font.clone(), colors.faint);
    };
    if let Some((fold, unused)) = grid.fold {
        text(
            fold,
            match state.shown.folds.shows_unused {
                true => "▾ Hide unused drums".to_owned(),
                false => format!("▸ {unused} unused drums"),
            },
        );
    }
    let line = Stroke::new(1.0, colors.line);
    painter.hline(grid.area.x_range(), grid.velocity_fold.top(), line);
    let name = state.shown.class.map_or("all drums", DrumClass::label);
    text(
        grid.velocity_fold,
        match grid.velocity {
            Some(_) => format!("▾ Velocity of {name}"),
            None => "▸ Velocity".to_owned(),
        },
    );
    if let Some(roll) = grid.roll {
        painter.hline(grid.area.left()..=roll.right(), roll.top(), line);
        let at = Pos2::new(grid.area.left() + 10.0, roll.center().y);
        let font = FontId::proportional(12.0);
        painter.text(at, Align2::LEFT_CENTER, "Pitched", font, colors.text);
    }
}

/// The ruler with bars or seconds, and the lines of bars and beats.
fn draw_lines(painter: &Painter, grid: &LaneGrid, view: &View, colors: &Palette) {
    let bottom = grid.bottom();
    for seconds in &view.beats {
        let x = grid.x(*seconds);
        if x >= grid.wave.left() {
            let color = colors.line.gamma_multiply(0.5);
            painter.vline(x, grid.wave.top()..=bottom, Stroke::new(1.0, color));
        }
    }
    for (seconds, text) in &view.lines {
        let x = grid.x(*seconds);
        if x < grid.wave.left() {
            continue;
        }
        painter.vline(x, grid.ruler.top()..=bottom, Stroke::new(1.0, colors.line));
        let galley = painter.layout_no_wrap(text.clone(), FontId::proportional(10.5), colors.faint);
        // At the right edge, the label is left of its line.
        let left = if x + 3.0 + galley.size().x < grid.area.right() {
            x + 3.0
        } else {
            x - 3.0 - galley.size().x
        };
        let top = grid.ruler.center().y - galley.size().y / 2.0;
        painter.galley(Pos2::new(left, top), galley, colors.faint);
    }
    let at = Pos2::new(grid.area.left() + 10.0, grid.ruler.center().y);
    let font = FontId::proportional(10.5);
    painter.text(at, Align2::LEFT_CENTER, &view.tempo, font, colors.faint);
}

/// The end of the take that is not transcribed yet, while it is being recorded.
fn draw_pending(painter: &Painter, grid: &LaneGrid, view: &View, colors: &Palette) {
    let Some(pending) = &view.pending else { return };
    let area = Rect::from_min_max(
        Pos2::new(grid.x(pending.start).max(grid.wave.left()), grid.wave.top()),
        Pos2::new(grid.x(pending.end), grid.bottom()),
    );
    let painter = painter.with_clip_rect(area.intersect(painter.clip_rect()));
    let line = Stroke::new(1.0, colors.line.gamma_multiply(0.6));
    let count = ((area.width() + area.height()) / HATCH_PIXELS).ceil() as usize;
    for index in 0..count {
        let x = area.left() + index as f32 * HATCH_PIXELS;
        let ends = [
            Pos2::new(x, area.top()),
            Pos2::new(x - area.height(), area.bottom()),
        ];
        painter.line_segment(ends, line);
    }
    painter.vline(area.right(), area.y_range(), Stroke::new(1.5, colors.text));
    let at = Pos2::new(area.left() + 4.0, area.top() + 8.0);
    let font = FontId::proportional(10.5);
    painter.text(at, Align2::LEFT_CENTER, "listening", font, colors.faint);
}

/// The velocities of the sent notes of the chosen drum, or of all.
fn draw_velocities(
    painter: &Painter,
    grid: &LaneGrid,
    view: &View,
    state: &EditorState,
    colors: &Palette,
) {
    let only = state.shown.class;
    let is_shown =
        |note: &&NoteView| note.fate == Fate::Sent && (only.is_none() || note.class == only);
    let mut last = (i64::MIN, 0);
    for note in view.notes().iter().filter(is_shown) {
        let Some(bar) = grid.velocity_bar(note) else {
            return;
        };
        let here = (bar.left() as i64, note.velocity);
        if here.0 == last.0 && here.1 <= last.1 {
            continue;
        }
        last = here;
        let color = note
            .class
            .map_or(colors.accent, |class| colors.class(class));
        painter.rect_filled(bar, corner(bar), color.gamma_multiply(0.75));
        if state.editing.chosen.contains(&note.id) {
            let around = Stroke::new(1.5, colors.text);
            painter.rect_stroke(bar.expand(1.0), 1.0, around, StrokeKind::Outside);
        }
    }
}

fn draw_wave(painter: &Painter, grid: &LaneGrid, view: &View, colors: &Palette) {
    let step = grid.pixels_per_second / PEAKS_PER_SECOND as f32;
    // Steps narrower than a pixel are drawn as one bar, with their maximum.
    let per_bar = (1.0 / step).ceil().max(1.0) as usize;
    for (index, peaks) in view.peaks.chunks(per_bar).enumerate() {
        let peak = peaks.iter().copied().fold(0.0f32, f32::max);
        let seconds = view.peaks_seconds + (index * per_bar) as f64 / PEAKS_PER_SECOND as f64;
        let width = step * per_bar as f32;
        let half = (peak.sqrt() * (grid.wave.height() / 2.0 - 4.0)).max(0.5);
        let color = if peak >= 0.999 {
            colors.alarm
        } else {
            colors.wave
        };
        let center = Pos2::new(grid.x(seconds) + width / 2.0, grid.wave.center().y);
        let size = vec2((width - 1.0).max(1.0), half * 2.0);
        let bar = Rect::from_center_size(center, size);
        painter.rect_filled(bar, corner(bar), color);
    }
}

/// A note that is sent is filled; everything else is an outline. With quantization the outline is
/// where the hit was.
fn draw_note(
    painter: &Painter,
    grid: &LaneGrid,
    note: &NoteView,
    state: &EditorState,
    colors: &Palette,
) {
    let Some(heard) = grid.shape(note, note.at_seconds) else {
        return;
    };
    let color = note
        .class
        .map_or(colors.accent, |class| colors.class(class));
    let outline = |shape: Rect, color: Color32| {
        let stroke = Stroke::new(1.0, color);
        painter.rect_stroke(shape, corner(shape), stroke, StrokeKind::Inside);
    };
    let quantized = note
        .quantized_seconds
        .and_then(|seconds| grid.shape(note, seconds));
    let shape = quantized.unwrap_or(heard);
    match note.fate {
        Fate::Sent => {
            if quantized.is_some() {
                outline(heard, colors.faint);
            }
            let only = state.shown.class;
            let is_chosen = only.is_none_or(|chosen| note.class == Some(chosen));
            let strength = f32::from(note.velocity) / 127.0;
            let shade = match is_chosen {
                true => 0.45 + 0.55 * strength,
                false => 0.15,
            };
            painter.rect_filled(shape, corner(shape), color.gamma_multiply(shade));
        }
        Fate::Candidate => outline(shape, color.gamma_multiply(0.45)),
        Fate::Dropped => outline(shape, color),
        Fate::Leakage => outline(shape, colors.faint),
        Fate::Deleted => {
            let line = Stroke::new(1.0, colors.faint);
            painter.line_segment([shape.left_top(), shape.right_bottom()], line);
            painter.line_segment([shape.right_top(), shape.left_bottom()], line);
        }
    }
    if note.is_edited && note.fate == Fate::Sent {
        let mark = Pos2::new(shape.center().x, shape.bottom() + 1.5);
        painter.circle_filled(mark, 1.5, colors.text);
    }
    if state.editing.chosen.contains(&note.id) {
        let around = shape.expand(2.0);
        let stroke = Stroke::new(1.5, colors.text);
        painter.rect_stroke(around, 2.0, stroke, StrokeKind::Outside);
    }
}

fn draw_selection(painter: &Painter, grid: &LaneGrid, viewport: &Viewport, colors: &Palette) {
    let Some(selection) = viewport.selection() else {
        return;
    };
    let area = Rect::from_min_max(
        Pos2::new(grid.x(selection.start), grid.ruler.top()),
        Pos2::new(grid.x(selection.end), grid.bottom()),
    );
    let [r, g, b, _] = colors.accent.to_array();
    painter.rect_filled(area, 0.0, Color32::from_rgba_unmultiplied(r, g, b, 36));
    painter.rect_stroke(
        area,
        0.0,
        Stroke::new(1.0, colors.accent),
        StrokeKind::Inside,
    );
}
