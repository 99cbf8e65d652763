//! The preview button: plays the selected notes on the built-in kit.

use std::sync::Arc;

use egui::{Button, Ui};

use crate::background::preview::{Preview, PreviewNote};
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
    state.preview.playhead_seconds = is_playing.then(|| {
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
    let start_seconds = selected.map_or(window_start, |range| range.start);
    let mut selection = selection(params, shown, passage, shown.class);
    let from = (start_seconds * rate) as u64;
    selection.frames.get_or_insert(from..u64::MAX);
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
    preview.play(notes, view.sample_rate_hz as u32);
}
