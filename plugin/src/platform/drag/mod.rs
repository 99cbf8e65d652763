//! Dragging files out of the editor.
//!
//! The window toolkit only receives drops, so each system needs a source of its own. Where there is
//! none, [`start`] says so and the editor offers Save instead.

#[cfg(target_os = "macos")]
mod appkit;
#[cfg(target_os = "windows")]
mod ole;
#[cfg(target_os = "linux")]
mod x11;

#[cfg(target_os = "macos")]
use appkit as system;
#[cfg(target_os = "windows")]
use ole as system;
#[cfg(target_os = "linux")]
use x11 as system;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

/// How a drag ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target took the file.
    Dropped,
    /// The pointer was released where nobody takes files, or the target refused.
    Refused,
    /// The user gave up.
    Cancelled,
    /// The target said nothing after the drop.
    NoAnswer,
    /// The drag could not be done; one line.
    Failed(String),
}

impl Outcome {
    /// What to tell the user about `file`.
    pub fn message(&self, file: &Path) -> String {
        let file = file.display();
        match self {
            Self::Dropped => "Dropped".to_owned(),
            Self::Refused => format!("Nothing there takes MIDI files. The file is {file}"),
            Self::Cancelled => "Drag cancelled".to_owned(),
            Self::NoAnswer => format!("The target did not answer. The file is {file}"),
            Self::Failed(reason) => format!("No drag possible: {reason}. The file is {file}"),
        }
    }
}

/// A drag that is under way. Cloned by the editor and the thread that serves it.
#[derive(Clone, Default)]
pub struct Drag {
    outcome: Arc<Mutex<Option<Outcome>>>,
}

impl Drag {
    /// How it ended, once it has; taken only once.
    pub fn take_outcome(&self) -> Option<Outcome> {
        self.outcome.lock().take()
    }
}

impl Drag {
    fn end(&self, outcome: Outcome) {
        *self.outcome.lock() = Some(outcome);
    }

    /// Does a drag that lasts until it has ended on a thread of its own.
    #[cfg(not(target_os = "macos"))]
    fn on_a_thread(&self, run: impl FnOnce() -> Outcome + Send + 'static) {
        let drag = self.clone();
        let spawned = std::thread::Builder::new()
            .name("hitscribe-drag".to_owned())
            .spawn(move || drag.end(run()));
        if let Err(error) = spawned {
            self.end(Outcome::Failed(error.to_string()));
        }
    }
}

/// Starts to drag `file` while the left button is held. Called on the thread of the window; returns at
/// once.
pub fn start(file: PathBuf) -> Drag {
    let drag = Drag::default();
    system::start(file, &drag);
    drag
}

#[cfg(not(any(target_os = "linux", target_os = "windows", target_os = "macos")))]
mod system {
    use super::{Drag, Outcome, PathBuf};

    pub fn start(_file: PathBuf, drag: &Drag) {
        let reason = "there is no way to drag on this system yet";
        drag.end(Outcome::Failed(reason.to_owned()));
    }
}
