//! Streams.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hitscribe::StreamingSession;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::exception;
use crate::notes::{NoteFields, fields};
use crate::transcriber::samples;

/// A stream that is transcribed while it comes in.
#[pyclass(frozen)]
pub struct Session {
    inner: Mutex<StreamingSession>,
    sample_rate_hz: u32,
}

impl Session {
    pub fn new(inner: StreamingSession, sample_rate_hz: u32) -> Self {
        Self {
            inner: Mutex::new(inner),
            sample_rate_hz,
        }
    }

    fn lock(&self) -> MutexGuard<'_, StreamingSession> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Session {
    /// Takes the next mono samples and transcribes as far as the look-ahead allows.
    fn push(&self, py: Python<'_>, mono: &Bound<'_, PyBytes>) -> PyResult<()> {
        let mono = samples(mono);
        let outcome = py.detach(|| {
            let mut session = self.lock();
            session.push(&mono);
            session.run()
        });
        outcome.map_err(exception)
    }

    /// Ends the stream and transcribes the rest.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        let outcome = py.detach(|| {
            let mut session = self.lock();
            session.finish();
            session.run()
        });
        outcome.map_err(exception)
    }

    /// The notes that have become complete since the last call.
    fn take_notes(&self, py: Python<'_>) -> Vec<NoteFields> {
        let notes = py.detach(|| self.lock().take_notes());
        notes
            .into_iter()
            .map(|note| fields(&note.to_note(self.sample_rate_hz)))
            .collect()
    }

    /// Samples after an onset that must be pushed before its note is certain to be out.
    #[getter]
    fn latency_samples(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.lock().latency_samples())
    }
}
