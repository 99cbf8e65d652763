//! Draws the lanes.

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Stroke, StrokeKind, vec2};
use hitscribe_core::DrumClass;
use hitscribe_live::take::PEAKS_PER_SECOND;

use crate::editor::lanes::grid::{AXIS_HEIGHT, LaneGrid};
use crate::editor::state::EditorState;
use crate::editor::style::Palette;
use crate::editor::view::{Fate, NoteView, View};
use crate::editor::viewport::Viewport;

/// Draws everything.
pub fn draw(
    painter: &Painter,
    grid: &LaneGrid,
    view: &View,
    state: &EditorState,
    colors: &Palette,
) {
    painter.rect_filled(grid.area, 4.0, colors.panel);
    draw_rows(painter, grid, view, state, colors);
    draw_lines(painter, grid, view, colors);
    let inside = painter.with_clip_rect(Rect::from_min_max(
        grid.wave.left_top(),
        grid.area.right_bottom(),
    ));
    draw_wave(&inside, grid, view, colors);
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
    draw_selection(&inside, grid, &state.shown.viewport, colors);
    if let Some(seconds) = state.preview.playhead_seconds {
        let x = grid.x(seconds);
        inside.vline(
            x,
            grid.wave.top()..=grid.rows.bottom(),
            Stroke::new(1.5, colors.text),
        );
    }
    if view.all_notes.is_empty() {
        draw_explanation(painter, grid, view, colors);
    }
}

fn draw_explanation(painter: &Painter, grid: &LaneGrid, view: &View, colors: &Palette) {
    let text = match (&view.engine, view.sample_rate_hz > 0.0) {
        _ if view.problem.is_some() => {
            "The audio passes through. The message below explains the problem."
        }
        (_, false) => "Waiting for the host to start audio processing.",
        (None, _) => "Waiting for the engine.",
        _ if view.peaks.iter().any(|peak| *peak > 0.01) => "Listening…",
        _ => {
            "Play drums through this track: the hits appear here and are sent as MIDI.\n\n\
             Then drag “Drag MIDI” onto a track, or route this track's MIDI output.\n\
             To transcribe a recording, drop it here or use “Open audio…”."
        }
    };
    let font = FontId::proportional(15.0);
    let center = grid.rows.center();
    painter.text(center, Align2::CENTER_CENTER, text, font, colors.faint);
}

/// Names and numbers of hits of the lanes.
fn draw_rows(
    painter: &Painter,
    grid: &LaneGrid,
    view: &View,
    state: &EditorState,
    colors: &Palette,
) {
    let only = state.shown.class;
    let font = FontId::proportional((grid.row_height * 0.66).clamp(8.0, 12.5));
    for (lane, class) in grid.classes.iter().copied().enumerate() {
        let top = grid.rows.top() + grid.row_height * lane as f32;
        let row = Rect::from_min_max(
            Pos2::new(grid.area.left(), top),
            Pos2::new(grid.area.right(), top + grid.row_height),
        );
        if lane.is_multiple_of(2) {
            painter.rect_filled(row, 0.0, colors.lane);
        }
        let is_chosen = only.is_none_or(|chosen| chosen == class);
        let color = match is_chosen {
            true => colors.class(class),
            false => colors.line,
        };
        let dot = Pos2::new(grid.area.left() + 10.0, row.center().y);
        painter.circle_filled(dot, 3.0, color);
        let at = Pos2::new(grid.area.left() + 19.0, row.center().y);
        let color = if is_chosen { colors.text } else { colors.faint };
        let name = class.label();
        painter.text(at, Align2::LEFT_CENTER, name, font.clone(), color);
        let count = view.class_counts[class.index()];
        if count > 0 {
            let at = Pos2::new(grid.wave.left() - 8.0, row.center().y);
            let count = count.to_string();
            painter.text(at, Align2::RIGHT_CENTER, count, font.clone(), colors.faint);
        }
    }
    if let Some((fold, unused)) = grid.fold {
        let text = match state.shown.shows_unused {
            true => "▼ Hide unused drums".to_owned(),
            false => format!("▶ {unused} unused drums"),
        };
        let at = Pos2::new(fold.left() + 8.0, fold.center().y);
        let font = FontId::proportional(11.5);
        painter.text(at, Align2::LEFT_CENTER, text, font, colors.faint);
    }
    if let Some(roll) = grid.roll {
        let top = roll.top();
        let line = Stroke::new(1.0, colors.line);
        painter.hline(grid.area.left()..=roll.right(), top, line);
        let at = Pos2::new(grid.area.left() + 10.0, roll.center().y);
        let font = FontId::proportional(12.0);
        painter.text(at, Align2::LEFT_CENTER, "Pitched", font, colors.text);
    }
}

fn draw_lines(painter: &Painter, grid: &LaneGrid, view: &View, colors: &Palette) {
    let bottom = grid.area.bottom() - AXIS_HEIGHT;
    for (seconds, text) in &view.lines {
        let x = grid.x(*seconds);
        if x < grid.wave.left() {
            continue;
        }
        painter.vline(x, grid.wave.top()..=bottom, Stroke::new(1.0, colors.line));
        let galley = painter.layout_no_wrap(text.clone(), FontId::proportional(10.0), colors.faint);
        // At the right edge, the label is left of its line.
        let left = if x + 3.0 + galley.size().x < grid.area.right() {
            x + 3.0
        } else {
            x - 3.0 - galley.size().x
        };
        let top = bottom + (AXIS_HEIGHT - galley.size().y) / 2.0;
        painter.galley(Pos2::new(left, top), galley, colors.faint);
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
        painter.rect_filled(Rect::from_center_size(center, size), 1.0, color);
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
        painter.rect_stroke(shape, 1.0, stroke, StrokeKind::Inside);
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
            painter.rect_filled(shape, 1.5, color.gamma_multiply(shade));
        }
        Fate::Candidate => outline(shape, color.gamma_multiply(0.6)),
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
        Pos2::new(grid.x(selection.start), grid.wave.top()),
        Pos2::new(grid.x(selection.end), grid.area.bottom() - AXIS_HEIGHT),
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
