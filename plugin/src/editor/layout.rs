//! Draws the whole editor from its state.

use std::sync::Arc;

use egui::{CentralPanel, ComboBox, Key, Label, Modifiers, Panel, RichText, Ui};
use hitscribe_live::{EngineStatus, Phase};
use nice_plug::prelude::{Enum as _, ParamSetter};

use crate::background::preview::Preview;
use crate::editor::state::EditorState;
use crate::editor::style::palette;
use crate::editor::view::View;
use crate::editor::{
    controls, editing, export, lanes, model_menu, note_map_window, preview_button, shaping_window,
    style, take_bar,
};
use crate::params::HitscribeParams;
use crate::params::choices::{DeviceParam, Hop};
use crate::params::window_shape::ZOOM_PERCENT;

/// Draws everything. `setter` is none without a host, as in tests.
pub fn draw(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    setter: Option<&ParamSetter>,
    preview: &Arc<Preview>,
    state: &mut EditorState,
) {
    state.editing.follow(view.passage_id);
    handle_keys(ui, params, view, preview, state);
    Panel::top("head").show(ui, |ui| {
        ui.add_space(4.0);
        header(ui, params, view);
        ui.add_space(2.0);
        settings(ui, params, view, setter, state);
        ui.add_space(2.0);
        take_bar::take_bar(ui, params, view, preview, state);
        ui.add_space(4.0);
    });
    Panel::bottom("status").show(ui, |ui| footer(ui, params, setter, view, state));
    CentralPanel::default().show(ui, |ui| {
        view_bar(ui, params, view, state);
        lanes::lanes(ui, params, view, state);
    });
    note_map_window::show(ui, &params.note_map, &mut state.note_map);
    shaping_window::show(ui, params, setter, state);
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
        if ui.small_button("−").on_hover_text(hint).clicked() {
            viewport.zoom(0.5, middle, length);
        }
        if ui.small_button("+").on_hover_text(hint).clicked() {
            viewport.zoom(2.0, middle, length);
        }
        if ui
            .small_button("All")
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
        controls::toggle(ui, &mut state.shown.is_raw, "Raw").on_hover_text(
            "Shows notes as they were detected: without note map, velocity curve and quantization",
        );
        let accent = |text: String| RichText::new(text).size(11.5);
        if let Some(text) = editing::description(params, view, &state.editing) {
            ui.label(accent(text).color(palette(ui).accent));
        } else if let Some(range) = state.shown.viewport.selection() {
            let text = format!("Selected {:.2} s to {:.2} s", range.start, range.end);
            ui.label(accent(text).color(palette(ui).accent));
            if ui.small_button("Deselect").on_hover_text("Esc").clicked() {
                state.shown.viewport.deselect();
            }
        } else if view.shown_notes > 0 {
            let text = "Drag a hit to move it, click a hollow one to accept it, double-click to add \
                        one. Drag beside hits to select. Delete removes.";
            let text = accent(text.to_owned()).color(palette(ui).faint);
            ui.add(Label::new(text).truncate());
        }
    });
}

fn header(ui: &mut Ui, params: &HitscribeParams, view: &View) {
    ui.horizontal(|ui| {
        ui.label(
            RichText::new("Hitscribe")
                .size(18.0)
                .strong()
                .color(palette(ui).accent),
        );
        ui.separator();
        let seconds = view.midi_delay_seconds;
        let text = match (view.sample_rate_hz > 0.0, view.is_aligned) {
            (false, _) => "Not active".to_owned(),
            (true, false) => format!("MIDI delay {seconds:.2} s"),
            (true, true) => format!("In sync, {seconds:.2} s latency reported"),
        };
        ui.label(text);
        if view.is_rendering {
            ui.label(RichText::new("Rendering offline").color(palette(ui).accent));
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let mut is_light = params.is_light.lock();
            let other = if *is_light { "Dark" } else { "Light" };
            if ui
                .small_button(other)
                .on_hover_text("Switches between the light and the dark look")
                .clicked()
            {
                *is_light = !*is_light;
                style::apply(ui.ctx(), *is_light);
            }
            zoom_menu(ui, params);
            let mut text = format!("{} notes", view.shown_notes);
            if view.filtered_notes > 0 {
                text += &format!(", {} filtered", view.filtered_notes);
            }
            ui.label(text);
        });
    });
}

/// The magnification of the window.
fn zoom_menu(ui: &mut Ui, params: &HitscribeParams) {
    let mut shape = params.window.lock();
    let zoom = (shape.zoom() * 100.0).round() as u16;
    let mut chosen = zoom;
    let menu = ComboBox::from_id_salt("zoom").width(64.0);
    let shown = menu.selected_text(format!("{zoom} %")).show_ui(ui, |ui| {
        for percent in ZOOM_PERCENT {
            ui.selectable_value(&mut chosen, percent, format!("{percent} %"));
        }
    });
    shown
        .response
        .on_hover_text("Size of this window and its text");
    if chosen != zoom {
        shape.set_zoom_percent(chosen);
        ui.ctx().set_zoom_factor(shape.zoom());
    }
}

fn settings(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    setter: Option<&ParamSetter>,
    state: &mut EditorState,
) {
    ui.horizontal_wrapped(|ui| {
        controls::choice(
            ui,
            setter,
            &params.source,
            "What is on this track. Anything else is treated as bleed and ignored.",
        );
        controls::percentage(
            ui,
            setter,
            &params.sensitivity,
            "50 % is calibrated. Higher catches softer hits, but also more false ones. Acts on what \
             has been recorded as well.",
        );
        ui.label(RichText::new(format!("{} hits", view.shown_notes)).color(palette(ui).faint));
        controls::switch(
            ui,
            setter,
            &params.leakage_filter,
            "Removes pitched notes that are really drum hits.",
        );
        controls::switch(
            ui,
            setter,
            &params.bypass,
            "Passes the audio through and transcribes nothing.",
        );
    });
    ui.horizontal_wrapped(|ui| {
        controls::choice_named(
            ui,
            setter,
            &params.latency_mode,
            "Timing",
            &timing_names(view),
            "Live leaves the audio unchanged and sends MIDI after a constant delay. In sync delays \
             the audio by the same time, which the host compensates. A change takes effect when \
             the transport is stopped.",
        );
        controls::choice_named(
            ui,
            setter,
            &params.hop,
            "Update interval",
            Hop::variants(),
            "Shorter means less latency and more CPU. A change takes effect when the transport is \
             stopped.",
        );
        controls::switch_named(
            ui,
            setter,
            &params.wait_for_every_note,
            "Offline quality",
            &["Auto", "Always"],
            "Auto detects offline rendering and then waits for every note. Always is for hosts \
             where this fails; playback may stutter.",
        );
        controls::switch(
            ui,
            setter,
            &params.records_playing_only,
            "While the transport is stopped, notes are sent but not kept in the take.",
        );
        controls::toggle(ui, &mut state.note_map.is_open, "Drum map")
            .on_hover_text("Note, channel, sensitivity and limits of each drum");
        controls::toggle(ui, &mut state.is_shaping_open, "Velocity & groove")
            .on_hover_text("Velocity curve, grace notes, hi-hat pedal, quantization of exports");
    });
}

/// Names of the timing modes, with the current delay if it is known.
fn timing_names(view: &View) -> [String; 2] {
    let seconds = view.midi_delay_seconds;
    if seconds > 0.0 {
        [
            format!("Live (MIDI {seconds:.2} s late)"),
            format!("In sync (reports {seconds:.2} s latency)"),
        ]
    } else {
        ["Live (MIDI late)", "In sync (reports latency)"].map(str::to_owned)
    }
}

fn footer(
    ui: &mut Ui,
    params: &HitscribeParams,
    setter: Option<&ParamSetter>,
    view: &View,
    state: &mut EditorState,
) {
    if let Some(problem) = &view.problem {
        let label = ui.label(RichText::new(&problem.text).color(palette(ui).alarm));
        if let Some(detail) = &problem.detail {
            label.on_hover_text(detail);
        }
    }
    ui.horizontal(|ui| {
        controls::choice(
            ui,
            setter,
            &params.device,
            "The device that runs the models, for all tracks of this host. The current device stays \
             in use until the model is loaded on the new one.",
        );
        model_menu::choose(ui, params, &mut state.models);
        let is_ready = view
            .engine
            .as_ref()
            .is_some_and(|engine| engine.phase == Phase::Ready);
        match view.model.as_ref().filter(|_| is_ready) {
            Some((choice, status)) => model_menu::status_label(ui, choice, status.as_ref()),
            None => builtin_label(ui, view.engine.as_ref(), params.device.value()),
        }
        if view.sample_rate_hz > 0.0 {
            let text = format!("{:.1} kHz", view.sample_rate_hz / 1000.0);
            ui.label(RichText::new(text).color(palette(ui).faint));
            let text = format!("CPU {:.0} %", view.engine_load * 100.0);
            ui.label(RichText::new(text).color(palette(ui).faint))
                .on_hover_text("Share of one core, for all tracks");
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let warning = |ui: &mut Ui, text: String, hint: &str| {
                ui.label(RichText::new(text).color(palette(ui).alarm))
                    .on_hover_text(hint);
            };
            if view.refused_notes > 0 {
                let text = format!("{} notes refused by the host", view.refused_notes);
                warning(ui, text, "The host's event queue was full.");
            }
            if view.dropped_seconds > 0.0 {
                let text = format!("{:.1} s of audio lost", view.dropped_seconds);
                warning(ui, text, "The engine did not keep up with this audio.");
            }
            if view.late_notes > 0 {
                let text = format!("{} late notes", view.late_notes);
                warning(
                    ui,
                    text,
                    "Found too late to be sent live. They are in the take.",
                );
            }
        });
    });
}

/// Status of the built-in models.
fn builtin_label(ui: &mut Ui, engine: Option<&EngineStatus>, choice: DeviceParam) {
    let Some(engine) = engine else {
        ui.label(RichText::new("Engine not started").color(palette(ui).faint));
        return;
    };
    match engine.phase {
        Phase::Loading => {
            ui.label(RichText::new("Loading the model…").color(palette(ui).faint));
        }
        Phase::Failed => {
            ui.label(RichText::new("Engine stopped").color(palette(ui).alarm));
        }
        Phase::Ready => {
            let device = model_menu::device_name(&engine.device);
            let mut text = format!("{} model, {device}", engine.model);
            if engine.reason.is_some() {
                text += " ℹ";
            }
            // The project asks for a GPU, and there is none.
            let has_no_gpu = choice == DeviceParam::Gpu && engine.reason.is_some();
            let color = match has_no_gpu {
                true => palette(ui).alarm,
                false => palette(ui).text,
            };
            if has_no_gpu {
                text += " GPU not available";
            }
            let label = ui.label(RichText::new(text).color(color));
            if let Some(reason) = &engine.reason {
                label.on_hover_text(reason);
            }
        }
    }
}

#[cfg(test)]
mod tests;
