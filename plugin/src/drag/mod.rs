//! Dragging files out of the editor.
//!
//! The window toolkit only receives drops, so each system needs a source of its own. Where there is
//! none, [`start`] says so and the editor offers Save instead.

#[cfg(target_os = "linux")]
mod x11;

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

/// Starts to drag `file` while the left button is held. Returns at once.
pub fn start(file: PathBuf) -> Drag {
    let drag = Drag::default();
    let outcome = drag.outcome.clone();
    let spawned = std::thread::Builder::new()
        .name("hitscribe-drag".to_owned())
        .spawn(move || {
            let result = run(&file);
            *outcome.lock() = Some(result);
        });
    if let Err(error) = spawned {
        *drag.outcome.lock() = Some(Outcome::Failed(error.to_string()));
    }
    drag
}

#[cfg(target_os = "linux")]
fn run(file: &Path) -> Outcome {
    x11::drag(file).unwrap_or_else(|error| Outcome::Failed(error.to_string()))
}

#[cfg(not(target_os = "linux"))]
fn run(_file: &Path) -> Outcome {
    Outcome::Failed("dragging is not implemented on this system yet".to_owned())
}
