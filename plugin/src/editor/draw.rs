//! The whole editor as a function of its state.

use egui::{CentralPanel, Panel, RichText, ScrollArea, Ui};
use hitscribe_engine::DrumClass;
use hitscribe_engine::stream::Phase;
use nice_plug::prelude::ParamSetter;

pub use super::take_bar::Memory;
use super::view::{HitView, Place, View};
use super::{controls, lanes, map_window, style, take_bar};
use crate::params::HitscribeParams;

/// Draws everything. `setter` is missing where there is no host, as in tests.
pub fn draw(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    setter: Option<&ParamSetter>,
    memory: &mut Memory,
) {
    Panel::top("head").show(ui, |ui| {
        ui.add_space(4.0);
        head(ui, view);
        ui.add_space(2.0);
        settings(ui, params, setter, memory);
        ui.add_space(2.0);
        take_bar::take_bar(ui, params, view, memory);
        ui.add_space(4.0);
    });
    Panel::bottom("status").show(ui, |ui| status(ui, view));
    Panel::right("notes")
        .exact_size(178.0)
        .resizable(false)
        .show(ui, |ui| {
            last_notes(ui, view);
        });
    CentralPanel::default().show(ui, |ui| lanes::lanes(ui, view));
    map_window::map_window(ui, &params.note_map, &mut memory.is_map_open);
}

fn head(ui: &mut Ui, view: &View) {
    ui.horizontal(|ui| {
        ui.label(
            RichText::new("Hitscribe")
                .size(18.0)
                .strong()
                .color(style::ACCENT),
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
            ui.label(RichText::new("Rendering: every note is waited for").color(style::ACCENT));
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
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
        ui.toggle_value(&mut memory.is_map_open, "Drums…")
            .on_hover_text("Which note each drum becomes, and which hits are left out");
    });
}

fn status(ui: &mut Ui, view: &View) {
    if let Some(problem) = &view.problem {
        ui.label(RichText::new(problem).color(style::ALARM));
    }
    ui.horizontal(|ui| {
        match &view.engine {
            None => ui.label(RichText::new("Engine not started").color(style::FAINT)),
            Some(engine) => match engine.phase {
                Phase::Loading => ui.label(RichText::new("Loading the model…").color(style::FAINT)),
                Phase::Failed => ui.label(RichText::new("Engine stopped").color(style::ALARM)),
                Phase::Ready => {
                    let text = format!("Model {} on {}", engine.model, engine.device);
                    let label = ui.label(text);
                    match &engine.reason {
                        Some(reason) => label.on_hover_text(reason),
                        None => label,
                    }
                }
            },
        };
        if view.sample_rate_hz > 0.0 {
            let text = format!("{:.1} kHz", view.sample_rate_hz / 1000.0);
            ui.label(RichText::new(text).color(style::FAINT));
            let text = format!("engine {:.0} % of a core", view.engine_load * 100.0);
            ui.label(RichText::new(text).color(style::FAINT));
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let count = |ui: &mut Ui, text: String, is_bad: bool, hint: &str| {
                let color = if is_bad { style::ALARM } else { style::FAINT };
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

fn last_notes(ui: &mut Ui, view: &View) {
    ui.add_space(4.0);
    ui.label(RichText::new("Last notes").strong());
    ui.separator();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        if view.last_notes.is_empty() {
            ui.label(RichText::new("Nothing heard yet").color(style::FAINT));
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
                .color(style::FAINT),
        );
        let (name, color) = match hit.class {
            Some(class) => (
                DrumClass::label(class).to_owned(),
                style::class_color(class),
            ),
            None => (format!("Key {}", hit.key), style::TEXT),
        };
        ui.label(RichText::new(name).size(12.0).color(color));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let velocity = format!("{}", hit.velocity);
            ui.label(
                RichText::new(velocity)
                    .monospace()
                    .size(11.0)
                    .color(style::FAINT),
            );
        });
    });
}
