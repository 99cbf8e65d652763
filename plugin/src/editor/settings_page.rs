//! The settings page: timing, model, device, look and size.

use egui::{ComboBox, RichText, Ui};
use nice_plug::prelude::{Enum as _, ParamSetter};

use crate::editor::state::EditorState;
use crate::editor::style::{self, palette};
use crate::editor::view::View;
use crate::editor::{controls, device_menu, model_menu};
use crate::params::HitscribeParams;
use crate::params::choices::{Hop, ImportTempo};
use crate::params::window_shape::ZOOM_PERCENT;

/// Draws the page.
pub fn show(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    setter: Option<&ParamSetter>,
    state: &mut EditorState,
) {
    title(ui, "Timing");
    controls::choice_named(
        ui,
        setter,
        &params.latency_mode,
        "Timing",
        &timing_names(view),
        "Live leaves the audio unchanged and sends MIDI after a constant delay. In sync delays the \
         audio by the same time, which the host compensates. A change takes effect when the \
         transport is stopped.",
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
        "Auto detects offline rendering and then waits for every note. Always is for hosts where \
         this fails; playback may stutter.",
    );
    title(ui, "Recording");
    controls::switch(
        ui,
        setter,
        &params.records_playing_only,
        "While the transport is stopped, notes are sent but not kept in the take.",
    );
    controls::switch(
        ui,
        setter,
        &params.bypass,
        "Passes the audio through and transcribes nothing.",
    );
    import_tempo_menu(ui, params);
    title(ui, "Model");
    model_menu::choose(ui, params, &mut state.models);
    device_menu::choose(ui, setter, params, &state.devices);
    title(ui, "Window");
    look_menu(ui, params);
    zoom_menu(ui, params);
}

fn title(ui: &mut Ui, text: &str) {
    ui.add_space(6.0);
    ui.label(RichText::new(text).strong());
}

/// Names of the timing modes, with the current delay if it is known.
fn timing_names(view: &View) -> [String; 2] {
    let seconds = view.midi_delay_seconds;
    if seconds > 0.0 {
        [
            format!("Live (MIDI {seconds:.2} s late)"),
            format!("In sync ({seconds:.2} s latency)"),
        ]
    } else {
        ["Live (MIDI late)", "In sync (reports latency)"].map(str::to_owned)
    }
}

fn import_tempo_menu(ui: &mut Ui, params: &HitscribeParams) {
    let mut chosen = params.import_tempo.lock();
    let row = ui.horizontal(|ui| {
        ui.label(RichText::new("Tempo of opened files").color(palette(ui).faint));
        for (tempo, name) in [
            (ImportTempo::Host, "Host"),
            (ImportTempo::Recording, "File"),
        ] {
            ui.selectable_value(&mut *chosen, tempo, name)
                .accessible_name(format!("Tempo of opened files: {name}"));
        }
    });
    row.response.on_hover_text(
        "Host: notes are on the host's grid, at its last tempo. File: tempo, meter and bar lines \
         are found in the recording, so that a loop stays a loop at any tempo.",
    );
}

fn look_menu(ui: &mut Ui, params: &HitscribeParams) {
    let mut is_light = params.is_light.lock();
    ui.horizontal(|ui| {
        ui.label(RichText::new("Look").color(palette(ui).faint));
        for (light, name) in [(false, "Dark"), (true, "Light")] {
            let button = ui.selectable_value(&mut *is_light, light, name);
            if button.accessible_name(format!("Look: {name}")).clicked() {
                style::apply(ui.ctx(), light);
            }
        }
    });
}

/// The magnification of the window.
fn zoom_menu(ui: &mut Ui, params: &HitscribeParams) {
    let mut shape = params.window.lock();
    let zoom = (shape.zoom() * 100.0).round() as u16;
    let mut chosen = zoom;
    ui.horizontal(|ui| {
        let label = ui.label(RichText::new("Zoom").color(palette(ui).faint));
        let menu = ComboBox::from_id_salt("zoom").width(64.0);
        let shown = menu.selected_text(format!("{zoom} %")).show_ui(ui, |ui| {
            for percent in ZOOM_PERCENT {
                ui.selectable_value(&mut chosen, percent, format!("{percent} %"));
            }
        });
        let hint = "Size of this window and its text";
        shown.response.labelled_by(label.id).on_hover_text(hint);
    });
    if chosen != zoom {
        shape.set_zoom_percent(chosen);
        ui.ctx().set_zoom_factor(shape.zoom());
    }
}
