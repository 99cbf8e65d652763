//! Dragging files out of the editor.
//!
//! The window toolkit can only receive drops, so each operating system has its own drag source. On
//! other systems the drag fails with a message, and files can still be saved.

#[cfg(target_os = "macos")]
#[expect(unsafe_code, reason = "the AppKit bindings")]
mod appkit;
#[cfg(target_os = "windows")]
#[expect(unsafe_code, reason = "the Windows bindings")]
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
    /// The pointer was released over something that does not accept files, or the target refused.
    Refused,
    /// The user cancelled the drag.
    Cancelled,
    /// The target did not answer the drop.
    NoAnswer,
    /// The drag failed, with the reason in one line.
    Failed(String),
}

impl Outcome {
    /// The message for the user about `file`.
    pub fn message(&self, file: &Path) -> String {
        let file = file.display();
        match self {
            Self::Dropped => "Dropped".to_owned(),
            Self::Refused => format!("MIDI files cannot be dropped there. The file is {file}"),
            Self::Cancelled => "Drag cancelled".to_owned(),
            Self::NoAnswer => format!("The target did not answer. The file is {file}"),
            Self::Failed(reason) => format!("Cannot drag: {reason}. The file is {file}"),
        }
    }
}

/// A drag in progress. The editor and the thread that runs the drag each hold a clone.
#[derive(Clone, Default)]
pub struct Drag {
    outcome: Arc<Mutex<Option<Outcome>>>,
}

impl Drag {
    /// How the drag ended, once it has. Returned only once.
    pub fn take_outcome(&self) -> Option<Outcome> {
        self.outcome.lock().take()
    }

    fn end(&self, outcome: Outcome) {
        *self.outcome.lock() = Some(outcome);
    }

    /// Runs a blocking drag on a new thread.
    #[cfg(not(target_os = "macos"))]
    fn spawn(&self, run: impl FnOnce() -> Outcome + Send + 'static) {
        let drag = self.clone();
        let spawned = std::thread::Builder::new()
            .name("hitscribe-drag".to_owned())
            .spawn(move || drag.end(run()));
        if let Err(error) = spawned {
            self.end(Outcome::Failed(error.to_string()));
        }
    }
}

/// Starts a drag of `file` while the left button is held. Call it on the window's thread. Returns
/// at once.
pub fn start(file: PathBuf) -> Drag {
    let drag = Drag::default();
    system::start(file, &drag);
    drag
}

#[cfg(not(any(target_os = "linux", target_os = "windows", target_os = "macos")))]
mod system {
    use super::{Drag, Outcome, PathBuf};

    pub fn start(_file: PathBuf, drag: &Drag) {
        let reason = "dragging is not supported on this system";
        drag.end(Outcome::Failed(reason.to_owned()));
    }
}
