//! Draws the whole editor from its state: header, lanes, actions, footer, and a page at the side.

use std::sync::Arc;

use egui::accesskit::Live;
use egui::{CentralPanel, Key, Label, Modifiers, Panel, RichText, Ui};
use nice_plug::prelude::ParamSetter;

use crate::background::preview::Preview;
use crate::editor::action_bar::action_bar;
use crate::editor::footer::{self, footer};
use crate::editor::header::header;
use crate::editor::import_bar::import_bar;
use crate::editor::side_panel::side_panel;
use crate::editor::state::EditorState;
use crate::editor::style::palette;
use crate::editor::view::View;
use crate::editor::{controls, editing, empty_state, export, host_menu, lanes, preview_button};
use crate::params::HitscribeParams;

/// Draws everything. `setter` is none without a host, as in tests.
pub fn draw(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    setter: Option<&ParamSetter>,
    preview: &Arc<Preview>,
    state: &mut EditorState,
) {
    ui.ctx()
        .accesskit_node_builder(egui::accesskit_root_id(), |node| {
            node.set_label("Hitscribe")
        });
    host_menu::begin_frame(ui.ctx(), &params.indications, view.has_host_menu);
    state.editing.follow(view.passage_id);
    handle_keys(ui, params, view, preview, state);
    Panel::top("header").show(ui, |ui| {
        ui.add_space(6.0);
        header(ui, params, view, setter, state);
        ui.add_space(4.0);
    });
    Panel::bottom("footer").show(ui, |ui| {
        footer::problem(ui, params, setter, view);
        footer(ui, params, setter, view);
    });
    Panel::bottom("actions").show(ui, |ui| {
        ui.add_space(4.0);
        import_bar(ui, params, state);
        action_bar(ui, params, view, setter, preview, state);
        ui.add_space(4.0);
    });
    side_panel(ui, params, view, setter, state);
    CentralPanel::default().show(ui, |ui| {
        if empty_state::is_empty(view, state) {
            empty_state::show(ui, view, state);
        } else {
            view_bar(ui, params, view, state);
            lanes::lanes(ui, params, view, preview, state);
        }
    });
    if let Some(settings) = state.wanted_settings.take() {
        settings.apply(params, setter);
    }
}

/// Handles the editor's keys unless a text field has the focus.
fn handle_keys(
    ui: &Ui,
    params: &HitscribeParams,
    view: &View,
    preview: &Arc<Preview>,
    state: &mut EditorState,
) {
    if ui.ctx().memory(|memory| memory.focused().is_some()) {
        return;
    }
    editing::handle_keys(ui, params, view, state);
    let pressed = |modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
    let (length, window) = (view.length_seconds, view.window.clone());
    let (span, middle) = (window.end - window.start, (window.start + window.end) / 2.0);
    let viewport = &mut state.shown.viewport;
    if pressed(Modifiers::NONE, Key::ArrowLeft) {
        viewport.scroll(-span / 8.0, length);
    }
    if pressed(Modifiers::NONE, Key::ArrowRight) {
        viewport.scroll(span / 8.0, length);
    }
    if pressed(Modifiers::NONE, Key::Plus) || pressed(Modifiers::NONE, Key::ArrowUp) {
        viewport.zoom(1.25, middle, length);
    }
    if pressed(Modifiers::NONE, Key::Minus) || pressed(Modifiers::NONE, Key::ArrowDown) {
        viewport.zoom(0.8, middle, length);
    }
    if pressed(Modifiers::NONE, Key::Home) {
        viewport.scroll(-length, length);
    }
    if pressed(Modifiers::NONE, Key::End) {
        viewport.follow();
    }
    if pressed(Modifiers::COMMAND, Key::A) {
        viewport.select_from(0.0);
        viewport.select_to(length);
    }
    if pressed(Modifiers::NONE, Key::Escape) {
        viewport.deselect();
        state.shown.class = None;
        state.editing.chosen.clear();
    }
    if pressed(Modifiers::COMMAND, Key::S) && view.shown_notes > 0 {
        export::save(params, state);
    }
    if pressed(Modifiers::NONE, Key::H) && view.shown_notes > 0 {
        preview_button::toggle(params, view, preview, state);
    }
}

/// The visible range, the zoom buttons, and what is chosen or selected.
fn view_bar(ui: &mut Ui, params: &HitscribeParams, view: &View, state: &mut EditorState) {
    ui.horizontal(|ui| {
        let length = view.length_seconds;
        let viewport = &mut state.shown.viewport;
        let start = view.window.start.max(0.0);
        let visible = (view.window.end.min(length) - start).max(0.0);
        let text = format!("{visible:.1} of {length:.1} s");
        ui.label(RichText::new(text).size(11.5).color(palette(ui).faint));
        let middle = (view.window.start + view.window.end) / 2.0;
        let hint = "Also with Ctrl and the mouse wheel, or with + and −";
        let zoom_out = ui.small_button("−").accessible_name("Zoom out");
        if zoom_out.on_hover_text(hint).clicked() {
            viewport.zoom(0.5, middle, length);
        }
        let zoom_in = ui.small_button("+").accessible_name("Zoom in");
        if zoom_in.on_hover_text(hint).clicked() {
            viewport.zoom(2.0, middle, length);
        }
        if ui
            .small_button("Show all")
            .on_hover_text("Shows the whole take")
            .clicked()
        {
            viewport.show_all(length);
        }
        let mut follows = viewport.follows();
        let hint = "Keeps the newest notes in view (End key)";
        if controls::toggle(ui, &mut follows, "Follow")
            .on_hover_text(hint)
            .clicked()
            && follows
        {
            viewport.follow();
        }
        controls::toggle(ui, &mut state.shown.is_raw, "As detected").on_hover_text(
            "Shows notes as they were detected: without note map, velocity curve and quantization",
        );
        let accent = |text: String| RichText::new(text).size(11.5);
        if let Some(text) = editing::description(params, view, &state.editing) {
            delete_button(ui, params, view, state);
            let text = accent(text).color(palette(ui).accent);
            let chosen = ui.add(Label::new(text).truncate());
            // Read when another hit is chosen by the keyboard.
            ui.ctx()
                .accesskit_node_builder(chosen.id, |node| node.set_live(Live::Polite));
        } else if !view.selection.is_empty() {
            delete_button(ui, params, view, state);
            ui.label(accent(view.selection.clone()).color(palette(ui).accent));
            if ui.small_button("Deselect").on_hover_text("Esc").clicked() {
                state.shown.viewport.deselect();
            }
        } else if view.shown_notes > 0 {
            let text = "Click a hit, then Delete, to remove it. Click a hollow one, which is not exported, to \
                        add it. Drag to move, drag beside hits to select.";
            let text = accent(text.to_owned()).color(palette(ui).faint);
            ui.add(Label::new(text).truncate());
        }
    });
}

/// For hosts that keep the key for themselves.
fn delete_button(ui: &mut Ui, params: &HitscribeParams, view: &View, state: &mut EditorState) {
    let button = ui.small_button("Delete");
    if button.on_hover_text("Delete key").clicked() {
        editing::delete(params, view, state);
    }
}

#[cfg(test)]
mod tests;
