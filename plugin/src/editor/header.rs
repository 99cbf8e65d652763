//! The band at the top: what the track contains, the shown take, undo and redo, presets and the two
//! settings to compare, the pages at the side.

use egui::{Button, Grid, RichText, Ui};
use nice_plug::prelude::{Enum as _, ParamSetter};

use crate::editor::side_panel::SidePage;
use crate::editor::state::EditorState;
use crate::editor::style::palette;
use crate::editor::view::View;
use crate::editor::{controls, editing, presets_menu, take_menu};
use crate::params::HitscribeParams;
use crate::params::choices::SourceChoice;

/// The name of the plugin is left out of a narrower window.
const NAME_FROM_WIDTH: f32 = 900.0;
/// Space for everything right of the menu of takes.
const RIGHT_WIDTH: f32 = 502.0;

/// Draws the band.
pub fn header(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    setter: Option<&ParamSetter>,
    state: &mut EditorState,
) {
    ui.horizontal(|ui| {
        if ui.available_width() >= NAME_FROM_WIDTH {
            let name = RichText::new("Hitscribe").size(18.0).strong();
            ui.label(name.color(palette(ui).accent));
            ui.separator();
        }
        source_menu(ui, params, setter);
        let width = (ui.available_width() - RIGHT_WIDTH).clamp(100.0, 320.0);
        take_menu::show(ui, params, view, state, width);
        undo_buttons(ui, params, view, state);
        presets_menu::show(ui, params, state);
        presets_menu::compare(ui, params, setter);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            for page in SidePage::ALL.into_iter().rev() {
                let is_open = state.side.page == Some(page);
                let button = ui.add(Button::new(page.title()).selected(is_open));
                if button.on_hover_text(page.hint()).clicked() {
                    state.side.page = (!is_open).then_some(page);
                }
            }
        });
    });
}

/// All sources at once, in two columns.
fn source_menu(ui: &mut Ui, params: &HitscribeParams, setter: Option<&ParamSetter>) {
    let names = SourceChoice::variants();
    let current = params.source.value().to_index();
    let name = names.get(current).copied().unwrap_or_default();
    let text = format!("{name} ▾");
    let menu = ui.menu_button(text, |ui| {
        Grid::new("sources").num_columns(2).show(ui, |ui| {
            let rows = names.len().div_ceil(2);
            for row in 0..rows {
                for index in [row, row + rows] {
                    let Some(name) = names.get(index) else {
                        continue;
                    };
                    if ui.selectable_label(index == current, *name).clicked() {
                        controls::set(setter, &params.source, SourceChoice::from_index(index));
                        ui.close();
                    }
                }
                ui.end_row();
            }
        });
    });
    let button = menu.response.accessible_name(format!("Source: {name}"));
    button.on_hover_text(
        "Source: what is on this track. Anything else is treated as bleed and ignored.",
    );
}

fn undo_buttons(ui: &mut Ui, params: &HitscribeParams, view: &View, state: &mut EditorState) {
    let (can_undo, can_redo) = state.editing.history.can();
    let undo = ui.add_enabled(can_undo, Button::new("Undo"));
    if undo.on_hover_text("Ctrl + Z").clicked() {
        editing::step(params, state, false);
    }
    let redo = ui.add_enabled(can_redo, Button::new("Redo"));
    if redo.on_hover_text("Ctrl + Shift + Z").clicked() {
        editing::step(params, state, true);
    }
    let reset = ui.add_enabled(view.has_edits, Button::new("Reset"));
    let hint = "Removes all edits: the take is as it was detected. Can be undone.";
    if reset.on_hover_text(hint).clicked() {
        editing::reset(params, view, state, true);
    }
}
