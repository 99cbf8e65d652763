//! The menu of presets, and the two settings that can be compared.

use egui::{Button, Key, RichText, ScrollArea, TextEdit, Ui};
use nice_plug::prelude::ParamSetter;

use crate::editor::state::EditorState;
use crate::editor::style::palette;
use crate::params::HitscribeParams;
use crate::params::compare;
use crate::params::settings::{Preset, Settings};
use crate::user_files;

/// Longest name of a preset, in characters.
const LONGEST_NAME: usize = 60;

/// State of the menu.
#[derive(Default)]
pub struct PresetMenu {
    /// The name to save under, while the menu is open.
    new_name: String,
    /// The user's presets when the menu was last opened.
    presets: Vec<Preset>,
    is_open: bool,
}

/// Draws the menu's button and the menu.
pub fn show(ui: &mut Ui, params: &HitscribeParams, state: &mut EditorState) {
    let menu = ui.menu_button("Presets ▾", |ui| {
        let menu = &mut state.presets;
        if !std::mem::replace(&mut menu.is_open, true) {
            menu.presets = user_files::presets(&user_files::preset_folder());
        }
        entries(ui, params, state);
    });
    state.presets.is_open = menu.inner.is_some();
    menu.response
        .accessible_name("Presets")
        .on_hover_text("All settings without the take, for other projects");
}

fn entries(ui: &mut Ui, params: &HitscribeParams, state: &mut EditorState) {
    let mut chosen = None;
    if ui.button("Default settings").clicked() {
        chosen = Some(Settings::of(&HitscribeParams::default()));
    }
    ScrollArea::vertical().max_height(280.0).show(ui, |ui| {
        for preset in &state.presets.presets {
            if ui.button(&preset.name).clicked() {
                chosen = Some(preset.settings.clone());
            }
        }
    });
    if let Some(settings) = chosen {
        load(params, state, settings);
        ui.close();
    }
    ui.separator();
    ui.label(RichText::new("Save the settings as").color(palette(ui).faint));
    ui.horizontal(|ui| {
        let field = TextEdit::singleline(&mut state.presets.new_name)
            .char_limit(LONGEST_NAME)
            .desired_width(130.0);
        let field = ui.add(field).accessible_name("Name of the preset");
        let is_entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let name = state.presets.new_name.trim().to_owned();
        let button = ui.add_enabled(!name.is_empty(), Button::new("Save"));
        if (button.clicked() || is_entered) && !name.is_empty() {
            save(params, state, name);
            ui.close();
        }
    });
}

/// Makes these the settings, as a step that can be undone.
pub fn load(params: &HitscribeParams, state: &mut EditorState, settings: Settings) {
    let before = Settings::of(params);
    if before != settings {
        state.editing.history.settings_changed(before);
        state.wanted_settings = Some(settings);
    }
}

fn save(params: &HitscribeParams, state: &mut EditorState, name: String) {
    let preset = Preset::new(name, Settings::of(params));
    let saved = user_files::save_preset(&user_files::preset_folder(), &preset);
    state.message = Some(match saved {
        Ok(path) => format!("Saved {}", path.display()),
        Err(reason) => format!("Not saved: {reason}"),
    });
    state.presets.new_name.clear();
}

/// Draws the buttons A and B.
pub fn compare(ui: &mut Ui, params: &HitscribeParams, setter: Option<&ParamSetter>) {
    let is_b = params.compare.lock().is_b();
    let [this, other] = if is_b { ["B", "A"] } else { ["A", "B"] };
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        for name in ["A", "B"] {
            let button = ui.add(Button::new(name).selected(name == this));
            let button = button.accessible_name(format!("Settings {name}"));
            if button.clicked() && name == other {
                compare::switch(params, setter);
            }
            button.context_menu(|ui| {
                if ui.button(format!("Copy {this} to {other}")).clicked() {
                    params.compare.lock().copy_to_other(params);
                    ui.close();
                }
            });
            button.on_hover_text(
                "Two settings to compare, without the take. B begins as a copy of A; a right click \
                 copies.",
            );
        }
    });
}
