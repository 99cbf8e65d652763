//! What can be done with the take: choose, drag out, save, clear.

use std::path::PathBuf;

use egui::{Button, ComboBox, RichText, Sense, Ui};
use hitscribe_engine::DrumClass;
use hitscribe_engine::note::take::{Passage, Take};

use super::style;
use super::view::View;
use crate::drag::{self, Drag};
use crate::export::{self, Selection};
use crate::params::HitscribeParams;

/// What this bar remembers between two frames.
#[derive(Default)]
pub struct Memory {
    /// Index of the chosen passage; none for the latest.
    passage: Option<usize>,
    class: Option<DrumClass>,
    drag: Option<(Drag, PathBuf)>,
    /// What happened last.
    message: Option<String>,
    /// The take before it was cleared.
    cleared: Option<Take>,
    /// Whether the table of drums is open.
    pub is_map_open: bool,
}

/// Draws the bar and does what is asked for.
pub fn take_bar(ui: &mut Ui, params: &HitscribeParams, view: &View, memory: &mut Memory) {
    if let Some((drag, file)) = &memory.drag
        && let Some(outcome) = drag.take_outcome()
    {
        memory.message = Some(outcome.message(file));
        memory.drag = None;
    }
    ui.horizontal(|ui| {
        let has_notes = view.note_counts.1 > 0;
        drag_button(ui, params, memory, has_notes);
        if ui
            .add_enabled(has_notes, Button::new("Save MIDI"))
            .on_hover_text(format!(
                "Writes a file into {}",
                export::save_folder().display()
            ))
            .clicked()
        {
            memory.message = Some(match write(params, memory) {
                Ok(file) => format!("Saved {}", file.display()),
                Err(problem) => format!("Not saved: {problem}"),
            });
        }
        choose_passage(ui, params, memory);
        choose_class(ui, memory);
        if let Some(message) = &memory.message {
            let label = ui.label(RichText::new(message).color(style::FAINT).size(11.5));
            if label
                .on_hover_text("Click to copy")
                .interact(Sense::click())
                .clicked()
            {
                ui.ctx().copy_text(message.clone());
            }
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            clear_buttons(ui, params, memory, has_notes);
        });
    });
}

fn drag_button(ui: &mut Ui, params: &HitscribeParams, memory: &mut Memory, has_notes: bool) {
    let text = RichText::new("Drag MIDI").color(style::ACCENT);
    let button = Button::new(text).sense(Sense::click_and_drag());
    let response = ui
        .add_enabled(has_notes, button)
        .on_hover_text("Hold and pull onto a track: the notes of the passage as a MIDI file");
    if response.drag_started() && memory.drag.is_none() {
        match write(params, memory) {
            Ok(file) => memory.drag = Some((drag::start(file.clone()), file)),
            Err(problem) => memory.message = Some(format!("No drag possible: {problem}")),
        }
    }
    if response.clicked() {
        memory.message = Some("Hold the button down and pull it onto a track".to_owned());
    }
}

/// Writes the chosen passage as a new file.
fn write(params: &HitscribeParams, memory: &Memory) -> Result<PathBuf, String> {
    let selection = Selection {
        without_leakage: params.leakage_filter.value(),
        class: memory.class,
    };
    let take = params.take.take().lock();
    let passage = chosen(&take, memory).ok_or("there are no notes yet")?;
    let bytes = export::midi_file(passage, selection, &params.note_map);
    let mut name = format!("Hitscribe {}", start_of(passage));
    drop(take);
    if let Some(class) = memory.class {
        name += &format!(" {}", class.label());
    }
    export::save(&export::save_folder(), &name, &bytes)
}

fn chosen<'a>(take: &'a Take, memory: &Memory) -> Option<&'a Passage> {
    match memory.passage.and_then(|index| take.passages.get(index)) {
        Some(passage) => Some(passage),
        None => take.latest(),
    }
}

/// Where a passage starts, in words that a file may be named with.
fn start_of(passage: &Passage) -> String {
    match passage.host_start_beats {
        Some(beats) => {
            let change = passage.tempo.first().copied().unwrap_or_default();
            let bar_quarters =
                f64::from(change.beats_per_bar.max(1)) * 4.0 / f64::from(change.beat_unit.max(1));
            format!("bar {}", (beats / bar_quarters).floor() as i64 + 1)
        }
        None => "take".to_owned(),
    }
}

fn choose_passage(ui: &mut Ui, params: &HitscribeParams, memory: &mut Memory) {
    let take = params.take.take().lock();
    let title = |index: usize, passage: &Passage| {
        format!(
            "{}: {}, {} notes",
            index + 1,
            start_of(passage),
            passage.notes.len()
        )
    };
    let with_notes = || {
        take.passages
            .iter()
            .enumerate()
            .filter(|(_, p)| !p.notes.is_empty())
    };
    if memory
        .passage
        .is_some_and(|index| index >= take.passages.len())
    {
        memory.passage = None;
    }
    let text = match memory.passage {
        Some(index) => title(index, &take.passages[index]),
        None => "Latest passage".to_owned(),
    };
    ComboBox::from_id_salt("passage")
        .selected_text(text)
        .width(140.0)
        .show_ui(ui, |ui| {
            ui.selectable_value(&mut memory.passage, None, "Latest passage");
            for (index, passage) in with_notes() {
                ui.selectable_value(&mut memory.passage, Some(index), title(index, passage));
            }
        });
}

fn choose_class(ui: &mut Ui, memory: &mut Memory) {
    let text = memory.class.map_or("All drums", DrumClass::label);
    ComboBox::from_id_salt("class")
        .selected_text(text)
        .width(96.0)
        .show_ui(ui, |ui| {
            ui.selectable_value(&mut memory.class, None, "All drums");
            for class in DrumClass::ALL {
                ui.selectable_value(&mut memory.class, Some(class), class.label());
            }
        });
}

fn clear_buttons(ui: &mut Ui, params: &HitscribeParams, memory: &mut Memory, has_notes: bool) {
    let take = params.take.take();
    let clear = ui.add_enabled(has_notes, Button::new("Clear take"));
    if clear
        .on_hover_text("Forgets everything heard so far")
        .clicked()
    {
        let mut take = take.lock();
        let mut empty = Take::default();
        // The passage that is being heard goes on, without what it has.
        if let Some(last) = take.passages.last() {
            empty.passages.push(Passage {
                notes: Vec::new(),
                peaks: last.peaks.clone(),
                ..last.clone()
            });
        }
        memory.cleared = Some(std::mem::replace(&mut *take, empty));
        memory.passage = None;
    }
    if memory.cleared.is_some() && ui.button("Undo clear").clicked() {
        let mut take = take.lock();
        if let Some(mut restored) = memory.cleared.take() {
            let since = std::mem::take(&mut *take);
            let mut since = since.passages.into_iter();
            // The first of the new ones continues the last of the old ones.
            if let (Some(old), Some(new)) = (restored.passages.last_mut(), since.next()) {
                new.notes.into_iter().for_each(|note| old.insert(note));
                old.peaks = new.peaks;
                old.length_frames = new.length_frames;
            }
            restored.passages.extend(since);
            *take = restored;
        }
    }
}
