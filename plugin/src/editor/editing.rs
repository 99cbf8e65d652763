//! Edits of the notes in the lanes, by mouse and keyboard.

mod keys;

use std::collections::BTreeSet;

use hitscribe_core::DrumClass;
use hitscribe_core::note::DRUM_NOTE_SECONDS;
use hitscribe_live::take::Passage;
use hitscribe_live::take::edits::{EditedNote, Edits, NoteId};

use crate::editor::history::History;
use crate::editor::resolved::{Fate, NoteView};
use crate::editor::ruler::{DisplayTime, display_time};
use crate::editor::state::EditorState;
use crate::editor::view::View;
use crate::notes::quantize::Grid;
use crate::params::HitscribeParams;
use crate::params::settings::Settings;

pub use keys::handle_keys;

/// Velocity of an added note.
const ADDED_VELOCITY: u8 = 100;
/// Steps in a quarter note that notes snap to while quantization is off.
const DEFAULT_STEPS: f64 = 4.0;

/// The chosen notes and the edit in progress.
#[derive(Default)]
pub struct Editing {
    /// The chosen notes of the shown passage.
    pub chosen: BTreeSet<NoteId>,
    passage: Option<u64>,
    /// The notes that are being dragged.
    pub drag: Option<DraggedNotes>,
    /// The note for which the context menu was opened.
    pub menu: Option<NoteView>,
    /// What can be undone.
    pub history: History,
}

/// Notes that are being dragged.
pub struct DraggedNotes {
    passage: u64,
    before: Edits,
    grabbed: EditedNote,
    notes: Vec<(NoteId, EditedNote)>,
    /// The lanes when the drag began, which stay until it ends.
    lanes: [bool; DrumClass::ALL.len()],
}

/// How far notes are dragged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DragTo {
    /// By this many seconds, free or to the grid.
    Time {
        /// Seconds, negative to the left.
        seconds: f64,
        /// Whether the grid is ignored.
        is_free: bool,
        /// The lane under the pointer.
        class: Option<DrumClass>,
    },
    /// By this much velocity.
    Velocity(i32),
    /// To another lane.
    Class(DrumClass),
}

impl DraggedNotes {
    /// The velocity of the note under the pointer when the drag began.
    pub fn velocity(&self) -> u8 {
        self.grabbed.velocity
    }
}

/// The lanes of an empty take.
const SMALL_KIT: [DrumClass; 8] = [
    DrumClass::Kick,
    DrumClass::Snare,
    DrumClass::HighTom,
    DrumClass::FloorTom,
    DrumClass::ClosedHat,
    DrumClass::OpenHat,
    DrumClass::Crash,
    DrumClass::Ride,
];

impl Editing {
    /// The lanes that are in use; those of a small kit in an empty take.
    pub fn lanes(&self, view: &View) -> [bool; DrumClass::ALL.len()] {
        let dragged = self.drag.as_ref().map(|drag| &drag.lanes);
        let is_empty = !view.used_classes.contains(&true);
        std::array::from_fn(|lane| {
            view.used_classes[lane]
                || dragged.is_some_and(|lanes| lanes[lane])
                || (is_empty && SMALL_KIT.contains(&DrumClass::ALL[lane]))
        })
    }

    /// Forgets what was chosen in another passage.
    pub fn follow(&mut self, passage: Option<u64>) {
        if self.passage != passage {
            self.passage = passage;
            self.chosen.clear();
            self.drag = None;
            self.menu = None;
        }
    }
}

/// Changes the edits of the shown passage as one step of the history.
pub fn change(
    params: &HitscribeParams,
    view: &View,
    state: &mut EditorState,
    change: impl FnOnce(&Passage, &mut Edits),
) {
    let Some(id) = view.passage_id else { return };
    let mut take = params.take.take().lock();
    let Some(passage) = take.passage_mut(id) else {
        return;
    };
    let before = passage.edits.clone();
    let mut edits = before.clone();
    change(passage, &mut edits);
    passage.edit(|current| *current = edits);
    let history = &mut state.editing.history;
    state.has_changed_take |= history.edited(id, &before, &passage.edits);
}

/// What is chosen, in words; none if nothing is.
pub fn description(params: &HitscribeParams, view: &View, editing: &Editing) -> Option<String> {
    let mut chosen = view
        .all_notes
        .iter()
        .filter(|note| editing.chosen.contains(&note.id));
    let first = chosen.next()?;
    let others = chosen.count();
    if others > 0 {
        return Some(format!("{} hits chosen", others + 1));
    }
    let name = match first.class {
        Some(class) => class.label().to_owned(),
        None => format!("Key {}", first.key),
    };
    let state = fate_in_words(first);
    let mut take = params.take.take().lock();
    let passage = take.passage_mut(view.passage_id?)?;
    let at = time_in_words(passage, first.note.onset_samples);
    let velocity = first.velocity;
    Some(format!("{name} at {at}, velocity {velocity}{state}"))
}

/// What becomes of a note, to follow its name; empty if it is sent as it was detected.
pub fn fate_in_words(note: &NoteView) -> &'static str {
    match (note.fate, note.is_edited) {
        (Fate::Candidate, _) => ", below the threshold",
        (Fate::Deleted, _) => ", deleted",
        (Fate::Dropped, _) => ", dropped by the drum map",
        (Fate::Leakage, _) => ", removed by the leakage filter",
        (Fate::Sent, true) => ", edited",
        (Fate::Sent, false) => "",
    }
}

/// A time as bar and beat, or in seconds without a timeline.
pub fn time_in_words(passage: &Passage, offset_frames: u64) -> String {
    match display_time(passage, offset_frames) {
        DisplayTime::Bar(bar, beat) => format!("bar {bar}, beat {beat:.2}"),
        DisplayTime::Seconds(seconds) => format!("{seconds:.3} s"),
    }
}

/// Undoes or redoes the last step.
pub fn step(params: &HitscribeParams, state: &mut EditorState, is_redo: bool) {
    let mut take = params.take.take().lock();
    let now = || Settings::of(params);
    let settings = match is_redo {
        true => state.editing.history.redo(&mut take, now),
        false => state.editing.history.undo(&mut take, now),
    };
    state.has_changed_take |= settings.is_none();
    state.wanted_settings = settings;
}

/// The notes that an edit applies to: the chosen ones, or those in the selected range.
pub fn targets(view: &View, state: &EditorState) -> Vec<(NoteId, EditedNote)> {
    let shown = &state.shown;
    let range = shown.viewport.selection();
    let is_target = |note: &NoteView| match state.editing.chosen.is_empty() {
        false => state.editing.chosen.contains(&note.id),
        true => {
            let range = range.as_ref();
            matches!(note.fate, Fate::Sent | Fate::Dropped)
                && range.is_some_and(|range| range.contains(&note.at_seconds))
                && shown.class.is_none_or(|class| note.class == Some(class))
        }
    };
    let notes = view.all_notes.iter().filter(|note| is_target(note));
    notes
        .map(|note| (note.id, EditedNote::of(&note.note)))
        .collect()
}

/// Deletes the target notes.
pub fn delete(params: &HitscribeParams, view: &View, state: &mut EditorState) {
    let targets = targets(view, state);
    change(params, view, state, |_, edits| {
        for (id, _) in &targets {
            edits.delete(*id);
        }
    });
}

/// Accepts a candidate or brings back a deleted note.
pub fn accept(params: &HitscribeParams, view: &View, state: &mut EditorState, note: &NoteView) {
    let (id, edited) = (note.id, EditedNote::of(&note.note));
    change(params, view, state, |_, edits| {
        if note.fate == Fate::Deleted {
            edits.reset(id);
        } else {
            edits.set(id, edited);
        }
    });
}

/// Gives the target notes another drum.
pub fn set_class(params: &HitscribeParams, view: &View, state: &mut EditorState, class: DrumClass) {
    let targets = targets(view, state);
    change(params, view, state, |_, edits| {
        for (id, note) in targets.iter().filter(|(_, note)| note.is_drum) {
            let pitch = class.gm_note();
            edits.set(*id, EditedNote { pitch, ..*note });
        }
    });
}

/// Gives one note another velocity.
pub fn set_velocity(
    params: &HitscribeParams,
    view: &View,
    state: &mut EditorState,
    note: &NoteView,
    velocity: u8,
) {
    let by = i32::from(velocity) - i32::from(note.velocity);
    let note = (note.id, EditedNote::of(&note.note));
    keys::nudge(params, view, state, &[note], by, 0, true);
}

/// Takes the edits of the target notes back, or all edits of the passage.
pub fn reset(params: &HitscribeParams, view: &View, state: &mut EditorState, is_all: bool) {
    let targets = targets(view, state);
    change(params, view, state, |_, edits| {
        if is_all {
            *edits = Edits::default();
        }
        for (id, _) in &targets {
            edits.reset(*id);
        }
    });
}

/// Adds a note in a lane.
pub fn add(
    params: &HitscribeParams,
    view: &View,
    state: &mut EditorState,
    class: DrumClass,
    seconds: f64,
    is_free: bool,
) {
    let grid = params.grid.value();
    let mut added = None;
    change(params, view, state, |passage, edits| {
        let frames = (seconds.max(0.0) * passage.sample_rate_hz) as u64;
        added = edits.add(EditedNote {
            onset_samples: snapped(passage, grid, frames, is_free),
            length_samples: (passage.sample_rate_hz * DRUM_NOTE_SECONDS) as u64,
            pitch: class.gm_note(),
            velocity: ADDED_VELOCITY,
            is_drum: true,
            program: 0,
        });
    });
    state.editing.chosen = added.into_iter().collect();
}

/// The nearest step of the grid, if the passage is on the host's timeline.
fn snapped(passage: &Passage, grid: Grid, frames: u64, is_free: bool) -> u64 {
    if is_free || passage.host_start_beats.is_none() {
        return frames;
    }
    let steps = grid.steps_per_quarter().unwrap_or(DEFAULT_STEPS);
    let bar_beats = passage.bar_at(frames).start_beats;
    let beats = passage.beats_at(frames) - bar_beats;
    passage.offset_at_beats((beats * steps).round() / steps + bar_beats)
}

/// The nearest step of the grid, in seconds from the start of the shown passage.
pub fn snapped_seconds(params: &HitscribeParams, view: &View, seconds: f64, is_free: bool) -> f64 {
    let grid = params.grid.value();
    let mut take = params.take.take().lock();
    let passage = view.passage_id.and_then(|id| take.passage_mut(id));
    let Some(passage) = passage.filter(|_| !is_free) else {
        return seconds;
    };
    let frames = (seconds.max(0.0) * passage.sample_rate_hz) as u64;
    snapped(passage, grid, frames, is_free) as f64 / passage.sample_rate_hz
}

/// Begins to drag a note, and the other chosen ones if it is one of them.
pub fn begin_drag(params: &HitscribeParams, view: &View, state: &mut EditorState, note: &NoteView) {
    if !state.editing.chosen.contains(&note.id) {
        state.editing.chosen = [note.id].into();
    }
    let Some(id) = view.passage_id else { return };
    let notes = targets(view, state);
    let mut take = params.take.take().lock();
    if let Some(passage) = take.passage_mut(id) {
        state.editing.drag = Some(DraggedNotes {
            passage: id,
            before: passage.edits.clone(),
            grabbed: EditedNote::of(&note.note),
            notes,
            lanes: view.used_classes,
        });
    }
}

/// Moves the dragged notes.
pub fn drag(params: &HitscribeParams, state: &mut EditorState, to: DragTo) {
    let Some(drag) = &state.editing.drag else {
        return;
    };
    let grid = params.grid.value();
    let mut take = params.take.take().lock();
    let Some(passage) = take.passage_mut(drag.passage) else {
        return;
    };
    let moved_frames = match to {
        DragTo::Time {
            seconds, is_free, ..
        } => {
            let from = drag.grabbed.onset_samples;
            let by = (seconds * passage.sample_rate_hz) as i64;
            let target = snapped(passage, grid, from.saturating_add_signed(by), is_free);
            target as i64 - from as i64
        }
        _ => 0,
    };
    let mut edits = drag.before.clone();
    for (id, note) in &drag.notes {
        edits.set(*id, dragged(note, to, moved_frames));
    }
    passage.edit(|current| *current = edits);
}

fn dragged(note: &EditedNote, to: DragTo, moved_frames: i64) -> EditedNote {
    let mut note = *note;
    let class = match to {
        DragTo::Time { class, .. } => class,
        DragTo::Class(class) => Some(class),
        DragTo::Velocity(by) => {
            note.velocity = (i32::from(note.velocity) + by).clamp(1, 127) as u8;
            None
        }
    };
    note.onset_samples = note.onset_samples.saturating_add_signed(moved_frames);
    if let Some(class) = class.filter(|_| note.is_drum) {
        note.pitch = class.gm_note();
    }
    note
}

/// Ends a drag as one step of the history.
pub fn end_drag(params: &HitscribeParams, state: &mut EditorState) {
    let Some(drag) = state.editing.drag.take() else {
        return;
    };
    let mut take = params.take.take().lock();
    if let Some(passage) = take.passage_mut(drag.passage) {
        let history = &mut state.editing.history;
        state.has_changed_take |= history.edited(drag.passage, &drag.before, &passage.edits);
    }
}

#[cfg(test)]
mod tests;
