//! Errors of the engine as Python exceptions with the same message.

use hitscribe::Error;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

/// The exception for an error: `OSError` for files, `ValueError` for settings, and those of
/// `hitscribe._errors`.
pub fn exception(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::Io { path, source } => match source.raw_os_error() {
            // Python chooses the subclass, such as FileNotFoundError.
            Some(code) => {
                let reason = source.to_string();
                let reason = reason.split(" (os error").next().unwrap_or_default();
                PyOSError::new_err((code, reason.to_owned(), path.into_os_string()))
            }
            None => PyOSError::new_err(text),
        },
        Error::Setting { .. } => PyValueError::new_err(text),
        Error::Audio { .. } => own("AudioError", text),
        Error::Model { .. } | Error::Store { .. } => own("ModelError", text),
        Error::Device { .. } => own("DeviceError", text),
        _ => own("HitscribeError", text),
    }
}

/// The exception for an error of the command's functions: that of the error that caused it.
pub fn exception_of_command(error: anyhow::Error) -> PyErr {
    match error.downcast::<Error>() {
        Ok(error) => exception(error),
        Err(error) => {
            let text = format!("{error:#}");
            match error.root_cause().downcast_ref::<std::io::Error>() {
                Some(io) => std::io::Error::new(io.kind(), text).into(),
                None => PyValueError::new_err(text),
            }
        }
    }
}

/// An exception that is defined in Python.
fn own(class: &str, text: String) -> PyErr {
    Python::attach(|py| {
        let class = py
            .import("hitscribe._errors")
            .and_then(|module| module.getattr(class))
            .and_then(|class| class.call1((text,)));
        class.map_or_else(|error| error, PyErr::from_value)
    })
}
