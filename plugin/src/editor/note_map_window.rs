//! The table of drums: which note each becomes, and which hits are left out.

use std::path::Path;

use egui::scroll_area::ScrollBarVisibility;
use egui::style::ScrollStyle;
use egui::{Button, ComboBox, DragValue, Grid, Key, RichText, ScrollArea, TextEdit, Ui, Window};
use hitscribe_core::DrumClass;

use crate::editor::style::palette;
use crate::notes::note_map::{NoteMap, NoteMapField};
use crate::user_files;

/// What the window remembers.
#[derive(Default)]
pub struct MapMemory {
    /// Whether it is open.
    pub is_open: bool,
    /// Name to save under, while the user types it.
    name: Option<String>,
    /// Maps of the user, as they were when the list was last opened.
    own: Vec<NoteMap>,
    /// What happened last.
    message: Option<String>,
    /// The user wants to choose a file.
    pub wants_file: bool,
}

/// Draws the window while it is open.
pub fn map_window(ui: &Ui, map: &NoteMapField, memory: &mut MapMemory) {
    let mut is_open = memory.is_open;
    Window::new("Drums")
        .open(&mut is_open)
        .default_pos([260.0, 110.0])
        .resizable(false)
        .show(ui.ctx(), |ui| {
            ui.horizontal(|ui| {
                ui.label(RichText::new("Note map").color(palette(ui).faint));
                choose(ui, map, memory);
                if ui
                    .button("Open…")
                    .on_hover_text("A map from a file")
                    .clicked()
                {
                    memory.wants_file = true;
                }
                save(ui, map, memory);
            });
            if let Some(message) = &memory.message {
                ui.label(RichText::new(message).color(palette(ui).faint).size(11.5));
            }
            ui.separator();
            // A bar that is seen without the pointer on it: the table is longer than the window.
            ui.spacing_mut().scroll = ScrollStyle::solid();
            ScrollArea::vertical()
                .max_height(380.0)
                .scroll_bar_visibility(ScrollBarVisibility::AlwaysVisible)
                .show(ui, |ui| table(ui, map));
        });
    memory.is_open = is_open;
}

/// Takes a map from a file over.
pub fn load(map: &NoteMapField, path: &Path, memory: &mut MapMemory) {
    memory.message = Some(match user_files::read_note_map(path) {
        Ok(read) => {
            map.replace(&read);
            format!("Loaded {}", path.display())
        }
        Err(problem) => problem,
    });
}

fn choose(ui: &mut Ui, map: &NoteMapField, memory: &mut MapMemory) {
    let response = ComboBox::from_id_salt("note map")
        .selected_text(map.name())
        .width(190.0)
        .show_ui(ui, |ui| {
            for preset in NoteMap::presets().iter().chain(&memory.own) {
                let is_chosen = preset.name == map.name();
                let mut label = ui.selectable_label(is_chosen, &preset.name);
                if !preset.source.is_empty() {
                    label = label.on_hover_text(format!("Notes from {}", preset.source));
                }
                if label.clicked() {
                    map.replace(preset);
                }
            }
        });
    if response.response.clicked() {
        memory.own = user_files::note_maps(&user_files::map_folder());
    }
}

fn save(ui: &mut Ui, map: &NoteMapField, memory: &mut MapMemory) {
    let Some(name) = &mut memory.name else {
        let folder = user_files::map_folder();
        let hint = format!("For other projects, into {}", folder.display());
        if ui.button("Save as…").on_hover_text(hint).clicked() {
            memory.name = Some(map.name());
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
            ..map.map_now()
        };
        memory.message = Some(
            match user_files::save_note_map(&user_files::map_folder(), &named) {
                Ok(path) => format!("Saved {}", path.display()),
                Err(problem) => format!("Not saved: {problem}"),
            },
        );
        map.replace(&named);
        memory.name = None;
    } else if ui.button("Cancel").clicked() {
        memory.name = None;
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
                let mut now = before;
                ui.checkbox(&mut now.on, "")
                    .on_hover_text(format!("Send {}", class.label()));
                ui.label(RichText::new(class.label()).color(palette(ui).class(class)));
                ui.add(
                    DragValue::new(&mut now.sensitivity_percent)
                        .range(-50..=50)
                        .custom_formatter(|value, _| format!("{value:+.0} %")),
                )
                .on_hover_text("Added to the sensitivity for this drum");
                ui.add(DragValue::new(&mut now.key).range(0..=127));
                ui.add(DragValue::new(&mut now.channel).range(1..=16));
                ui.add(DragValue::new(&mut now.min_velocity).range(1..=127))
                    .on_hover_text("Softer hits are left out");
                ui.add(
                    DragValue::new(&mut now.retrigger_ms)
                        .range(0..=1000)
                        .suffix(" ms"),
                )
                .on_hover_text("A hit this soon after the last one is left out");
                ui.end_row();
                if now != before {
                    map.set_class(class, now);
                }
            }
        });
}
