//! The waveform and the drum lanes: the last seconds, scrolling to the left.

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Sense, Stroke, Ui, vec2};
use hitscribe_engine::DrumClass;
use hitscribe_engine::note::take::PEAKS_PER_SECOND;

use super::style;
use super::view::{View, WINDOW_SECONDS};

const LABEL_WIDTH: f32 = 92.0;
const WAVE_HEIGHT: f32 = 56.0;
const AXIS_HEIGHT: f32 = 16.0;

/// Draws into all the space that is left.
pub fn lanes(ui: &mut Ui, view: &View) {
    let (response, painter) = ui.allocate_painter(ui.available_size(), Sense::hover());
    let area = response.rect;
    painter.rect_filled(area, 4.0, style::PANEL);
    let left = area.left() + LABEL_WIDTH;
    let wave = Rect::from_min_max(
        Pos2::new(left, area.top()),
        Pos2::new(area.right(), area.top() + WAVE_HEIGHT),
    );
    let rows = Rect::from_min_max(
        Pos2::new(left, wave.bottom()),
        Pos2::new(area.right(), area.bottom() - AXIS_HEIGHT),
    );
    let row_height = rows.height() / DrumClass::ALL.len() as f32;
    draw_rows(&painter, area, rows, row_height);
    draw_seconds(&painter, wave, rows);
    draw_wave(&painter, wave, view);
    let pixels_per_second = rows.width() / WINDOW_SECONDS as f32;
    for hit in &view.hits {
        let x = rows.right() - hit.age_seconds as f32 * pixels_per_second;
        let Some(class) = hit.class else { continue };
        if x < rows.left() {
            continue;
        }
        let strength = f32::from(hit.velocity) / 127.0;
        let height = row_height * (0.3 + 0.6 * strength);
        let middle = rows.top() + row_height * (class.index() as f32 + 0.5);
        let color = style::class_color(class);
        let shape = Rect::from_center_size(Pos2::new(x + 2.0, middle), vec2(4.0, height));
        if hit.is_ghost {
            painter.rect_stroke(
                shape,
                1.0,
                Stroke::new(1.0, style::FAINT),
                egui::StrokeKind::Inside,
            );
        } else {
            painter.rect_filled(shape, 1.5, color.gamma_multiply(0.45 + 0.55 * strength));
        }
    }
    if view.hits.is_empty() {
        let text = match (&view.engine, view.sample_rate_hz > 0.0) {
            (_, false) => "Waiting for the host to start its audio engine.",
            (None, _) => "Waiting for the engine.",
            _ if view.peaks.iter().any(|peak| *peak > 0.01) => "Listening…",
            _ => "Play drums through this track: hits appear here and leave as MIDI.",
        };
        painter.text(
            rows.center(),
            Align2::CENTER_CENTER,
            text,
            FontId::proportional(15.0),
            style::FAINT,
        );
    }
}

fn draw_rows(painter: &Painter, area: Rect, rows: Rect, row_height: f32) {
    for class in DrumClass::ALL {
        let top = rows.top() + row_height * class.index() as f32;
        let row = Rect::from_min_max(
            Pos2::new(area.left(), top),
            Pos2::new(area.right(), top + row_height),
        );
        if class.index() % 2 == 0 {
            painter.rect_filled(row, 0.0, style::LANE);
        }
        let dot = Pos2::new(area.left() + 10.0, row.center().y);
        painter.circle_filled(dot, 3.0, style::class_color(class));
        painter.text(
            Pos2::new(area.left() + 19.0, row.center().y),
            Align2::LEFT_CENTER,
            class.label(),
            FontId::proportional((row_height * 0.66).clamp(8.0, 12.5)),
            style::TEXT,
        );
    }
}

fn draw_seconds(painter: &Painter, wave: Rect, rows: Rect) {
    let pixels_per_second = rows.width() / WINDOW_SECONDS as f32;
    for second in 0..=WINDOW_SECONDS as usize {
        let x = rows.right() - second as f32 * pixels_per_second;
        painter.vline(x, wave.top()..=rows.bottom(), Stroke::new(1.0, style::LINE));
        if second > 0 {
            painter.text(
                Pos2::new(x, rows.bottom() + AXIS_HEIGHT / 2.0),
                Align2::CENTER_CENTER,
                format!("−{second} s"),
                FontId::proportional(10.0),
                style::FAINT,
            );
        }
    }
}

fn draw_wave(painter: &Painter, wave: Rect, view: &View) {
    let step = wave.width() / (WINDOW_SECONDS as f32 * PEAKS_PER_SECOND as f32);
    for (age, peak) in view.peaks.iter().rev().enumerate() {
        let x = wave.right() - (age as f32 + 0.5) * step;
        let half = (peak.sqrt() * (wave.height() / 2.0 - 4.0)).max(0.5);
        let color = if *peak >= 0.999 {
            style::ALARM
        } else {
            style::WAVE
        };
        bar(painter, Pos2::new(x, wave.center().y), half, step, color);
    }
}

fn bar(painter: &Painter, center: Pos2, half: f32, step: f32, color: Color32) {
    let size = vec2((step - 1.0).max(1.0), half * 2.0);
    painter.rect_filled(Rect::from_center_size(center, size), 1.0, color);
}
