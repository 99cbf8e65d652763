//! What the window shows before there is a take: the three ways to the first notes.

use egui::{Align, Frame, Layout, Margin, RichText, Ui};

use crate::background::import::Recording;
use crate::editor::file_dialog::FileKind;
use crate::editor::import_bar;
use crate::editor::state::EditorState;
use crate::editor::style::palette;
use crate::editor::view::View;

/// Largest width of a card in points.
const CARD_WIDTH: f32 = 250.0;
/// Height of a card.
const CARD_HEIGHT: f32 = 150.0;

/// Whether there is nothing to show in the lanes.
pub fn is_empty(view: &View, state: &EditorState) -> bool {
    view.all_notes.is_empty()
        && !view.has_notes
        && view.pending.is_none()
        && state.shown.passage.is_none()
}

/// Draws the cards.
pub fn show(ui: &mut Ui, view: &View, state: &mut EditorState) {
    ui.add_space((ui.available_height() / 2.0 - CARD_HEIGHT).max(4.0));
    ui.vertical_centered(|ui| {
        let text = RichText::new(headline(view)).size(15.0);
        ui.label(text.color(palette(ui).faint));
    });
    ui.add_space(12.0);
    let gap = ui.spacing().item_spacing.x;
    let width = ((ui.available_width() - 2.0 * gap) / 3.0).min(CARD_WIDTH);
    let margin = (ui.available_width() - 3.0 * width - 2.0 * gap).max(0.0) / 2.0;
    ui.horizontal(|ui| {
        ui.add_space(margin);
        card(ui, width, "Play the track", |ui| {
            ui.label("Start playback in your DAW. Hits appear here and leave as MIDI.");
        });
        card(ui, width, "Drop a recording", |ui| {
            ui.label("Drop an audio file anywhere on this window, or");
            if ui.button("Open audio…").clicked() {
                state.import.request = Some(FileKind::Audio);
            }
        });
        card(ui, width, "Try the demo", |ui| {
            ui.label("Eight bars of drums that come with Hitscribe.");
            let is_idle = state.import.queue.is_idle();
            let button = egui::Button::new("Transcribe the demo");
            if ui.add_enabled(is_idle, button).clicked() {
                import_bar::transcribe(Recording::Demo, state);
            }
        });
    });
}

fn headline(view: &View) -> &'static str {
    match (&view.engine, view.sample_rate_hz > 0.0) {
        _ if view.problem.is_some() => "The audio passes through. The message below says why.",
        (_, false) => "Waiting for the host to start audio processing.",
        (None, _) => "Waiting for the engine.",
        _ if view.peaks.iter().any(|peak| *peak > 0.01) => "Listening…",
        _ => "Drums to MIDI: three ways to begin",
    }
}

fn card(ui: &mut Ui, width: f32, title: &str, content: impl FnOnce(&mut Ui)) {
    let frame = Frame::new()
        .fill(palette(ui).panel)
        .corner_radius(6)
        .inner_margin(Margin::same(12));
    ui.allocate_ui_with_layout(
        [width, CARD_HEIGHT].into(),
        Layout::top_down(Align::Min),
        |ui| {
            frame.show(ui, |ui| {
                ui.set_min_size([width - 24.0, CARD_HEIGHT - 24.0].into());
                ui.label(RichText::new(title).size(15.0).strong());
                ui.add_space(4.0);
                content(ui);
            });
        },
    );
}
