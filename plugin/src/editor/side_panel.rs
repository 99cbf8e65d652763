//! The pages at the right side of the window.

use egui::{Panel, RichText, ScrollArea, Ui};
use nice_plug::prelude::ParamSetter;

use crate::editor::state::EditorState;
use crate::editor::view::View;
use crate::editor::{drums_page, groove_page, settings_page};
use crate::params::HitscribeParams;

/// Width of the pages in points.
pub const WIDTH: f32 = 236.0;

/// A page at the side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SidePage {
    /// Note, channel, sensitivity and limits of each drum.
    Drums,
    /// Velocity curve, grace notes, hi-hat pedal, quantization.
    Groove,
    /// Timing, model, device, look.
    Settings,
}

impl SidePage {
    /// All pages in order.
    pub const ALL: [Self; 3] = [Self::Drums, Self::Groove, Self::Settings];

    /// The name on its button.
    pub fn title(self) -> &'static str {
        match self {
            Self::Drums => "Drums",
            Self::Groove => "Groove",
            Self::Settings => "Settings",
        }
    }

    /// What it is for.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Drums => "Drum map: note, channel, sensitivity and limits of each drum",
            Self::Groove => "Velocity curve, grace notes, hi-hat pedal, quantization",
            Self::Settings => "Timing, model, device, look and size",
        }
    }
}

/// State of the pages.
#[derive(Default)]
pub struct SideState {
    /// The open page.
    pub page: Option<SidePage>,
}

/// Draws the open page.
pub fn side_panel(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    setter: Option<&ParamSetter>,
    state: &mut EditorState,
) {
    let Some(page) = state.side.page else { return };
    let panel = Panel::right("side").resizable(false).exact_size(WIDTH);
    panel.show(ui, |ui| {
        ui.add_space(6.0);
        ui.horizontal(|ui| {
            ui.label(RichText::new(page.title()).size(15.0).strong());
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if ui.small_button("Close").clicked() {
                    state.side.page = None;
                }
            });
        });
        ui.separator();
        ScrollArea::vertical()
            .auto_shrink([false, false])
            .show(ui, |ui| match page {
                SidePage::Drums => {
                    let class = &mut state.shown.class;
                    drums_page::show(ui, &params.note_map, class, &mut state.note_map);
                }
                SidePage::Groove => groove_page::show(ui, params, setter, &state.shown),
                SidePage::Settings => settings_page::show(ui, params, view, setter, state),
            });
    });
}
