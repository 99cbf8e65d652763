//! The line at the bottom: delay, model, load, and what went wrong.

use egui::{Button, RichText, Ui};
use hitscribe_live::{EngineStatus, Phase};
use nice_plug::prelude::ParamSetter;

use crate::editor::problem::Repair;
use crate::editor::style::palette;
use crate::editor::view::View;
use crate::editor::{controls, model_menu};
use crate::params::HitscribeParams;
use crate::params::choices::{DeviceParam, LatencyMode};
use crate::status::Pending;

/// Draws the problem, if there is one, with a button that repairs it.
pub fn problem(ui: &mut Ui, params: &HitscribeParams, setter: Option<&ParamSetter>, view: &View) {
    let Some(problem) = &view.problem else { return };
    ui.horizontal_wrapped(|ui| {
        let label = ui.label(RichText::new(&problem.text).color(palette(ui).alarm));
        if let Some(detail) = &problem.detail {
            label.on_hover_text(detail);
        }
        let Some(repair) = problem.repair else { return };
        if ui.button(repair.title()).clicked() {
            match repair {
                Repair::UseBuiltIn => params.model.choose(None),
                Repair::UseCpu => controls::set(setter, &params.device, DeviceParam::Cpu),
            }
        }
    });
}

/// Draws the line.
pub fn footer(ui: &mut Ui, params: &HitscribeParams, setter: Option<&ParamSetter>, view: &View) {
    ui.horizontal(|ui| {
        timing(ui, params, setter, view);
        if view.pending_change == Some(Pending::PitchedNotes) {
            let text = RichText::new("Pitched notes from the next start");
            let hint = "This source has pitched notes. They are transcribed from the next start of \
                        playback on, because they take longer.";
            ui.label(text.color(palette(ui).accent)).on_hover_text(hint);
        }
        if view.is_rendering {
            ui.label(RichText::new("Rendering offline").color(palette(ui).accent));
        }
        let engine = view.engine.as_ref();
        let is_ready = engine.is_some_and(|engine| engine.phase == Phase::Ready);
        match view.model.as_ref().filter(|_| is_ready) {
            Some((choice, status)) => model_menu::status_label(ui, choice, status.as_ref()),
            None => builtin_label(ui, engine, params.device.value()),
        }
        if view.sample_rate_hz > 0.0 {
            let text = format!("CPU {:.0} %", view.engine_load * 100.0);
            ui.label(RichText::new(text).color(palette(ui).faint))
                .on_hover_text("Share of one core, for all tracks");
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            warnings(ui, view);
        });
    });
}

/// The delay; a click changes between the two ways to handle it.
fn timing(ui: &mut Ui, params: &HitscribeParams, setter: Option<&ParamSetter>, view: &View) {
    let seconds = view.midi_delay_seconds;
    let text = match (view.sample_rate_hz > 0.0, view.is_aligned) {
        (false, _) => "Not active".to_owned(),
        (true, false) => format!("Live, MIDI {seconds:.2} s late"),
        (true, true) => format!("In sync, {seconds:.2} s latency"),
    };
    let (other, hint) = match params.latency_mode.value() {
        LatencyMode::Direct => (
            LatencyMode::Aligned,
            "Click for In sync: the audio is delayed by the same time, which the host compensates.",
        ),
        LatencyMode::Aligned => (
            LatencyMode::Direct,
            "Click for Live: the audio is not delayed, MIDI follows later.",
        ),
    };
    let text = match view.pending_change == Some(Pending::Delay) {
        true => format!("{text} (changes at the next start)"),
        false => text,
    };
    if ui
        .add(Button::new(text).small())
        .on_hover_text(hint)
        .clicked()
    {
        controls::set(setter, &params.latency_mode, other);
    }
}

fn warnings(ui: &mut Ui, view: &View) {
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
        let hint = "Found too late to be sent live. They are in the take.";
        warning(ui, text, hint);
    }
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
            // The project asks for a GPU, and there is none.
            let has_no_gpu = choice == DeviceParam::Gpu && engine.reason.is_some();
            let color = match has_no_gpu {
                true => palette(ui).alarm,
                false => palette(ui).text,
            };
            if has_no_gpu {
                text += ", GPU not available";
            }
            let label = ui.label(RichText::new(text).color(color));
            if let Some(reason) = &engine.reason {
                label.on_hover_text(reason);
            }
        }
    }
}
