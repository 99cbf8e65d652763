//! The error type of the engine's crates. Each variant says what is wrong, where, and what helps.

use std::path::{Path, PathBuf};

/// Everything that can go wrong in the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is not audio that can be read, or it is damaged.
    #[error("{path}: {reason}", path = .path.display())]
    Audio {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// Model weights do not fit the network, or are damaged.
    #[error("model {model}: {reason}")]
    Model {
        /// Name or path of the weights.
        model: String,
        /// What is wrong with them.
        reason: String,
    },
    /// The device that was asked for by name cannot be used.
    #[error("device {device}: {reason}")]
    Device {
        /// As it was asked for, such as `cuda:0`.
        device: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// A setting is outside of what is possible.
    #[error("{name} {value}: {reason}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What is possible.
        reason: String,
    },
    /// The store of models, or something that should go into it, is not as it must be.
    #[error("{path}: {reason}", path = .path.display())]
    Store {
        /// The store, the model or the file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A MIDI file could not be made or read.
    #[error("{path}: {reason}", path = .path.display())]
    Midi {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The caller ended the work before it was done.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// [`Error::Io`] at `path`.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// [`Error::Store`] at `path`.
    pub fn store(path: &Path, reason: String) -> Self {
        Self::Store {
            path: path.to_owned(),
            reason,
        }
    }
}

/// Result of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;
