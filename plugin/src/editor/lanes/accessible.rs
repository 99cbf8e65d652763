//! The lanes for screen readers: what the painter draws, as named controls at the same places.

use std::ops::RangeInclusive;
use std::sync::Arc;

use egui::accesskit::{Action, ActionData};
use egui::{AsIdSalt, Rect, Role, Sense, Ui, UiBuilder, WidgetInfo};
use hitscribe_core::DrumClass;
use hitscribe_core::midi::ClassMap;

use crate::background::preview::Preview;
use crate::editor::editing;
use crate::editor::lanes::grid::LaneGrid;
use crate::editor::lanes::labels;
use crate::editor::resolved::{Fate, NoteView};
use crate::editor::state::EditorState;
use crate::editor::view::View;
use crate::params::HitscribeParams;

/// Most hits that are described at once. Further ones need a smaller visible range.
const MAX_HITS: usize = 500;

/// What a screen reader has asked for.
enum Request {
    Choose(DrumClass),
    Mute(DrumClass),
    Threshold(DrumClass, f64),
    Hit(NoteView),
    Velocity(NoteView, u8),
    FoldUnused,
    FoldVelocity,
}

/// Describes the lanes, if a screen reader is running, and does what it asks for.
pub fn describe(
    ui: &mut Ui,
    grid: &LaneGrid,
    params: &HitscribeParams,
    view: &View,
    preview: &Arc<Preview>,
    state: &mut EditorState,
) {
    if !ui.ctx().has_accesskit_node(egui::accesskit_root_id()) {
        return;
    }
    let request = controls(ui, grid, params, view, state);
    match request {
        None => {}
        Some(Request::Choose(class)) => labels::choose(view, preview, state, class),
        Some(Request::Mute(class)) => {
            let map = params.note_map.class(class);
            let on = !map.on;
            params.note_map.set_class(class, ClassMap { on, ..map });
        }
        Some(Request::Threshold(class, percent)) => {
            labels::set_threshold(params, class, percent as f32);
        }
        Some(Request::Hit(note)) => super::choose_hit(params, view, state, &note),
        Some(Request::Velocity(note, velocity)) => {
            editing::set_velocity(params, view, state, &note, velocity);
        }
        Some(Request::FoldUnused) => {
            let folds = &mut state.shown.folds;
            folds.shows_unused = !folds.shows_unused;
        }
        Some(Request::FoldVelocity) => {
            state.shown.folds.hides_velocity = grid.velocity.is_some();
        }
    }
}

fn controls(
    ui: &mut Ui,
    grid: &LaneGrid,
    params: &HitscribeParams,
    view: &View,
    state: &EditorState,
) -> Option<Request> {
    let mut request = None;
    let times = times(params, view);
    let hits: Vec<(&NoteView, &String)> = view.notes().iter().zip(&times).collect();
    for class in grid.classes.iter().copied() {
        let Some(row) = grid.row(class) else { continue };
        let map = params.note_map.class(class);
        let name = lane_name(class, map, view.class_counts[class.index()]);
        let mut lane = group(ui, ("lane", class.index()), row, &name);
        let label = row.with_max_x(grid.wave.left());
        let is_chosen = state.shown.class == Some(class);
        if button(&lane, "name", label, &name, Some(is_chosen)) {
            request = Some(Request::Choose(class));
        }
        if let Some(area) = labels::mute_area(grid, class) {
            let name = format!("Mute {}", class.label());
            if button(&lane, "mute", area, &name, Some(!map.on)) {
                request = Some(Request::Mute(class));
            }
        }
        let area = labels::threshold_area(grid, class).unwrap_or(label);
        let name = format!("Sensitivity of {}, percent", class.label());
        let percent = f64::from(map.sensitivity_percent);
        if let Some(percent) = slider(&lane, "sensitivity", area, &name, percent, -50.0..=50.0) {
            request = Some(Request::Threshold(class, percent));
        }
        for (note, time) in &hits {
            if note.class == Some(class) {
                request = hit(&mut lane, grid, state, note, time).or(request);
            }
        }
    }
    if let Some(roll) = grid.roll {
        let mut roll = group(ui, "roll", roll, "Pitched notes");
        for (note, time) in hits.iter().filter(|(note, _)| !note.is_drum) {
            request = hit(&mut roll, grid, state, note, time).or(request);
        }
    }
    if let Some((area, unused)) = grid.fold {
        let is_open = state.shown.folds.shows_unused;
        let name = match is_open {
            true => "Hide unused drums".to_owned(),
            false => format!("Show {unused} unused drums"),
        };
        if button(ui, "unused", area, &name, None) {
            request = Some(Request::FoldUnused);
        }
    }
    let name = match grid.velocity {
        Some(_) => "Hide velocities",
        None => "Show velocities",
    };
    if button(ui, "velocities", grid.velocity_fold, name, None) {
        request = Some(Request::FoldVelocity);
    }
    let Some(lane) = grid.velocity else {
        return request;
    };
    let name = state.shown.class.map_or("all drums", DrumClass::label);
    let bars = group(ui, "bars", lane, &format!("Velocity of {name}"));
    for (note, time) in hits {
        let Some(area) = grid.velocity_bar(note) else {
            continue;
        };
        let is_shown = state
            .shown
            .class
            .is_none_or(|class| note.class == Some(class));
        if note.fate == Fate::Sent && is_shown {
            let name = format!("Velocity of {} at {time}", name_of(note));
            let (salt, velocity) = (("bar", note.id), f64::from(note.velocity));
            if let Some(velocity) = slider(&bars, salt, area, &name, velocity, 1.0..=127.0) {
                request = Some(Request::Velocity(*note, velocity as u8));
            }
        }
    }
    request
}

/// The times of the visible notes in words, of the first [`MAX_HITS`].
fn times(params: &HitscribeParams, view: &View) -> Vec<String> {
    let mut take = params.take.take().lock();
    let passage = view.passage_id.and_then(|id| take.passage_mut(id));
    let Some(passage) = passage else {
        return Vec::new();
    };
    let notes = view.notes().iter().take(MAX_HITS);
    notes
        .map(|note| editing::time_in_words(passage, note.note.onset_samples))
        .collect()
}

/// A lane in words: "Kick, note 36, 31 hits".
fn lane_name(class: DrumClass, map: ClassMap, hits: usize) -> String {
    let hits = match hits {
        1 => "1 hit".to_owned(),
        hits => format!("{hits} hits"),
    };
    let muted = if map.on { "" } else { ", muted" };
    format!("{}, note {}, {hits}{muted}", class.label(), map.key)
}

fn name_of(note: &NoteView) -> String {
    match note.class {
        Some(class) => class.label().to_owned(),
        None => format!("Key {}", note.key),
    }
}

/// A hit; a click chooses it, or accepts it if it is hollow.
fn hit(
    ui: &mut Ui,
    grid: &LaneGrid,
    state: &EditorState,
    note: &NoteView,
    time: &str,
) -> Option<Request> {
    let area = grid.shape(note, note.at_seconds)?;
    let (name, fate) = (name_of(note), editing::fate_in_words(note));
    let name = format!("{name} at {time}, velocity {}{fate}", note.velocity);
    let is_chosen = state.editing.chosen.contains(&note.id);
    let is_clicked = button(ui, ("hit", note.id), area, &name, Some(is_chosen));
    is_clicked.then_some(Request::Hit(*note))
}

/// Controls that belong together.
fn group(ui: &mut Ui, salt: impl AsIdSalt, area: Rect, name: &str) -> Ui {
    let builder = UiBuilder::new()
        .id_salt(salt)
        .max_rect(area)
        .accessibility_role(Role::Group)
        .accessibility_label(name);
    ui.new_child(builder)
}

/// A button in the place of what is drawn. Senses nothing itself, so that the pointer's actions stay
/// those of the lanes. Returns whether a screen reader has clicked it.
fn button(ui: &Ui, salt: impl AsIdSalt, area: Rect, name: &str, is_on: Option<bool>) -> bool {
    let id = ui.scope_id().with(salt);
    let info = || WidgetInfo {
        selected: is_on,
        ..WidgetInfo::labeled(Role::Button, true, name)
    };
    ui.interact(area, id, Sense::hover()).widget_info(info);
    let context = ui.ctx();
    context.accesskit_node_builder(id, |node| node.add_action(Action::Click));
    ui.input(|input| input.has_accesskit_action_request(id, Action::Click))
}

/// A value in the place of what is drawn, as for [`button`]. Returns a new value.
fn slider(
    ui: &Ui,
    salt: impl AsIdSalt,
    area: Rect,
    name: &str,
    value: f64,
    range: RangeInclusive<f64>,
) -> Option<f64> {
    /// Of the keys of a screen reader.
    const STEP: f64 = 5.0;
    let id = ui.scope_id().with(salt);
    let info = || WidgetInfo {
        value: Some(value),
        ..WidgetInfo::labeled(Role::Slider, true, name)
    };
    ui.interact(area, id, Sense::hover()).widget_info(info);
    ui.ctx().accesskit_node_builder(id, |node| {
        node.set_min_numeric_value(*range.start());
        node.set_max_numeric_value(*range.end());
        node.set_numeric_value_step(STEP);
        for action in [Action::SetValue, Action::Increment, Action::Decrement] {
            node.add_action(action);
        }
    });
    let wanted = ui.input(|input| {
        let steps = |action| input.num_accesskit_action_requests(id, action) as f64;
        let moved = value + STEP * (steps(Action::Increment) - steps(Action::Decrement));
        let values = input.accesskit_action_requests(id, Action::SetValue);
        let set = values.filter_map(|request| match request.data {
            Some(ActionData::NumericValue(value)) => Some(value),
            _ => None,
        });
        set.last().unwrap_or(moved)
    });
    let wanted = wanted.clamp(*range.start(), *range.end());
    (wanted != value).then_some(wanted)
}
