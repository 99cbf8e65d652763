//! The drums page: note, channel, sensitivity and limits of each drum.

use std::path::Path;

use egui::{Button, ComboBox, DragValue, Grid, Key, RichText, TextEdit, Ui};
use hitscribe_core::DrumClass;
use hitscribe_core::midi::NoteMap;

use crate::editor::style::palette;
use crate::notes::note_map::NoteMapField;
use crate::user_files;

/// State of the menu.
#[derive(Default)]
pub struct MapMenu {
    /// Whether it is open.
    pub is_open: bool,
    /// The name to save under, while the user types it.
    new_name: Option<String>,
    /// The user's maps when the menu was last opened.
    user_maps: Vec<NoteMap>,
    /// Result of the last action.
    message: Option<String>,
    /// The user has requested the file dialog.
    pub is_file_requested: bool,
}

/// Draws the page. A click on a drum's name chooses it.
pub fn show(ui: &mut Ui, map: &NoteMapField, chosen: &mut Option<DrumClass>, menu: &mut MapMenu) {
    let label = ui.label(RichText::new("Note map").color(palette(ui).faint));
    ui.label_inputs_by(label.id, |ui| choose(ui, map, menu));
    ui.horizontal(|ui| {
        let open = ui.button("Open…");
        if open.on_hover_text("Loads a note map file").clicked() {
            menu.is_file_requested = true;
        }
        save(ui, map, menu);
    });
    if let Some(message) = &menu.message {
        ui.label(RichText::new(message).color(palette(ui).faint).size(11.5));
    }
    ui.separator();
    if let Some(class) = *chosen {
        limits(ui, map, class);
    } else {
        let text = "Choose a drum for its sensitivity and limits.";
        ui.label(RichText::new(text).color(palette(ui).faint).size(11.5));
    }
    ui.separator();
    table(ui, map, chosen);
}

/// Sensitivity and limits of one drum.
fn limits(ui: &mut Ui, map: &NoteMapField, class: DrumClass) {
    let before = map.class(class);
    let mut entry = before;
    ui.horizontal(|ui| {
        ui.label(RichText::new("●").color(palette(ui).class(class)));
        ui.label(RichText::new(class.label()).strong());
    });
    Grid::new("limits").num_columns(2).show(ui, |ui| {
        let faint = palette(ui).faint;
        let mut row = |name: &str, hint: &str, field: DragValue<'_>| {
            let label = ui.label(RichText::new(name).color(faint));
            let response = ui.add(field).labelled_by(label.id).on_hover_text(hint);
            ui.end_row();
            response
        };
        row(
            "Sensitivity",
            "Added to the sensitivity for this drum",
            DragValue::new(&mut entry.sensitivity_percent)
                .range(-50..=50)
                .custom_formatter(|value, _| format!("{value:+.0} %")),
        );
        row(
            "Min. velocity",
            "Ignore hits below this velocity",
            DragValue::new(&mut entry.min_velocity).range(1..=127),
        );
        row(
            "Retrigger",
            "Ignore hits closer than this",
            DragValue::new(&mut entry.retrigger_ms)
                .range(0..=1000)
                .suffix(" ms"),
        );
    });
    if entry != before {
        map.set_class(class, entry);
    }
}

/// Loads a note map file.
pub fn load(map: &NoteMapField, path: &Path, menu: &mut MapMenu) {
    menu.message = Some(match user_files::read_note_map(path) {
        Ok(read) => {
            map.replace(&read);
            format!("Loaded {}", path.display())
        }
        Err(reason) => reason,
    });
}

fn choose(ui: &mut Ui, map: &NoteMapField, menu: &mut MapMenu) {
    let response = ComboBox::from_id_salt("note map")
        .selected_text(map.name())
        .width(200.0)
        .show_ui(ui, |ui| {
            for preset in hitscribe_presets::note_maps().iter().chain(&menu.user_maps) {
                let is_chosen = preset.name == map.name();
                let mut label = ui.selectable_label(is_chosen, &preset.name);
                if !preset.source.is_empty() {
                    label = label.on_hover_text(format!("Keys from {}", preset.source));
                }
                if label.clicked() {
                    map.replace(preset);
                }
            }
        });
    if response.response.clicked() {
        menu.user_maps = user_files::note_maps(&user_files::map_folder());
    }
}

fn save(ui: &mut Ui, map: &NoteMapField, menu: &mut MapMenu) {
    let Some(name) = &mut menu.new_name else {
        let folder = user_files::map_folder();
        let hint = format!("Saves the map for other projects in {}", folder.display());
        if ui.button("Save as…").on_hover_text(hint).clicked() {
            menu.new_name = Some(map.name());
        }
        return;
    };
    let field = TextEdit::singleline(name).desired_width(130.0);
    let response = ui.add(field).accessible_name("Name of the note map");
    let is_entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let is_named = !name.trim().is_empty();
    let is_saved = ui.add_enabled(is_named, Button::new("Save")).clicked();
    if (is_saved || is_entered) && is_named {
        let named = NoteMap {
            name: name.trim().to_owned(),
            ..map.current()
        };
        menu.message = Some(
            match user_files::save_note_map(&user_files::map_folder(), &named) {
                Ok(path) => format!("Saved {}", path.display()),
                Err(reason) => format!("Not saved: {reason}"),
            },
        );
        map.replace(&named);
        menu.new_name = None;
    } else if ui.button("Cancel").clicked() {
        menu.new_name = None;
    }
}

/// Whether and how each drum is sent.
fn table(ui: &mut Ui, map: &NoteMapField, chosen: &mut Option<DrumClass>) {
    let grid = Grid::new("drums")
        .num_columns(4)
        .spacing([8.0, 3.0])
        .min_col_width(0.0);
    grid.striped(true).show(ui, |ui| {
        ui.allocate_space(egui::Vec2::ZERO);
        for title in ["Drum", "Note", "Channel"] {
            ui.label(RichText::new(title).color(palette(ui).faint).size(11.0));
        }
        ui.end_row();
        for class in DrumClass::ALL {
            let before = map.class(class);
            let mut entry = before;
            let name = format!("Send {}", class.label());
            ui.checkbox(&mut entry.on, "").on_hover_text(name);
            let is_chosen = *chosen == Some(class);
            if ui.selectable_label(is_chosen, class.label()).clicked() {
                *chosen = (!is_chosen).then_some(class);
            }
            let key = ui.add(DragValue::new(&mut entry.key).range(0..=127));
            key.accessible_name(format!("Note of {}", class.label()));
            let channel = ui.add(DragValue::new(&mut entry.channel).range(1..=16));
            channel.accessible_name(format!("Channel of {}", class.label()));
            ui.end_row();
            if entry != before {
                map.set_class(class, entry);
            }
        }
    });
}
