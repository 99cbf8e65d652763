//! The drum map window: note, channel, sensitivity and limits of each drum.

use std::path::Path;

use egui::scroll_area::ScrollBarVisibility;
use egui::style::ScrollStyle;
use egui::{Button, ComboBox, DragValue, Grid, Key, RichText, ScrollArea, TextEdit, Ui, Window};
use hitscribe_core::DrumClass;
use hitscribe_core::midi::NoteMap;

use crate::editor::style::palette;
use crate::notes::note_map::NoteMapField;
use crate::user_files;

/// State of the window.
#[derive(Default)]
pub struct NoteMapWindow {
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

/// Draws the window while it is open.
pub fn show(ui: &Ui, map: &NoteMapField, window: &mut NoteMapWindow) {
    let mut is_open = window.is_open;
    Window::new("Drum map")
        .open(&mut is_open)
        .default_pos([260.0, 110.0])
        .resizable(false)
        .show(ui.ctx(), |ui| {
            ui.horizontal(|ui| {
                ui.label(RichText::new("Note map").color(palette(ui).faint));
                choose(ui, map, window);
                if ui
                    .button("Open…")
                    .on_hover_text("Loads a note map file")
                    .clicked()
                {
                    window.is_file_requested = true;
                }
                save(ui, map, window);
            });
            if let Some(message) = &window.message {
                ui.label(RichText::new(message).color(palette(ui).faint).size(11.5));
            }
            ui.separator();
            // The table is longer than the window, so the scroll bar is always visible.
            ui.spacing_mut().scroll = ScrollStyle::solid();
            ScrollArea::vertical()
                .max_height(380.0)
                .scroll_bar_visibility(ScrollBarVisibility::AlwaysVisible)
                .show(ui, |ui| table(ui, map));
        });
    window.is_open = is_open;
}

/// Loads a note map file.
pub fn load(map: &NoteMapField, path: &Path, window: &mut NoteMapWindow) {
    window.message = Some(match user_files::read_note_map(path) {
        Ok(read) => {
            map.replace(&read);
            format!("Loaded {}", path.display())
        }
        Err(reason) => reason,
    });
}

fn choose(ui: &mut Ui, map: &NoteMapField, window: &mut NoteMapWindow) {
    let response = ComboBox::from_id_salt("note map")
        .selected_text(map.name())
        .width(190.0)
        .show_ui(ui, |ui| {
            for preset in hitscribe_presets::note_maps()
                .iter()
                .chain(&window.user_maps)
            {
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
        window.user_maps = user_files::note_maps(&user_files::map_folder());
    }
}

fn save(ui: &mut Ui, map: &NoteMapField, window: &mut NoteMapWindow) {
    let Some(name) = &mut window.new_name else {
        let folder = user_files::map_folder();
        let hint = format!("Saves the map for other projects in {}", folder.display());
        if ui.button("Save as…").on_hover_text(hint).clicked() {
            window.new_name = Some(map.name());
        }
        return;
    };
    let response = ui.add(TextEdit::singleline(name).desired_width(130.0));
    let is_entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    let is_named = !name.trim().is_empty();
    let is_saved = ui.add_enabled(is_named, Button::new("Save")).clicked();
    if (is_saved || is_entered) && is_named {
        let named = NoteMap {
            name: name.trim().to_owned(),
            ..map.current()
        };
        window.message = Some(
            match user_files::save_note_map(&user_files::map_folder(), &named) {
                Ok(path) => format!("Saved {}", path.display()),
                Err(reason) => format!("Not saved: {reason}"),
            },
        );
        map.replace(&named);
        window.new_name = None;
    } else if ui.button("Cancel").clicked() {
        window.new_name = None;
    }
}

fn table(ui: &mut Ui, map: &NoteMapField) {
    Grid::new("drums")
        .num_columns(7)
        .spacing([10.0, 3.0])
        .striped(true)
        .show(ui, |ui| {
            let titles = [
                "",
                "Drum",
                "Sensitivity",
                "Note",
                "Channel",
                "Min. velocity",
                "Retrigger",
            ];
            for title in titles {
                ui.label(RichText::new(title).color(palette(ui).faint).size(11.0));
            }
            ui.end_row();
            for class in DrumClass::ALL {
                let before = map.class(class);
                let mut entry = before;
                ui.checkbox(&mut entry.on, "")
                    .on_hover_text(format!("Send {}", class.label()));
                ui.horizontal(|ui| {
                    ui.label(RichText::new("●").color(palette(ui).class(class)));
                    ui.label(class.label());
                });
                ui.add(
                    DragValue::new(&mut entry.sensitivity_percent)
                        .range(-50..=50)
                        .custom_formatter(|value, _| format!("{value:+.0} %")),
                )
                .on_hover_text("Added to the sensitivity for this drum");
                ui.add(DragValue::new(&mut entry.key).range(0..=127));
                ui.add(DragValue::new(&mut entry.channel).range(1..=16));
                ui.add(DragValue::new(&mut entry.min_velocity).range(1..=127))
                    .on_hover_text("Ignore hits below this velocity");
                ui.add(
                    DragValue::new(&mut entry.retrigger_ms)
                        .range(0..=1000)
                        .suffix(" ms"),
                )
                .on_hover_text("Ignore hits closer than this");
                ui.end_row();
                if entry != before {
                    map.set_class(class, entry);
                }
            }
        });
}
