//! Exports of the selected notes as MIDI files: drag and save.

use std::path::PathBuf;

use hitscribe_core::DrumClass;
use hitscribe_live::take::Passage;

use crate::editor::ruler::start_label;
use crate::editor::state::{EditorState, Shown};
use crate::editor::view::shown_passage;
use crate::notes::midi_clip::{self, ClipSettings};
use crate::notes::selection::Selection;
use crate::params::HitscribeParams;
use crate::platform::drag::{self, Outcome};
use crate::user_files;

/// Saves the selected notes as a new file.
pub fn save(params: &HitscribeParams, state: &mut EditorState) {
    state.message = Some(match write(params, &state.shown, state.shown.class) {
        Ok(file) => {
            let text = format!("Saved {}", file.display());
            state.export.last_file = Some(file);
            text
        }
        Err(reason) => format!("Not saved: {reason}"),
    });
}

/// Reports the result of a drag that has ended.
pub fn finish_drag(state: &mut EditorState) {
    let export = &mut state.export;
    let Some((drag, file)) = &export.drag else {
        return;
    };
    let Some(outcome) = drag.take_outcome() else {
        return;
    };
    let is_dropped_here = std::mem::take(&mut export.is_dropped_on_editor);
    state.message = Some(if is_dropped_here {
        "Drop it on a track in your DAW".to_owned()
    } else {
        outcome.message(file)
    });
    // A cancelled drag leaves no file behind.
    let is_unused = is_dropped_here || outcome == Outcome::Cancelled;
    if is_unused && std::fs::remove_file(file).is_ok() {
        export.last_file = None;
    }
    export.drag = None;
}

/// The notes to export or play: of the selected range, and of one drum or of all.
pub fn selection(
    params: &HitscribeParams,
    shown: &Shown,
    passage: &Passage,
    class: Option<DrumClass>,
) -> Selection {
    Selection {
        without_leakage: params.leakage_filter.value(),
        class,
        frames: shown.viewport.selected_frames(passage.sample_rate_hz),
    }
}

/// The settings of an export or a preview.
pub fn clip_settings(params: &HitscribeParams) -> ClipSettings<'_> {
    ClipSettings {
        map: &params.note_map,
        shaping: params.shaping(),
        quantize: params.quantize(),
        detection: params.detection(),
    }
}

/// Starts to drag the selected notes, of one drum or of all.
pub fn start_drag(params: &HitscribeParams, state: &mut EditorState, class: Option<DrumClass>) {
    if state.export.drag.is_some() {
        return;
    }
    match write(params, &state.shown, class) {
        Ok(file) => {
            state.message = None;
            state.export.last_file = Some(file.clone());
            state.export.drag = Some((drag::start(file.clone()), file));
        }
        Err(reason) => state.message = Some(format!("Cannot drag: {reason}")),
    }
}

/// Writes the selected notes, of one drum or of all, as a new file.
fn write(
    params: &HitscribeParams,
    shown: &Shown,
    class: Option<DrumClass>,
) -> Result<PathBuf, String> {
    let take = params.take.take().lock();
    let passage = shown_passage(&take, shown.passage).ok_or("there are no notes yet")?;
    let selection = selection(params, shown, passage, class);
    let settings = clip_settings(params);
    let notes = passage.resolve(&settings.detection);
    if !notes.iter().any(|note| selection.contains(note)) {
        return Err("the selection contains no notes".to_owned());
    }
    let bytes = midi_clip::midi_file(passage, &selection, &settings);
    let start = start_label(passage, selection.start_frames(passage, &notes));
    let mut name = match passage.name.as_deref().map(file_stem) {
        Some(stem) => format!("{stem} {start}"),
        None => format!("Hitscribe {start}"),
    };
    drop(take);
    if let Some(class) = class {
        name += &format!(" {}", class.label());
    }
    user_files::save(&user_files::save_folder(), &name, "mid", &bytes)
}

/// The name of a recording without its extension and without what a file name cannot have.
fn file_stem(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let is_plain = |c: char| !c.is_control() && !"/\\:*?\"<>|".contains(c);
    let plain: String = stem
        .chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .take(80)
        .collect();
    plain.trim().trim_start_matches('.').to_owned()
}
