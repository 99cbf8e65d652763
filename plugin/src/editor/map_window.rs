//! The table of drums: which note each becomes, and which hits are left out.

use egui::{ComboBox, DragValue, Grid, RichText, ScrollArea, Ui, Window};
use hitscribe_engine::DrumClass;

use super::style;
use crate::note_map::{NoteMap, NoteMapField};

/// Draws the window while it is open.
pub fn map_window(ui: &Ui, map: &NoteMapField, is_open: &mut bool) {
    Window::new("Drums")
        .open(is_open)
        .resizable(false)
        .show(ui.ctx(), |ui| {
            ui.horizontal(|ui| {
                ui.label(RichText::new("Note map").color(style::FAINT));
                ComboBox::from_id_salt("note map")
                    .selected_text(map.name())
                    .width(190.0)
                    .show_ui(ui, |ui| {
                        for preset in NoteMap::presets() {
                            if ui
                                .selectable_label(preset.name == map.name(), &preset.name)
                                .clicked()
                            {
                                map.replace(&preset);
                            }
                        }
                    });
            });
            ui.separator();
            ScrollArea::vertical()
                .max_height(380.0)
                .show(ui, |ui| table(ui, map));
        });
}

fn table(ui: &mut Ui, map: &NoteMapField) {
    Grid::new("drums")
        .num_columns(6)
        .spacing([10.0, 3.0])
        .striped(true)
        .show(ui, |ui| {
            for title in ["", "Drum", "Note", "Channel", "Min. velocity", "Retrigger"] {
                ui.label(RichText::new(title).color(style::FAINT).size(11.0));
            }
            ui.end_row();
            for class in DrumClass::ALL {
                let before = map.class(class);
                let mut now = before;
                ui.checkbox(&mut now.on, "")
                    .on_hover_text(format!("Send {}", class.label()));
                ui.label(RichText::new(class.label()).color(style::class_color(class)));
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
