//! The menu of takes: choose, rename, merge and delete them, open a recording.

use std::ops::Range;

use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Button, Key, PopupCloseBehavior, ScrollArea, TextEdit, Ui};
use hitscribe_live::take::{Passage, Take};

use crate::editor::file_dialog::FileKind;
use crate::editor::ruler::start_label;
use crate::editor::state::EditorState;
use crate::editor::view::{View, shown_passage};
use crate::editor::viewport::Viewport;
use crate::params::HitscribeParams;

/// Entry that follows the latest take.
const LATEST: &str = "Latest take";
/// Longest name of a take, in characters.
const LONGEST_NAME: usize = 80;

/// What the user has clicked in the menu. Numbers are those of [`Passage::id`].
enum Action {
    Choose(Option<usize>),
    Rename(u64, String),
    Delete(u64),
    /// Merge the passes of a loop: those at these indices.
    Merge(Range<usize>),
    DeleteAll,
    OpenAudio,
}

/// Draws the menu's button, `width` points wide, and the menu.
pub fn show(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    state: &mut EditorState,
    width: f32,
) {
    let mut take = params.take.take().lock();
    if state
        .shown
        .passage
        .is_some_and(|index| index >= take.passages.len())
    {
        state.shown.passage = None;
    }
    let text = button_text(&take, view, state.shown.passage);
    let button = Button::new(&text).truncate().min_size([width, 0.0].into());
    let behavior = PopupCloseBehavior::CloseOnClickOutside;
    let config = MenuConfig::new().close_behavior(behavior);
    let mut action = None;
    ui.scope(|ui| {
        ui.set_max_width(width);
        let menu = MenuButton::from_button(button).config(config);
        let (response, _) = menu.ui(ui, |ui| action = entries(ui, &take, state));
        response
            .accessible_name(text.trim_end_matches(" ▾"))
            .on_hover_text("Takes: choose, rename, merge, delete");
    });
    match action {
        None => {}
        Some(Action::Choose(index)) => {
            state.shown.passage = index;
            state.shown.viewport = Viewport::default();
        }
        Some(Action::Rename(id, name)) => {
            if let Some(passage) = take.passage_mut(id) {
                let name = Some(name).filter(|name| !name.is_empty());
                let before = std::mem::replace(&mut passage.name, name);
                state.editing.history.renamed(id, before);
                state.has_changed_take = true;
            }
        }
        Some(Action::Delete(id)) => {
            if let Some((index, passage)) = take.remove(id) {
                state.editing.history.removed(index, passage);
                state.has_changed_take = true;
                state.shown.passage = None;
            }
        }
        Some(Action::Merge(passes)) => merge(&mut take, passes, state),
        Some(Action::DeleteAll) => {
            state.editing.history.deleted(take.clear());
            state.has_changed_take = true;
            state.shown.passage = None;
            state.shown.viewport = Viewport::default();
        }
        Some(Action::OpenAudio) => state.import.request = Some(FileKind::Audio),
    }
}

/// Puts one take in the place of the passes of a loop, and shows it.
fn merge(take: &mut Take, passes: Range<usize>, state: &mut EditorState) {
    let index = passes.start;
    let Some(passes) = take.passages.get(passes) else {
        return;
    };
    let ids: Vec<u64> = passes.iter().map(|passage| passage.id).collect();
    let Some(merged) = Passage::merged(passes) else {
        return;
    };
    let id = merged.id;
    let before = take.replace(index, &ids, vec![merged]);
    state.editing.history.merged(index, id, before);
    state.has_changed_take = true;
    state.shown.passage = take.passages.iter().position(|passage| passage.id == id);
    state.shown.viewport = Viewport::default();
}

/// The title of the shown take and its number of notes.
fn button_text(take: &Take, view: &View, chosen: Option<usize>) -> String {
    let Some(passage) = shown_passage(take, chosen) else {
        return "No take yet ▾".to_owned();
    };
    let index = take
        .passages
        .iter()
        .position(|other| other.id == passage.id);
    let index = index.unwrap_or(0);
    let notes = count(view.shown_notes);
    match chosen {
        Some(_) => format!("Take {}, {notes} ▾", title(take, index, passage)),
        None => format!("{LATEST}: {}, {notes} ▾", name(take, index, passage)),
    }
}

fn count(notes: usize) -> String {
    match notes {
        1 => "1 note".to_owned(),
        notes => format!("{notes} notes"),
    }
}

fn entries(ui: &mut Ui, take: &Take, state: &mut EditorState) -> Option<Action> {
    let mut action = None;
    let chosen = state.shown.passage;
    if ui.selectable_label(chosen.is_none(), LATEST).clicked() {
        action = Some(Action::Choose(None));
        ui.close();
    }
    ScrollArea::vertical().max_height(280.0).show(ui, |ui| {
        for (index, passage) in take.passages.iter().enumerate() {
            if passage.has_notes() {
                ui.horizontal(|ui| {
                    let entry = entry(ui, take, index, passage, state);
                    action = action.take().or(entry);
                });
            }
            let passes = take.loop_passes(index);
            if passes.end == index + 1 && passes.len() > 1 {
                action = action.take().or(merge_button(ui, take, passes));
            }
        }
    });
    ui.separator();
    if ui.button("Open audio…").clicked() {
        action = Some(Action::OpenAudio);
        ui.close();
    }
    let has_takes = take.passages.iter().any(Passage::has_notes);
    let delete = ui.add_enabled(has_takes, Button::new("Delete all takes"));
    if delete.on_hover_text("Can be undone").clicked() {
        action = Some(Action::DeleteAll);
        ui.close();
    }
    action
}

/// Below the last pass of a loop.
fn merge_button(ui: &mut Ui, take: &Take, passes: Range<usize>) -> Option<Action> {
    let has_ended = take.passages[passes.clone()]
        .iter()
        .all(|pass| !pass.is_open);
    let text = format!("Merge {} passes", passes.len());
    let hint = "One take with each hit of the loop once, as the best pass has it. Your edits stay. \
                Can be undone.";
    let button = ui.add_enabled(has_ended, Button::new(text).small());
    if !button.on_hover_text(hint).clicked() {
        return None;
    }
    ui.close();
    Some(Action::Merge(passes))
}

/// One take: its title, or the field for its new name, and what can be done with it.
fn entry(
    ui: &mut Ui,
    take: &Take,
    index: usize,
    passage: &Passage,
    state: &mut EditorState,
) -> Option<Action> {
    if let Some((id, name)) = &mut state.shown.new_name
        && *id == passage.id
    {
        let field = TextEdit::singleline(name).char_limit(LONGEST_NAME);
        let response = ui.add(field).accessible_name("Name of the take");
        response.request_focus();
        let is_entered = ui.input(|input| input.key_pressed(Key::Enter));
        if ui.button("OK").clicked() || is_entered {
            let action = Action::Rename(*id, name.trim().to_owned());
            state.shown.new_name = None;
            return Some(action);
        }
        return None;
    }
    let notes = count(passage.note_count());
    let text = format!("{}, {notes}", title(take, index, passage));
    let is_chosen = state.shown.passage == Some(index);
    if ui.selectable_label(is_chosen, text).clicked() {
        ui.close();
        return Some(Action::Choose(Some(index)));
    }
    let number = index + 1;
    let rename = ui.small_button("Rename");
    if rename
        .accessible_name(format!("Rename take {number}"))
        .clicked()
    {
        let name = passage.name.clone().unwrap_or_default();
        state.shown.new_name = Some((passage.id, name));
    }
    // The take that is being recorded goes on.
    let delete = ui.add_enabled(!passage.is_open, Button::new("Delete").small());
    let delete = delete.accessible_name(format!("Delete take {number}"));
    let is_deleted = delete.on_hover_text("Can be undone").clicked();
    is_deleted.then_some(Action::Delete(passage.id))
}

/// Number and name of a take.
fn title(take: &Take, index: usize, passage: &Passage) -> String {
    format!("{}: {}", index + 1, name(take, index, passage))
}

/// The take's name or its bar, and the pass of a loop.
fn name(take: &Take, index: usize, passage: &Passage) -> String {
    let start = passage.name.clone();
    let start = start.unwrap_or_else(|| start_label(passage, 0));
    let passes = take.loop_passes(index);
    let pass = match passes.len() > 1 {
        true => format!(", pass {}", index - passes.start + 1),
        false => String::new(),
    };
    start + &pass
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe_core::DrumClass;
    use hitscribe_core::note::{Note, PlacedNote};
    use hitscribe_live::MarkedNote;

    #[test]
    fn takes_are_told_apart_by_name_and_by_the_pass_of_a_loop() {
        let played = |beats: f64| {
            let mut passage = Passage::new(48_000.0);
            passage.was_playing = true;
            passage.host_start_beats = Some(beats);
            passage.insert(MarkedNote {
                note: PlacedNote::from_note(&Note::drum(DrumClass::Kick, 0.0, 90, 1.0), 48_000),
                is_leakage: false,
            });
            passage
        };
        let mut opened = played(0.0);
        opened.host_start_beats = None;
        opened.name = Some("Beatles.wav".to_owned());
        let mut take = Take::default();
        for passage in [0.0, 16.0, 16.0, 16.0]
            .map(played)
            .into_iter()
            .chain([opened])
        {
            take.add_passage(passage);
        }
        let titles: Vec<_> = take
            .passages
            .iter()
            .enumerate()
            .map(|(index, passage)| title(&take, index, passage))
            .collect();
        assert_eq!(
            titles,
            [
                "1: bar 1",
                "2: bar 5, pass 1",
                "3: bar 5, pass 2",
                "4: bar 5, pass 3",
                "5: Beatles.wav"
            ]
        );
        let mut state = EditorState::default();
        merge(&mut take, 1..4, &mut state);
        let titles: Vec<_> = take
            .passages
            .iter()
            .enumerate()
            .map(|(index, passage)| title(&take, index, passage))
            .collect();
        assert_eq!(titles, ["1: bar 1", "2: bar 5", "3: Beatles.wav"]);
        assert_eq!(state.shown.passage, Some(1));
        assert!(state.has_changed_take && state.editing.history.can().0);
        assert_eq!(take.passages[1].note_count(), 1);
    }
}
