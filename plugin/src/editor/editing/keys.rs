//! The keys of edits.

use egui::{Key, Modifiers, Ui};
use hitscribe_core::DrumClass;
use hitscribe_live::take::edits::{EditedNote, NoteId};

use super::{DEFAULT_STEPS, DragTo, change, delete, dragged, set_class, step, targets};
use crate::editor::resolved::{Fate, NoteView};
use crate::editor::state::EditorState;
use crate::editor::view::View;
use crate::params::HitscribeParams;

/// Steps of the keyboard.
pub(super) const VELOCITY_STEP: i32 = 5;
const FREE_STEP_SECONDS: f64 = 0.001;
/// Drums of the keys 1 to 9.
const KEYS: [(Key, DrumClass); 9] = [
    (Key::Num1, DrumClass::Kick),
    (Key::Num2, DrumClass::Snare),
    (Key::Num3, DrumClass::ClosedHat),
    (Key::Num4, DrumClass::OpenHat),
    (Key::Num5, DrumClass::HighTom),
    (Key::Num6, DrumClass::MidTom),
    (Key::Num7, DrumClass::LowTom),
    (Key::Num8, DrumClass::Crash),
    (Key::Num9, DrumClass::Ride),
];

/// Handles the keys of edits.
pub fn handle_keys(ui: &Ui, params: &HitscribeParams, view: &View, state: &mut EditorState) {
    let pressed = |modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
    let with_shift = Modifiers::COMMAND | Modifiers::SHIFT;
    if pressed(with_shift, Key::Z) || pressed(Modifiers::COMMAND, Key::Y) {
        step(params, state, true);
    }
    if pressed(Modifiers::COMMAND, Key::Z) {
        step(params, state, false);
    }
    if pressed(Modifiers::COMMAND, Key::ArrowLeft) {
        choose_next(view, state, false);
    }
    if pressed(Modifiers::COMMAND, Key::ArrowRight) {
        choose_next(view, state, true);
    }
    let targets = targets(view, state);
    if targets.is_empty() {
        return;
    }
    if pressed(Modifiers::NONE, Key::Delete) || pressed(Modifiers::NONE, Key::Backspace) {
        delete(params, view, state);
    }
    if pressed(Modifiers::NONE, Key::Enter) {
        change(params, view, state, |_, edits| {
            for (id, note) in &targets {
                edits.set(*id, *note);
            }
        });
    }
    for (key, class) in KEYS {
        if pressed(Modifiers::NONE, key) {
            set_class(params, view, state, class);
        }
    }
    let nudges = [
        (Key::ArrowUp, VELOCITY_STEP, 0),
        (Key::ArrowDown, -VELOCITY_STEP, 0),
        (Key::ArrowLeft, 0, -1),
        (Key::ArrowRight, 0, 1),
    ];
    for (key, velocity, steps) in nudges {
        let is_free = pressed(Modifiers::ALT | Modifiers::SHIFT, key);
        if is_free || pressed(Modifiers::SHIFT, key) {
            nudge(params, view, state, &targets, velocity, steps, is_free);
        }
    }
}

/// Moves notes by steps of the grid, or of a millisecond, and changes their velocity.
pub(super) fn nudge(
    params: &HitscribeParams,
    view: &View,
    state: &mut EditorState,
    targets: &[(NoteId, EditedNote)],
    velocity: i32,
    steps: i64,
    is_free: bool,
) {
    let grid = params.grid.value();
    change(params, view, state, |passage, edits| {
        for (id, note) in targets {
            let mut note = dragged(note, DragTo::Velocity(velocity), 0);
            if steps != 0 {
                let on_timeline = passage.host_start_beats.is_some() && !is_free;
                note.onset_samples = if on_timeline {
                    let per_quarter = grid.steps_per_quarter().unwrap_or(DEFAULT_STEPS);
                    let beats = passage.beats_at(note.onset_samples) + steps as f64 / per_quarter;
                    passage.offset_at_beats(beats.max(0.0))
                } else {
                    let step = FREE_STEP_SECONDS * passage.sample_rate_hz;
                    let by = steps * step.round() as i64;
                    note.onset_samples.saturating_add_signed(by)
                };
            }
            edits.set(*id, note);
        }
    });
}

/// Chooses the note after or before the chosen one.
pub(super) fn choose_next(view: &View, state: &mut EditorState, is_forward: bool) {
    let is_choice = |note: &&NoteView| {
        let is_shown = state
            .shown
            .class
            .is_none_or(|class| note.class == Some(class));
        is_shown && note.fate != Fate::Leakage
    };
    let notes: Vec<&NoteView> = view.all_notes.iter().filter(is_choice).collect();
    let chosen = &state.editing.chosen;
    let at = notes.iter().position(|note| chosen.contains(&note.id));
    let next = match (at, is_forward) {
        (Some(at), true) => (at + 1).min(notes.len().saturating_sub(1)),
        (Some(at), false) => at.saturating_sub(1),
        (None, _) => notes.partition_point(|note| note.at_seconds < view.window.start),
    };
    if let Some(note) = notes.get(next) {
        state.editing.chosen = [note.id].into();
        let viewport = &mut state.shown.viewport;
        viewport.reveal(note.at_seconds, view.length_seconds);
    }
}
