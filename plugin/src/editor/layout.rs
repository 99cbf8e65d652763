//! The whole editor as a function of its state.

use std::sync::Arc;

use egui::{CentralPanel, Key, Modifiers, Panel, RichText, ScrollArea, Ui};
use hitscribe_core::DrumClass;
use hitscribe_live::{EngineStatus, Phase};
use nice_plug::prelude::ParamSetter;

use crate::background::audition::Audition;
pub use crate::editor::state::Memory;
use crate::editor::style::palette;
use crate::editor::view::{HitView, Place, View};
use crate::editor::{
    controls, lanes, model_menu, note_map_window, shaping_window, style, take_bar,
};
use crate::params::HitscribeParams;

/// Draws everything. `setter` is missing where there is no host, as in tests.
pub fn draw(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    setter: Option<&ParamSetter>,
    audition: &Arc<Audition>,
    memory: &mut Memory,
) {
    keys(ui, params, view, audition, memory);
    Panel::top("head").show(ui, |ui| {
        ui.add_space(4.0);
        head(ui, params, view);
        ui.add_space(2.0);
        settings(ui, params, setter, memory);
        ui.add_space(2.0);
        take_bar::take_bar(ui, params, view, audition, memory);
        ui.add_space(4.0);
    });
    Panel::bottom("status").show(ui, |ui| status(ui, params, setter, view, memory));
    Panel::right("notes")
        .exact_size(178.0)
        .resizable(false)
        .show(ui, |ui| {
            last_notes(ui, view);
        });
    CentralPanel::default().show(ui, |ui| {
        place_bar(ui, view, memory);
        lanes::lanes(ui, view, memory);
    });
    note_map_window::map_window(ui, &params.note_map, &mut memory.map);
    shaping_window::feel_window(ui, params, setter, memory);
}

/// What keys do while nothing is being typed.
fn keys(
    ui: &Ui,
    params: &HitscribeParams,
    view: &View,
    audition: &Arc<Audition>,
    memory: &mut Memory,
) {
    if ui.ctx().memory(|memory| memory.focused().is_some()) {
        return;
    }
    let pressed = |modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
    let (length, window) = (view.length_seconds, view.window.clone());
    let (span, middle) = (window.end - window.start, (window.start + window.end) / 2.0);
    if pressed(Modifiers::NONE, Key::ArrowLeft) {
        memory.timeline.scroll(-span / 8.0, length);
    }
    if pressed(Modifiers::NONE, Key::ArrowRight) {
        memory.timeline.scroll(span / 8.0, length);
    }
    if pressed(Modifiers::NONE, Key::Plus) || pressed(Modifiers::NONE, Key::ArrowUp) {
        memory.timeline.zoom(1.25, middle, length);
    }
    if pressed(Modifiers::NONE, Key::Minus) || pressed(Modifiers::NONE, Key::ArrowDown) {
        memory.timeline.zoom(0.8, middle, length);
    }
    if pressed(Modifiers::NONE, Key::Home) {
        memory.timeline.scroll(-length, length);
    }
    if pressed(Modifiers::NONE, Key::End) {
        memory.timeline.follow();
    }
    if pressed(Modifiers::NONE, Key::Escape) {
        memory.timeline.deselect();
        memory.class = None;
    }
    if pressed(Modifiers::COMMAND, Key::A) {
        memory.timeline.select_from(0.0);
        memory.timeline.select_to(length);
    }
    if pressed(Modifiers::COMMAND, Key::S) && view.shown_notes > 0 {
        take_bar::save_now(params, memory);
    }
    if pressed(Modifiers::NONE, Key::H) && view.shown_notes > 0 {
        take_bar::toggle_audition(params, view, audition, memory);
    }
}

/// What part is shown, and the way to others.
fn place_bar(ui: &mut Ui, view: &View, memory: &mut Memory) {
    ui.horizontal(|ui| {
        let length = view.length_seconds;
        let shown = view.window.end.max(0.0) - view.window.start.max(0.0);
        let text = format!("{shown:.1} of {length:.1} s");
        ui.label(RichText::new(text).size(11.5).color(palette(ui).faint));
        let middle = (view.window.start + view.window.end) / 2.0;
        let hint = "Also: Ctrl and the wheel, + and −";
        if ui.small_button("−").on_hover_text(hint).clicked() {
            memory.timeline.zoom(0.5, middle, length);
        }
        if ui.small_button("+").on_hover_text(hint).clicked() {
            memory.timeline.zoom(2.0, middle, length);
        }
        if ui
            .small_button("All")
            .on_hover_text("The whole passage")
            .clicked()
        {
            memory.timeline.show_all(length);
        }
        let mut follows = memory.timeline.follows();
        let hint = "Scroll with what is heard. Also: End";
        if controls::toggle(ui, &mut follows, "Follow")
            .on_hover_text(hint)
            .clicked()
            && follows
        {
            memory.timeline.follow();
        }
        match memory.timeline.selection() {
            Some(part) => {
                let text = format!("Selected {:.2} s to {:.2} s", part.start, part.end);
                ui.label(RichText::new(text).size(11.5).color(palette(ui).accent));
                if ui.small_button("Deselect").on_hover_text("Esc").clicked() {
                    memory.timeline.deselect();
                }
            }
            None if view.shown_notes > 0 => {
                let text =
                    "Pull across the lanes to select. Click a drum's name to choose it alone, or pull it onto a track.";
                ui.label(RichText::new(text).size(11.5).color(palette(ui).faint));
            }
            None => {}
        }
    });
}

fn head(ui: &mut Ui, params: &HitscribeParams, view: &View) {
    ui.horizontal(|ui| {
        ui.label(
            RichText::new("Hitscribe")
                .size(18.0)
                .strong()
                .color(palette(ui).accent),
        );
        ui.separator();
        let milliseconds = view.constant_seconds * 1000.0;
        let text = match (view.sample_rate_hz > 0.0, view.is_aligned) {
            (false, _) => "Not active".to_owned(),
            (true, false) => format!("MIDI {milliseconds:.0} ms after the sound"),
            (true, true) => format!("Sound and MIDI together, {milliseconds:.0} ms latency"),
        };
        ui.label(text);
        if view.is_rendering {
            ui.label(
                RichText::new("Rendering: every note is waited for").color(palette(ui).accent),
            );
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let mut is_light = params.is_light.lock();
            let other = if *is_light { "Dark" } else { "Light" };
            if ui
                .small_button(other)
                .on_hover_text("Light or dark")
                .clicked()
            {
                *is_light = !*is_light;
                style::apply(ui.ctx(), *is_light);
            }
            let (kept, all) = view.note_counts;
            let mut text = format!("{kept} notes");
            if all > kept {
                text += &format!(", {} filtered", all - kept);
            }
            ui.label(text);
        });
    });
}

fn settings(
    ui: &mut Ui,
    params: &HitscribeParams,
    setter: Option<&ParamSetter>,
    memory: &mut Memory,
) {
    ui.horizontal_wrapped(|ui| {
        controls::choice(
            ui,
            setter,
            &params.source,
            "What is on this track. Hits of anything else are bleed and are left out.",
        );
        controls::share(
            ui,
            setter,
            &params.sensitivity,
            "50 % is what the model was tuned for. More finds softer hits, and more false ones.",
        );
        controls::switch(
            ui,
            setter,
            &params.leakage_filter,
            "Takes pitched notes away where only drums can be.",
        );
        controls::switch(
            ui,
            setter,
            &params.bypass,
            "Audio passes, nothing is transcribed.",
        );
    });
    ui.horizontal_wrapped(|ui| {
        controls::choice(
            ui,
            setter,
            &params.latency_mode,
            "Direct leaves the audio alone and sends MIDI a constant time later. Aligned delays \
             the audio by that constant, which the host compensates. Takes effect when the \
             transport stops.",
        );
        controls::choice(
            ui,
            setter,
            &params.hop,
            "Time between two runs of the engine. Shorter means less latency and more work. Takes \
             effect when the transport stops.",
        );
        controls::switch(
            ui,
            setter,
            &params.wait_for_every_note,
            "For hosts that render without saying so. Playback may stutter while this is on.",
        );
        controls::switch(
            ui,
            setter,
            &params.records_playing_only,
            "What is heard while the transport stands is sent, but not kept in the take.",
        );
        controls::toggle(ui, &mut memory.map.is_open, "Drums…")
            .on_hover_text("Which note each drum becomes, and which hits are left out");
        controls::toggle(ui, &mut memory.is_feel_open, "Feel…")
            .on_hover_text("Velocities, flams, the hi-hat's pedal, the grid of exports");
    });
}

fn status(
    ui: &mut Ui,
    params: &HitscribeParams,
    setter: Option<&ParamSetter>,
    view: &View,
    memory: &mut Memory,
) {
    if let Some(problem) = &view.problem {
        ui.label(RichText::new(problem).color(palette(ui).alarm));
    }
    ui.horizontal(|ui| {
        controls::choice(
            ui,
            setter,
            &params.device,
            "Where the model computes, for all tracks of this host. The model is loaded in the \
             background; until then the present device goes on.",
        );
        model_menu::choose(ui, params, &mut memory.models);
        let is_ready = view
            .engine
            .as_ref()
            .is_some_and(|e| e.phase == Phase::Ready);
        match view.model.as_ref().filter(|_| is_ready) {
            Some((choice, status)) => model_menu::line(ui, choice, status.as_ref()),
            None => builtin_line(ui, view.engine.as_ref()),
        }
        if view.sample_rate_hz > 0.0 {
            let text = format!("{:.1} kHz", view.sample_rate_hz / 1000.0);
            ui.label(RichText::new(text).color(palette(ui).faint));
            let text = format!("engine {:.0} % of a core", view.engine_load * 100.0);
            ui.label(RichText::new(text).color(palette(ui).faint));
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let count = |ui: &mut Ui, text: String, is_bad: bool, hint: &str| {
                let color = if is_bad {
                    palette(ui).alarm
                } else {
                    palette(ui).faint
                };
                ui.label(RichText::new(text).color(color))
                    .on_hover_text(hint);
            };
            if view.refused_notes > 0 {
                let text = format!("{} refused by the host", view.refused_notes);
                count(ui, text, true, "The host had no room for these events.");
            }
            count(
                ui,
                format!("{:.1} s dropped", view.dropped_seconds),
                view.dropped_seconds > 0.0,
                "Audio that the engine could not take because it did not keep up.",
            );
            count(
                ui,
                format!("{} late", view.late_notes),
                view.late_notes > 0,
                "Notes found too late to be played live. They are in the take.",
            );
        });
    });
}

/// What the built-in models compute on.
fn builtin_line(ui: &mut Ui, engine: Option<&EngineStatus>) {
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
            let mut text = format!("Model {} on {}", engine.model, engine.device);
            if engine.reason.is_some() {
                text += " (why?)";
            }
            let label = ui.label(text);
            if let Some(reason) = &engine.reason {
                label.on_hover_text(reason);
            }
        }
    }
}

fn last_notes(ui: &mut Ui, view: &View) {
    ui.add_space(4.0);
    ui.label(RichText::new("Last notes").strong());
    ui.separator();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        if view.last_notes.is_empty() {
            ui.label(RichText::new("Nothing heard yet").color(palette(ui).faint));
        }
        for hit in &view.last_notes {
            note_line(ui, hit);
        }
    });
}

fn note_line(ui: &mut Ui, hit: &HitView) {
    ui.horizontal(|ui| {
        let place = match hit.place {
            Place::Bar(bar, beat) => format!("{bar}:{beat:.2}"),
            Place::Seconds(seconds) => format!("{seconds:.2} s"),
        };
        ui.label(
            RichText::new(place)
                .monospace()
                .size(11.0)
                .color(palette(ui).faint),
        );
        let (name, color) = match hit.class {
            Some(class) => (DrumClass::label(class).to_owned(), palette(ui).class(class)),
            None => (format!("Key {}", hit.key), palette(ui).text),
        };
        ui.label(RichText::new(name).size(12.0).color(color));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let velocity = format!("{}", hit.velocity);
            ui.label(
                RichText::new(velocity)
                    .monospace()
                    .size(11.0)
                    .color(palette(ui).faint),
            );
        });
    });
}
