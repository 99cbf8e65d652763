//! The waveform, drum lanes and piano roll of the shown passage, and the pointer's actions in them.

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Sense, Stroke, StrokeKind, Ui, vec2};
use hitscribe_core::DrumClass;
use hitscribe_live::take::PEAKS_PER_SECOND;

use crate::editor::state::EditorState;
use crate::editor::style::{Palette, palette};
use crate::editor::view::View;
use crate::editor::viewport::Viewport;

const LABEL_WIDTH: f32 = 106.0;
const WAVE_HEIGHT: f32 = 56.0;
const AXIS_HEIGHT: f32 = 16.0;
/// Fraction of the height for the piano roll, if there are pitched notes.
const ROLL_SHARE: f32 = 0.38;

/// Areas and scales of the drawing.
struct Layout {
    area: Rect,
    wave: Rect,
    rows: Rect,
    roll: Option<Rect>,
    row_height: f32,
    start_seconds: f64,
    pixels_per_second: f32,
}

impl Layout {
    fn new(area: Rect, view: &View) -> Self {
        let left = area.left() + LABEL_WIDTH;
        let wave = Rect::from_min_max(
            Pos2::new(left, area.top()),
            Pos2::new(area.right(), area.top() + WAVE_HEIGHT),
        );
        let bottom = area.bottom() - AXIS_HEIGHT;
        let has_roll = view.notes.iter().any(|note| !note.is_drum);
        let roll_height = if has_roll {
            (bottom - wave.bottom()) * ROLL_SHARE
        } else {
            0.0
        };
        let rows = Rect::from_min_max(
            Pos2::new(left, wave.bottom()),
            Pos2::new(area.right(), bottom - roll_height),
        );
        let roll = Rect::from_min_max(rows.left_bottom(), Pos2::new(area.right(), bottom));
        let span_seconds = (view.window.end - view.window.start).max(0.01);
        Self {
            area,
            wave,
            rows,
            roll: has_roll.then_some(roll),
            row_height: rows.height() / DrumClass::ALL.len() as f32,
            start_seconds: view.window.start,
            pixels_per_second: wave.width() / span_seconds as f32,
        }
    }

    fn x(&self, seconds: f64) -> f32 {
        self.wave.left() + (seconds - self.start_seconds) as f32 * self.pixels_per_second
    }

    fn seconds(&self, x: f32) -> f64 {
        self.start_seconds + f64::from((x - self.wave.left()) / self.pixels_per_second)
    }

    fn class_at(&self, at: Pos2) -> Option<DrumClass> {
        let is_label = at.x < self.wave.left() && at.y >= self.rows.top();
        let row = ((at.y - self.rows.top()) / self.row_height) as usize;
        DrumClass::ALL.get(row).copied().filter(|_| is_label)
    }
}

/// Draws the lanes into the remaining space, and scrolls, zooms and selects with the pointer.
pub fn lanes(ui: &mut Ui, view: &View, state: &mut EditorState) {
    let (response, painter) = ui.allocate_painter(ui.available_size(), Sense::click_and_drag());
    let layout = Layout::new(response.rect, view);
    handle_pointer(ui, &response, &layout, view, state);
    let colors = palette(ui);
    painter.rect_filled(layout.area, 4.0, colors.panel);
    draw_rows(&painter, &layout, state.shown.class, colors);
    draw_lines(&painter, &layout, view, colors);
    let inside = painter.with_clip_rect(Rect::from_min_max(
        layout.wave.left_top(),
        layout.area.right_bottom(),
    ));
    draw_wave(&inside, &layout, view, colors);
    draw_notes(&inside, &layout, view, state.shown.class, colors);
    draw_selection(&inside, &layout, &state.shown.viewport, colors);
    if let Some(seconds) = state.preview.playhead_seconds {
        let x = layout.x(seconds);
        inside.vline(
            x,
            layout.wave.top()..=layout.rows.bottom(),
            Stroke::new(1.5, colors.accent),
        );
    }
    if view.notes.is_empty() && view.shown_notes == 0 {
        draw_explanation(&painter, &layout, view, colors);
    }
}

/// Scrolls, zooms and selects. A click on a drum's name selects the drum, a drag exports its notes.
fn handle_pointer(
    ui: &Ui,
    response: &egui::Response,
    layout: &Layout,
    view: &View,
    state: &mut EditorState,
) {
    let shown = &mut state.shown;
    let length = view.length_seconds;
    if let Some(at) = response.hover_pos() {
        let (scrolled, zoomed) = ui.input(|input| (input.smooth_scroll_delta, input.zoom_delta()));
        if zoomed != 1.0 {
            shown
                .viewport
                .zoom(f64::from(zoomed), layout.seconds(at.x), length);
        } else if scrolled != egui::Vec2::ZERO {
            let pixels = if scrolled.x.abs() > scrolled.y.abs() {
                scrolled.x
            } else {
                scrolled.y
            };
            let seconds = f64::from(-pixels / layout.pixels_per_second);
            shown.viewport.scroll(seconds, length);
        }
    }
    if let Some(at) = response.hover_pos()
        && layout.class_at(at).is_some()
    {
        ui.ctx().set_cursor_icon(egui::CursorIcon::Grab);
    }
    let Some(at) = response.interact_pointer_pos() else {
        return;
    };
    let origin = ui.input(|input| input.pointer.press_origin()).unwrap_or(at);
    let is_on_lanes = origin.x >= layout.wave.left();
    if response.drag_started() {
        if is_on_lanes {
            shown.viewport.select_from(layout.seconds(origin.x));
        } else {
            state.export.dragged_class = layout.class_at(origin);
        }
    }
    if response.dragged() && is_on_lanes {
        shown.viewport.select_to(layout.seconds(at.x));
    }
    if response.clicked() {
        match layout.class_at(at) {
            Some(class) => shown.class = (shown.class != Some(class)).then_some(class),
            None => shown.viewport.deselect(),
        }
    }
}

fn draw_explanation(painter: &Painter, layout: &Layout, view: &View, colors: &Palette) {
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
    painter.text(
        layout.rows.center(),
        Align2::CENTER_CENTER,
        text,
        FontId::proportional(15.0),
        colors.faint,
    );
}

fn draw_rows(painter: &Painter, layout: &Layout, only: Option<DrumClass>, colors: &Palette) {
    for class in DrumClass::ALL {
        let top = layout.rows.top() + layout.row_height * class.index() as f32;
        let row = Rect::from_min_max(
            Pos2::new(layout.area.left(), top),
            Pos2::new(layout.area.right(), top + layout.row_height),
        );
        if class.index().is_multiple_of(2) {
            painter.rect_filled(row, 0.0, colors.lane);
        }
        let is_chosen = only.is_none_or(|chosen| chosen == class);
        let color = if is_chosen {
            colors.class(class)
        } else {
            colors.line
        };
        let dot = Pos2::new(layout.area.left() + 10.0, row.center().y);
        painter.circle_filled(dot, 3.0, color);
        painter.text(
            Pos2::new(layout.area.left() + 19.0, row.center().y),
            Align2::LEFT_CENTER,
            class.label(),
            FontId::proportional((layout.row_height * 0.66).clamp(8.0, 12.5)),
            if is_chosen { colors.text } else { colors.faint },
        );
    }
    if let Some(roll) = layout.roll {
        painter.hline(
            layout.area.left()..=roll.right(),
            roll.top(),
            Stroke::new(1.0, colors.line),
        );
        painter.text(
            Pos2::new(layout.area.left() + 10.0, roll.center().y),
            Align2::LEFT_CENTER,
            "Pitched",
            FontId::proportional(12.0),
            colors.text,
        );
    }
}

fn draw_lines(painter: &Painter, layout: &Layout, view: &View, colors: &Palette) {
    let bottom = layout.area.bottom() - AXIS_HEIGHT;
    for (seconds, text) in &view.lines {
        let x = layout.x(*seconds);
        if x < layout.wave.left() {
            continue;
        }
        painter.vline(x, layout.wave.top()..=bottom, Stroke::new(1.0, colors.line));
        let galley = painter.layout_no_wrap(text.clone(), FontId::proportional(10.0), colors.faint);
        // At the right edge, the label is left of its line.
        let left = if x + 3.0 + galley.size().x < layout.area.right() {
            x + 3.0
        } else {
            x - 3.0 - galley.size().x
        };
        let top = bottom + (AXIS_HEIGHT - galley.size().y) / 2.0;
        painter.galley(Pos2::new(left, top), galley, colors.faint);
    }
}

fn draw_wave(painter: &Painter, layout: &Layout, view: &View, colors: &Palette) {
    let step = layout.pixels_per_second / PEAKS_PER_SECOND as f32;
    // Steps narrower than a pixel are drawn as one bar, with their maximum.
    let per_bar = (1.0 / step).ceil().max(1.0) as usize;
    for (index, peaks) in view.peaks.chunks(per_bar).enumerate() {
        let peak = peaks.iter().copied().fold(0.0f32, f32::max);
        let seconds = view.peaks_seconds + (index * per_bar) as f64 / PEAKS_PER_SECOND as f64;
        let width = step * per_bar as f32;
        let half = (peak.sqrt() * (layout.wave.height() / 2.0 - 4.0)).max(0.5);
        let color = if peak >= 0.999 {
            colors.alarm
        } else {
            colors.wave
        };
        let center = Pos2::new(layout.x(seconds) + width / 2.0, layout.wave.center().y);
        let size = vec2((width - 1.0).max(1.0), half * 2.0);
        painter.rect_filled(Rect::from_center_size(center, size), 1.0, color);
    }
}

fn draw_notes(
    painter: &Painter,
    layout: &Layout,
    view: &View,
    only: Option<DrumClass>,
    colors: &Palette,
) {
    let keys = view
        .notes
        .iter()
        .filter(|note| !note.is_drum)
        .map(|note| note.key);
    let (low, high) = keys.fold((127, 0), |(low, high), key| (key.min(low), key.max(high)));
    for note in &view.notes {
        let x = layout.x(note.at_seconds);
        let strength = f32::from(note.velocity) / 127.0;
        let (shape, color) = match (note.class, layout.roll) {
            (Some(class), _) => {
                let height = layout.row_height * (0.3 + 0.6 * strength);
                let middle = layout.rows.top() + layout.row_height * (class.index() as f32 + 0.5);
                let shape = Rect::from_center_size(Pos2::new(x + 2.0, middle), vec2(4.0, height));
                (shape, colors.class(class))
            }
            (None, Some(roll)) if !note.is_drum => {
                let key_height = (roll.height() - 6.0) / (f32::from(high) - f32::from(low) + 1.0);
                let top = roll.top() + 3.0 + f32::from(high - note.key) * key_height;
                let width = (note.length_seconds as f32 * layout.pixels_per_second).max(3.0);
                let size = vec2(width, key_height.clamp(2.0, 8.0));
                (Rect::from_min_size(Pos2::new(x, top), size), colors.accent)
            }
            _ => continue,
        };
        let is_chosen = only.is_none_or(|chosen| note.class == Some(chosen));
        if note.is_leakage {
            let stroke = Stroke::new(1.0, colors.faint);
            painter.rect_stroke(shape, 1.0, stroke, StrokeKind::Inside);
        } else {
            let shade = if is_chosen {
                0.45 + 0.55 * strength
            } else {
                0.15
            };
            painter.rect_filled(shape, 1.5, color.gamma_multiply(shade));
        }
    }
}

fn draw_selection(painter: &Painter, layout: &Layout, viewport: &Viewport, colors: &Palette) {
    let Some(selection) = viewport.selection() else {
        return;
    };
    let area = Rect::from_min_max(
        Pos2::new(layout.x(selection.start), layout.wave.top()),
        Pos2::new(layout.x(selection.end), layout.area.bottom() - AXIS_HEIGHT),
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
