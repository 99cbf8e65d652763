//! What the editor remembers between two frames.

use std::path::PathBuf;

use hitscribe_core::DrumClass;
use hitscribe_live::take::Take;

use crate::editor::file_dialog::Browser;
use crate::editor::import_queue::Incoming;
use crate::editor::model_menu::Models;
use crate::editor::note_map_window::MapMemory;
use crate::editor::zoom::Timeline;
use crate::platform::drag::Drag;

/// What the editor remembers between two frames.
#[derive(Default)]
pub struct Memory {
    /// What is shown, and what is selected.
    pub timeline: Timeline,
    /// Index of the chosen passage; none for the latest.
    pub passage: Option<usize>,
    /// The only class that is meant; none for all.
    pub class: Option<DrumClass>,
    /// The class whose name is being pulled out of the window.
    pub pulled: Option<DrumClass>,
    pub(super) drag: Option<(Drag, PathBuf)>,
    /// Whether the file of the drag was dropped onto the editor itself.
    pub(super) came_back: bool,
    /// What happened last.
    pub(super) message: Option<String>,
    /// The file that was written last.
    pub(super) last_file: Option<PathBuf>,
    /// The take before it was cleared.
    pub(super) cleared: Option<Take>,
    pub(super) incoming: Incoming,
    pub(super) browser: Option<Browser>,
    /// Where the last file was opened.
    pub(super) folder: Option<PathBuf>,
    /// Where the sound of the audition begins in the passage.
    pub(super) audition_start_seconds: f64,
    /// Where the audition is, while it plays.
    pub audition_seconds: Option<f64>,
    /// The window of drums.
    pub map: MapMemory,
    /// Whether the window of velocities, flams and grid is open.
    pub is_feel_open: bool,
    /// The models to choose from.
    pub models: Models,
}
