//! The preview button: plays the selected notes on the built-in kit.

use std::sync::Arc;

use egui::{Button, Ui};
use hitscribe_core::DrumClass;

use crate::background::preview::{Preview, PreviewNote};
use crate::editor::controls;
use crate::editor::export::{clip_settings, selection};
use crate::editor::state::EditorState;
use crate::editor::view::{View, shown_passage};
use crate::notes::midi_clip;
use crate::params::HitscribeParams;

/// Draws the button and updates the playhead.
pub fn show(
    ui: &mut Ui,
    params: &HitscribeParams,
    view: &View,
    preview: &Arc<Preview>,
    state: &mut EditorState,
) {
    let is_playing = preview.is_playing();
    state.shown.playhead_seconds = is_playing.then(|| {
        let played = preview.played_frames() as f64 / view.sample_rate_hz.max(1.0);
        state.preview.start_seconds + played
    });
    let can_play = view.sample_rate_hz > 0.0 && view.shown_notes > 0;
    let text = if is_playing { "Stop" } else { "Preview" };
    let hint = "Plays the selected notes on the built-in kit, mixed with the audio of the track. \
                Do not use it while rendering.";
    if ui
        .add_enabled(can_play, Button::new(text))
        .on_hover_text(hint)
        .clicked()
    {
        toggle(params, view, preview, state);
    }
    let hint = "Plays the selected range, or what is visible, over and over.";
    controls::toggle(ui, &mut state.preview.is_looping, "Loop").on_hover_text(hint);
}

/// Plays one hit of a drum.
pub fn prelisten(view: &View, preview: &Arc<Preview>, class: DrumClass) {
    if view.sample_rate_hz > 0.0 {
        let hit = PreviewNote {
            at_seconds: 0.0,
            length_seconds: 0.1,
            is_drum: true,
            key: class.gm_note(),
            velocity: 100,
        };
        preview.play(vec![hit], None, view.sample_rate_hz as u32);
    }
}

/// Starts the preview of the selected notes, or of those from the left edge of the window on. Stops
/// it if it is playing.
pub fn toggle(
    params: &HitscribeParams,
    view: &View,
    preview: &Arc<Preview>,
    state: &mut EditorState,
) {
    if preview.is_playing() {
        preview.stop();
        return;
    }
    let shown = &state.shown;
    let take = params.take.take().lock();
    let Some(passage) = shown_passage(&take, shown.passage) else {
        return;
    };
    let rate = passage.sample_rate_hz;
    let window_start = view.window.start.max(0.0);
    let selected = shown.viewport.selection();
    let range = selected.unwrap_or(window_start..view.window.end);
    let start_seconds = range.start;
    let loop_seconds = state.preview.is_looping.then_some(range.end - range.start);
    let mut selection = selection(params, shown, passage, shown.class);
    let from = (start_seconds * rate) as u64;
    let to = match loop_seconds {
        Some(_) => (range.end * rate) as u64,
        None => u64::MAX,
    };
    selection.frames.get_or_insert(from..to);
    let settings = clip_settings(params);
    let taken = passage.resolve(&settings.detection);
    let notes = midi_clip::mapped_notes(passage, &taken, &selection, &settings)
        .into_iter()
        .map(|(taken, mapped)| (taken.note, mapped))
        .map(|(note, mapped)| PreviewNote {
            at_seconds: note.onset_samples as f64 / rate - start_seconds,
            length_seconds: note.length_samples as f64 / rate,
            is_drum: note.is_drum,
            key: note.pitch,
            velocity: mapped.velocity,
        })
        .collect();
    drop(take);
    state.preview.start_seconds = start_seconds;
    preview.play(notes, loop_seconds, view.sample_rate_hz as u32);
}
