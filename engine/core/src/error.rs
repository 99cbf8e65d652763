//! The error type of the engine's crates. Messages name the cause, the place and, where known, a
//! fix.

use std::path::{Path, PathBuf};

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file is not in a supported audio format, or is damaged.
    #[error("{path}: {reason}", path = .path.display())]
    Audio {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Model weights do not match the network, or are damaged.
    #[error("model {model}: {reason}")]
    Model {
        /// Name or path of the weights.
        model: String,
        /// What is wrong with them.
        reason: String,
    },
    /// The requested device cannot be used.
    #[error("device {device}: {reason}")]
    Device {
        /// Its name as requested, such as `cuda:0`.
        device: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// A setting has an invalid value.
    #[error("{name} {value}: {reason}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// The invalid value.
        value: String,
        /// What is valid.
        reason: String,
    },
    /// The model store, or a file being added to it, is invalid.
    #[error("{path}: {reason}", path = .path.display())]
    Store {
        /// The store, or the model or file in question.
        path: PathBuf,
        /// What is wrong, and how to fix it.
        reason: String,
    },
    /// A file is not a MIDI file, or is damaged.
    #[error("{path}: {reason}", path = .path.display())]
    Midi {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The caller cancelled the operation.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// An [`Error::Io`] for `path`.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// An [`Error::Store`] for `path`.
    pub fn store(path: &Path, reason: String) -> Self {
        Self::Store {
            path: path.to_owned(),
            reason,
        }
    }
}

/// The result type of the engine's crates.
pub type Result<T, E = Error> = std::result::Result<T, E>;
