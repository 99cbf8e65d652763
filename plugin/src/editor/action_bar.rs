//! The band of actions: how sensitive, how quantized, how it sounds, and the clip to drag.

use std::sync::Arc;

use egui::{Align, Button, Layout, RichText, Slider, Ui};
use nice_plug::prelude::{Enum as _, ParamSetter};

use crate::background::preview::Preview;
use crate::editor::state::EditorState;
use crate::editor::style::palette;
use crate::editor::view::View;
use crate::editor::{clip_tile, controls, export, preview_button};
use crate::notes::quantize::Grid;
use crate::params::HitscribeParams;
use crate::user_files;

/// Draws the band and runs its actions.
pub fn action_bar(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    setter: Option<&ParamSetter>,
    preview: &Arc<Preview>,
    state: &mut EditorState,
) {
    ui.horizontal(|ui| {
        ui.vertical(|ui| {
            ui.horizontal(|ui| detection(ui, params, view, setter));
            ui.horizontal(|ui| {
                controls::choice_named(
                    ui,
                    setter,
                    &params.grid,
                    "Quantize",
                    Grid::variants(),
                    "Grid that notes of dragged and saved files snap to. Strength and swing are under \
                     Groove.",
                );
                ui.separator();
                preview_button::show(ui, params, view, preview, state);
                balance(ui, preview);
            });
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            clip_tile::show(ui, params, view, state);
            let hint = format!("Writes a file to {}", user_files::save_folder().display());
            let text = match view.selection.is_empty() {
                true => "Save MIDI",
                false => "Save selection",
            };
            let save = ui.add_enabled(view.shown_notes > 0, Button::new(text));
            if save.on_hover_text(hint).clicked() {
                export::save(params, state);
            }
        });
    });
}

/// What becomes a note.
fn detection(ui: &mut Ui, params: &HitscribeParams, view: &View, setter: Option<&ParamSetter>) {
    controls::percentage(
        ui,
        setter,
        &params.sensitivity,
        "50 % is calibrated. Higher catches softer hits, but also more false ones. Acts on what has \
         been recorded as well.",
    );
    let hits = match view.shown_notes {
        1 => "1 hit".to_owned(),
        notes => format!("{notes} hits"),
    };
    ui.label(RichText::new(hits).strong());
    let hint = match view.filtered_notes {
        0 => "Removes pitched notes that are really drum hits.".to_owned(),
        removed => {
            format!("Removes pitched notes that are really drum hits: {removed} in this take.")
        }
    };
    controls::switch(ui, setter, &params.leakage_filter, &hint);
}

/// The levels of the track and the kit while the preview plays.
fn balance(ui: &mut Ui, preview: &Preview) {
    let mut balance = preview.balance();
    let faint = palette(ui).faint;
    ui.label(RichText::new("Track").color(faint).size(11.5));
    ui.spacing_mut().slider_width = 56.0;
    let slider = Slider::new(&mut balance, 0.0..=1.0).show_value(false);
    let hint = "What the preview plays: the track at the left, the kit at the right, both between. \
                A double click resets it.";
    let slider = ui.add(slider).accessible_name("Balance of track and kit");
    let response = slider.on_hover_text(hint);
    ui.label(RichText::new("Kit").color(faint).size(11.5));
    if response.double_clicked() {
        preview.set_balance(0.5);
    } else if response.changed() {
        preview.set_balance(balance);
    }
}
