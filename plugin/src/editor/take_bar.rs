//! What can be done with the take: choose, drag out, save, hear, open a file, clear.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::{Button, ComboBox, RichText, Sense, Ui};
use hitscribe_core::DrumClass;
use hitscribe_live::take::Passage;

use crate::background::audition::{Audition, Struck};
use crate::editor::file_dialog::{Browser, Wanted};
use crate::editor::import_queue;
use crate::editor::state::Memory;
use crate::editor::style::palette;
use crate::editor::view::{View, shown, start_of};
use crate::editor::zoom::Timeline;
use crate::notes::midi_clip;
use crate::notes::midi_clip::{Selection, Treatment};
use crate::params::HitscribeParams;
use crate::platform::drag;
use crate::platform::drag::Outcome;
use crate::user_files;

/// Draws the bar and does what is asked for.
pub fn take_bar(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    audition: &Arc<Audition>,
    memory: &mut Memory,
) {
    let own = memory.drag.as_ref().map(|(_, file)| file.clone());
    for path in import_queue::drops(ui, own.as_deref()) {
        if own
            .as_ref()
            .is_some_and(|own| import_queue::is_same(own, &path))
        {
            memory.came_back = true;
        } else {
            transcribe(path, memory);
        }
    }
    collect(params, memory);
    ui.horizontal(|ui| {
        let has_notes = view.shown_notes > 0;
        drag_button(ui, params, memory, has_notes);
        let folder = user_files::save_folder();
        let hint = format!("Writes a file into {}", folder.display());
        let save = ui.add_enabled(has_notes, Button::new("Save MIDI"));
        if save.on_hover_text(hint).clicked() {
            save_now(params, memory);
        }
        audition_button(ui, params, view, audition, memory);
        choose_passage(ui, params, memory);
        choose_class(ui, memory);
        let open = ui.button("Open audio…");
        if open
            .on_hover_text("Transcribes a recording into the take. Also: drop it onto the editor")
            .clicked()
        {
            browse(Wanted::Audio, memory);
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            clear_buttons(ui, params, memory, view.note_counts.1 > 0);
        });
    });
    messages(ui, memory);
    if std::mem::take(&mut memory.map.wants_file) {
        browse(Wanted::NoteMap, memory);
    }
    show_browser(ui, params, memory);
}

/// Lets a recording be transcribed into the take.
fn transcribe(path: PathBuf, memory: &mut Memory) {
    if memory.incoming.is_idle() {
        memory.message = None;
    }
    memory.incoming.add(path);
}

/// Takes over what has ended since the last frame.
fn collect(params: &HitscribeParams, memory: &mut Memory) {
    if let Some((drag, file)) = &memory.drag
        && let Some(outcome) = drag.take_outcome()
    {
        let came_back = std::mem::take(&mut memory.came_back);
        memory.message = Some(if came_back {
            "Not onto the editor: pull it onto a track of the host".to_owned()
        } else {
            outcome.message(file)
        });
        // Nobody has a drag's file that was given up.
        if (came_back || outcome == Outcome::Cancelled) && std::fs::remove_file(file).is_ok() {
            memory.last_file = None;
        }
        memory.drag = None;
    }
    let take = params.take.take();
    let model = params.model.chosen();
    match memory.incoming.advance(take, params.listening(), model) {
        None => {}
        Some(Ok(index)) => {
            memory.passage = Some(index);
            memory.timeline = Timeline::default();
        }
        Some(Err(problem)) => memory.message = Some(format!("Not transcribed: {problem}")),
    }
}

/// Writes the file that would be dragged.
pub fn save_now(params: &HitscribeParams, memory: &mut Memory) {
    memory.message = Some(match write(params, memory, memory.class) {
        Ok(file) => {
            let text = format!("Saved {}", file.display());
            memory.last_file = Some(file);
            text
        }
        Err(problem) => format!("Not saved: {problem}"),
    });
}

fn messages(ui: &mut Ui, memory: &mut Memory) {
    if memory.message.is_none() && memory.incoming.is_idle() {
        return;
    }
    ui.horizontal(|ui| {
        memory.incoming.show(ui);
        let Some(message) = memory.message.clone() else {
            return;
        };
        let label = ui.label(RichText::new(&message).color(palette(ui).faint).size(11.5));
        let label = label
            .on_hover_text("Click to copy")
            .interact(Sense::click());
        if label.clicked() {
            ui.ctx().copy_text(message);
        }
        if let Some(file) = &memory.last_file
            && ui.small_button("Show in folder").clicked()
            && let Err(problem) = user_files::reveal(file)
        {
            memory.message = Some(problem);
        }
        if ui
            .small_button("Hide")
            .on_hover_text("Hide this line")
            .clicked()
        {
            memory.message = None;
        }
    });
}

fn drag_button(ui: &mut Ui, params: &HitscribeParams, memory: &mut Memory, has_notes: bool) {
    let (text, hint) = match memory.timeline.selection() {
        Some(_) => ("Drag selection", "the selected notes"),
        None => ("Drag MIDI", "the notes of the passage"),
    };
    let text = RichText::new(text).color(palette(ui).accent);
    let button = Button::new(text).sense(Sense::click_and_drag());
    let response = ui
        .add_enabled(has_notes, button)
        .on_hover_text(format!("Hold and pull onto a track: {hint} as a MIDI file"));
    if response.drag_started() {
        start_drag(params, memory, memory.class);
    }
    if let Some(class) = memory.pulled.take() {
        start_drag(params, memory, Some(class));
    }
    if response.clicked() {
        memory.message = Some("Hold the button down and pull it onto a track".to_owned());
    }
}

fn start_drag(params: &HitscribeParams, memory: &mut Memory, class: Option<DrumClass>) {
    if memory.drag.is_some() {
        return;
    }
    match write(params, memory, class) {
        Ok(file) => {
            memory.last_file = Some(file.clone());
            memory.message = None;
            memory.drag = Some((drag::start(file.clone()), file));
        }
        Err(problem) => memory.message = Some(format!("No drag possible: {problem}")),
    }
}

/// What is chosen of a passage.
fn selection(
    params: &HitscribeParams,
    memory: &Memory,
    passage: &Passage,
    class: Option<DrumClass>,
) -> Selection {
    Selection {
        without_leakage: params.leakage_filter.value(),
        class,
        frames: memory.timeline.selected_frames(passage.sample_rate_hz),
    }
}

/// Writes the chosen notes, of one class or of all, as a new file.
fn write(
    params: &HitscribeParams,
    memory: &Memory,
    class: Option<DrumClass>,
) -> Result<PathBuf, String> {
    let take = params.take.take().lock();
    let passage = shown(&take, memory.passage).ok_or("there are no notes yet")?;
    let selection = selection(params, memory, passage, class);
    if !passage.notes.iter().any(|note| selection.holds(note)) {
        return Err("there are no notes in what is chosen".to_owned());
    }
    let treatment = Treatment {
        map: &params.note_map,
        shaping: params.shaping(),
        quantize: params.quantize(),
    };
    let bytes = midi_clip::midi_file(passage, &selection, &treatment);
    let start = selection.start_frames(passage);
    let mut name = format!("Hitscribe {}", start_of(passage, start));
    drop(take);
    if let Some(class) = class {
        name += &format!(" {}", class.label());
    }
    user_files::save(&user_files::save_folder(), &name, "mid", &bytes)
}

fn audition_button(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    audition: &Arc<Audition>,
    memory: &mut Memory,
) {
    memory.audition_seconds = audition.is_playing().then(|| {
        let played = audition.played_frames() as f64 / view.sample_rate_hz.max(1.0);
        memory.audition_start_seconds + played
    });
    let can_play = view.sample_rate_hz > 0.0 && view.shown_notes > 0;
    let text = if audition.is_playing() {
        "Stop"
    } else {
        "Hear"
    };
    let hint = "Plays the chosen notes on the built-in kit, over the audio of the track. Keep it off \
                while rendering.";
    if ui
        .add_enabled(can_play, Button::new(text))
        .on_hover_text(hint)
        .clicked()
    {
        toggle_audition(params, view, audition, memory);
    }
}

/// Begins or ends to play the chosen notes, from the left edge of the window if none are selected.
pub fn toggle_audition(
    params: &HitscribeParams,
    view: &View,
    audition: &Arc<Audition>,
    memory: &mut Memory,
) {
    if audition.is_playing() {
        audition.stop();
        return;
    }
    let take = params.take.take().lock();
    let Some(passage) = shown(&take, memory.passage) else {
        return;
    };
    let rate = passage.sample_rate_hz;
    let window_start = view.window.start.max(0.0);
    let start_seconds = memory
        .timeline
        .selection()
        .map_or(window_start, |part| part.start);
    let mut selection = selection(params, memory, passage, memory.class);
    let from = (start_seconds * rate) as u64;
    selection.frames.get_or_insert(from..u64::MAX);
    let treatment = Treatment {
        map: &params.note_map,
        shaping: params.shaping(),
        quantize: params.quantize(),
    };
    let notes = midi_clip::performed(passage, &selection, &treatment)
        .into_iter()
        .map(|(note, played)| Struck {
            at_seconds: note.offset_frames as f64 / rate - start_seconds,
            length_seconds: f64::from(note.length_frames) / rate,
            is_drum: note.is_drum,
            key: note.key,
            velocity: played.velocity,
        })
        .collect();
    drop(take);
    memory.audition_start_seconds = start_seconds;
    audition.play(notes, view.sample_rate_hz as u32);
}

fn browse(wanted: Wanted, memory: &mut Memory) {
    let folder = match wanted {
        Wanted::Audio => memory.folder.clone().unwrap_or_else(user_files::home),
        Wanted::NoteMap => user_files::map_folder(),
    };
    memory.browser = Some(Browser::open(wanted, &folder));
}

fn show_browser(ui: &Ui, params: &HitscribeParams, memory: &mut Memory) {
    let Some(mut browser) = memory.browser.take() else {
        return;
    };
    let mut is_open = true;
    let chosen = browser.show(ui, &mut is_open);
    if let Some(path) = chosen {
        match browser.wanted() {
            Wanted::Audio => {
                memory.folder = path.parent().map(Path::to_owned);
                transcribe(path, memory);
            }
            Wanted::NoteMap => {
                super::note_map_window::load(&params.note_map, &path, &mut memory.map)
            }
        }
    }
    if is_open {
        memory.browser = Some(browser);
    }
}

fn choose_passage(ui: &mut Ui, params: &HitscribeParams, memory: &mut Memory) {
    let take = params.take.take().lock();
    let title = |index: usize, passage: &Passage| {
        format!(
            "{}: {}, {} notes",
            index + 1,
            start_of(passage, 0),
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
    let before = memory.passage;
    ComboBox::from_id_salt("passage")
        .selected_text(text)
        .width(140.0)
        .show_ui(ui, |ui| {
            ui.selectable_value(&mut memory.passage, None, "Latest passage");
            for (index, passage) in with_notes() {
                ui.selectable_value(&mut memory.passage, Some(index), title(index, passage));
            }
        });
    if memory.passage != before {
        memory.timeline = Timeline::default();
    }
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
        memory.cleared = Some(take.lock().clear());
        memory.passage = None;
        memory.timeline = Timeline::default();
    }
    if memory.cleared.is_some()
        && ui.button("Undo clear").clicked()
        && let Some(cleared) = memory.cleared.take()
    {
        take.lock().restore(cleared);
    }
}
