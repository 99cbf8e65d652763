//! State of the editor between two frames, one struct for each part of the window.

use std::path::PathBuf;

use hitscribe_core::DrumClass;

use crate::editor::device_menu::Devices;
use crate::editor::drums_page::MapMenu;
use crate::editor::editing::Editing;
use crate::editor::file_dialog::{FileDialog, FileKind};
use crate::editor::import_queue::ImportQueue;
use crate::editor::lanes::Folds;
use crate::editor::model_menu::Models;
use crate::editor::presets_menu::PresetMenu;
use crate::editor::resolved::Resolved;
use crate::editor::side_panel::SideState;
use crate::editor::viewport::Viewport;
use crate::params::settings::Settings;
use crate::platform::drag::Drag;

/// State of the editor between two frames.
#[derive(Default)]
pub struct EditorState {
    /// What is shown and selected.
    pub shown: Shown,
    /// Exports.
    pub export: ExportState,
    /// Imports.
    pub import: ImportState,
    /// The preview.
    pub preview: PreviewState,
    /// The menu of note maps.
    pub note_map: MapMenu,
    /// The page at the side.
    pub side: SideState,
    /// The models in the menu.
    pub models: Models,
    /// The GPUs in the menu.
    pub devices: Devices,
    /// The menu of presets.
    pub presets: PresetMenu,
    /// The settings that an action of this frame asks for.
    pub wanted_settings: Option<Settings>,
    /// Result of the last action.
    pub message: Option<String>,
    /// The chosen notes and the edit in progress.
    pub editing: Editing,
    /// The drum whose threshold is being dragged.
    pub dragged_threshold: Option<DrumClass>,
    /// Whether the take was changed in this frame.
    pub has_changed_take: bool,
}

/// What the lanes show and what is selected in them.
#[derive(Default)]
pub struct Shown {
    /// The visible range and the selected range.
    pub viewport: Viewport,
    /// Index of the selected passage; none for the latest.
    pub passage: Option<usize>,
    /// The new name of a take, while the user types it, and its [`Passage::id`].
    ///
    /// [`Passage::id`]: hitscribe_live::take::Passage::id
    pub new_name: Option<(u64, String)>,
    /// The selected drum; none for all.
    pub class: Option<DrumClass>,
    /// Whether the take is shown as it was recorded, without note map, velocity curve and
    /// quantization.
    pub is_raw: bool,
    /// The time that the preview plays, in seconds from the start of the passage.
    pub playhead_seconds: Option<f64>,
    /// What of the lanes is folded.
    pub folds: Folds,
    /// The notes of the shown passage.
    pub resolved: Resolved,
}

/// State of exports.
#[derive(Default)]
pub struct ExportState {
    /// The drum whose name is being dragged out of the lanes.
    pub dragged_class: Option<DrumClass>,
    /// The drag in progress and its file.
    pub drag: Option<(Drag, PathBuf)>,
    /// Whether that file was dropped on the editor itself.
    pub is_dropped_on_editor: bool,
    /// The file that was written last.
    pub last_file: Option<PathBuf>,
}

/// State of imports and of the file dialog.
#[derive(Default)]
pub struct ImportState {
    /// Recordings that are being transcribed.
    pub queue: ImportQueue,
    /// The kind of file for which a dialog is to be opened.
    pub request: Option<FileKind>,
    /// The editor's own file dialog, if it is open.
    pub dialog: Option<FileDialog>,
    /// Folder of the last opened recording.
    pub folder: Option<PathBuf>,
}

/// State of the preview.
#[derive(Default)]
pub struct PreviewState {
    /// Where the preview starts, in seconds from the start of the passage.
    pub start_seconds: f64,
    /// Whether the next preview is a loop.
    pub is_looping: bool,
}
