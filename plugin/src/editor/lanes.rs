//! The waveform, the drum lanes and the piano roll of the shown passage, and what the pointer does
//! there.

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Sense, Stroke, StrokeKind, Ui, vec2};
use hitscribe_core::DrumClass;
use hitscribe_live::take::PEAKS_PER_SECOND;

use crate::editor::state::Memory;
use crate::editor::style::{Palette, palette};
use crate::editor::view::View;

const LABEL_WIDTH: f32 = 106.0;
const WAVE_HEIGHT: f32 = 56.0;
const AXIS_HEIGHT: f32 = 16.0;
/// Share of the lanes that the piano roll takes where there are pitched notes.
const ROLL_SHARE: f32 = 0.38;

/// Where things are drawn.
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
        let has_roll = view.hits.iter().any(|hit| !hit.is_drum);
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

    fn class_at(&self, place: Pos2) -> Option<DrumClass> {
        let is_label = place.x < self.wave.left() && place.y >= self.rows.top();
        let row = ((place.y - self.rows.top()) / self.row_height) as usize;
        DrumClass::ALL.get(row).copied().filter(|_| is_label)
    }
}

/// Draws into all the space that is left, and lets the pointer scroll, zoom and select there.
pub fn lanes(ui: &mut Ui, view: &View, memory: &mut Memory) {
    let (response, painter) = ui.allocate_painter(ui.available_size(), Sense::click_and_drag());
    let layout = Layout::new(response.rect, view);
    point(ui, &response, &layout, view, memory);
    let colors = palette(ui);
    painter.rect_filled(layout.area, 4.0, colors.panel);
    draw_rows(&painter, &layout, memory.class, colors);
    draw_lines(&painter, &layout, view, colors);
    let inside = painter.with_clip_rect(Rect::from_min_max(
        layout.wave.left_top(),
        layout.area.right_bottom(),
    ));
    draw_wave(&inside, &layout, view, colors);
    draw_hits(&inside, &layout, view, memory.class, colors);
    draw_selection(&inside, &layout, memory, colors);
    if let Some(seconds) = memory.audition_seconds {
        let x = layout.x(seconds);
        inside.vline(
            x,
            layout.wave.top()..=layout.rows.bottom(),
            Stroke::new(1.5, colors.accent),
        );
    }
    if view.hits.is_empty() && view.shown_notes == 0 {
        explain(&painter, &layout, view, colors);
    }
}

/// Scrolls, zooms and selects; chooses a drum by its name, or hands its notes to a drag.
fn point(ui: &Ui, response: &egui::Response, layout: &Layout, view: &View, memory: &mut Memory) {
    let length = view.length_seconds;
    if let Some(place) = response.hover_pos() {
        let (scrolled, zoomed) = ui.input(|input| (input.smooth_scroll_delta, input.zoom_delta()));
        if zoomed != 1.0 {
            memory
                .timeline
                .zoom(f64::from(zoomed), layout.seconds(place.x), length);
        } else if scrolled != egui::Vec2::ZERO {
            let pixels = if scrolled.x.abs() > scrolled.y.abs() {
                scrolled.x
            } else {
                scrolled.y
            };
            let seconds = f64::from(-pixels / layout.pixels_per_second);
            memory.timeline.scroll(seconds, length);
        }
    }
    if let Some(place) = response.hover_pos()
        && layout.class_at(place).is_some()
    {
        ui.ctx().set_cursor_icon(egui::CursorIcon::Grab);
    }
    let Some(place) = response.interact_pointer_pos() else {
        return;
    };
    let origin = ui
        .input(|input| input.pointer.press_origin())
        .unwrap_or(place);
    let is_on_lanes = origin.x >= layout.wave.left();
    if response.drag_started() {
        if is_on_lanes {
            memory.timeline.select_from(layout.seconds(origin.x));
        } else {
            memory.pulled = layout.class_at(origin);
        }
    }
    if response.dragged() && is_on_lanes {
        memory.timeline.select_to(layout.seconds(place.x));
    }
    if response.clicked() {
        match layout.class_at(place) {
            Some(class) => memory.class = (memory.class != Some(class)).then_some(class),
            None => memory.timeline.deselect(),
        }
    }
}

fn explain(painter: &Painter, layout: &Layout, view: &View, colors: &Palette) {
    let text = match (&view.engine, view.sample_rate_hz > 0.0) {
        _ if view.problem.is_some() => "Audio passes. The line below says what is wrong.",
        (_, false) => "Waiting for the host to start its audio engine.",
        (None, _) => "Waiting for the engine.",
        _ if view.peaks.iter().any(|peak| *peak > 0.01) => "Listening…",
        _ => {
            "Play drums through this track: hits appear here and leave as MIDI.\n\n\
             Then pull “Drag MIDI” onto a track, or route this track's MIDI output.\n\
             Have a recording? Drop it here, or choose it with “Open audio…”."
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
        // At the right edge it stands before its line.
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
    // Steps that are narrower than a pixel are drawn together, by their loudest.
    let together = (1.0 / step).ceil().max(1.0) as usize;
    for (index, peaks) in view.peaks.chunks(together).enumerate() {
        let peak = peaks.iter().copied().fold(0.0f32, f32::max);
        let seconds = view.peaks_seconds + (index * together) as f64 / PEAKS_PER_SECOND as f64;
        let width = step * together as f32;
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

fn draw_hits(
    painter: &Painter,
    layout: &Layout,
    view: &View,
    only: Option<DrumClass>,
    colors: &Palette,
) {
    let keys = view
        .hits
        .iter()
        .filter(|hit| !hit.is_drum)
        .map(|hit| hit.key);
    let (low, high) = keys.fold((127, 0), |(low, high), key| (key.min(low), key.max(high)));
    for hit in &view.hits {
        let x = layout.x(hit.at_seconds);
        let strength = f32::from(hit.velocity) / 127.0;
        let (shape, color) = match (hit.class, layout.roll) {
            (Some(class), _) => {
                let height = layout.row_height * (0.3 + 0.6 * strength);
                let middle = layout.rows.top() + layout.row_height * (class.index() as f32 + 0.5);
                let shape = Rect::from_center_size(Pos2::new(x + 2.0, middle), vec2(4.0, height));
                (shape, colors.class(class))
            }
            (None, Some(roll)) if !hit.is_drum => {
                let key_height = (roll.height() - 6.0) / (f32::from(high) - f32::from(low) + 1.0);
                let top = roll.top() + 3.0 + f32::from(high - hit.key) * key_height;
                let width = (hit.length_seconds as f32 * layout.pixels_per_second).max(3.0);
                let size = vec2(width, key_height.clamp(2.0, 8.0));
                (Rect::from_min_size(Pos2::new(x, top), size), colors.accent)
            }
            _ => continue,
        };
        let is_chosen = only.is_none_or(|chosen| hit.class == Some(chosen));
        if hit.is_ghost {
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

fn draw_selection(painter: &Painter, layout: &Layout, memory: &Memory, colors: &Palette) {
    let Some(selection) = memory.timeline.selection() else {
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
