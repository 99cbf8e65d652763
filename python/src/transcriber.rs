//! Whole recordings.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hitscribe::{
    AllowedNotes, DeviceChoice, Error, Notice, Options, Parts, Progress, SessionConfig,
    Transcription, Warning, leakage,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::errors::exception;
use crate::notes::fields;
use crate::session::Session;

/// Time between two looks at signals and calls of the progress function: a thread that waits for
/// the GIL can wait for milliseconds.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// A loaded model.
#[pyclass(frozen)]
pub struct Transcriber {
    inner: hitscribe::Transcriber,
}

/// What is asked for: source, sensitivity, leakage filter.
type Request = (Option<String>, f32, String);

#[pymethods]
impl Transcriber {
    /// The built-in models, or those of a file or name.
    #[new]
    fn new(py: Python<'_>, model: Option<PathBuf>, device: &str) -> PyResult<Self> {
        let device: DeviceChoice = device.parse().map_err(exception)?;
        let builder = hitscribe::Transcriber::builder().device(device);
        let loaded = py.detach(|| match model {
            Some(model) => builder.open(model),
            None => builder.builtin(),
        });
        let inner = loaded.map_err(exception)?;
        Ok(Self { inner })
    }

    #[getter]
    fn model_name(&self) -> String {
        self.inner.model_name()
    }

    #[getter]
    fn device(&self) -> String {
        self.inner.device().to_string()
    }

    #[getter]
    fn fallback_reason(&self) -> Option<String> {
        self.inner.fallback_reason()
    }

    /// Whether a request is valid.
    fn check(&self, request: Request) -> PyResult<()> {
        checked(&request).map(|_| ())
    }

    /// Transcribes a file; the fields of `hitscribe.Song`.
    fn file<'py>(
        &self,
        py: Python<'py>,
        path: PathBuf,
        request: Request,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        self.transcribe(py, request, progress, |mut options| options.file(&path))
    }

    /// Transcribes float32 samples, interleaved; the fields of `hitscribe.Song`.
    fn samples<'py>(
        &self,
        py: Python<'py>,
        interleaved: &Bound<'py, PyBytes>,
        channel_count: usize,
        sample_rate_hz: u32,
        request: Request,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let interleaved = samples(interleaved);
        self.transcribe(py, request, progress, |mut options| {
            options.samples(&interleaved, channel_count, sample_rate_hz)
        })
    }

    /// Begins a stream.
    fn session(
        &self,
        py: Python<'_>,
        sample_rate_hz: u32,
        request: Request,
        hop_frames: Option<usize>,
    ) -> PyResult<Session> {
        let (source, sensitivity, _) = checked(&request)?;
        let mut config = SessionConfig::new(sample_rate_hz);
        config.sensitivity = sensitivity.into();
        config.parts = source.as_ref().map_or(Parts::DRUMS, Parts::from);
        config.hop_frames = hop_frames.unwrap_or(config.hop_frames);
        let session = py.detach(|| self.inner.session(config));
        Ok(Session::new(session.map_err(exception)?, sample_rate_hz))
    }
}

impl Transcriber {
    /// Transcribes without the GIL. An exception of `progress`, and a signal, stop it.
    fn transcribe<'py>(
        &self,
        py: Python<'py>,
        request: Request,
        progress: Option<Py<PyAny>>,
        work: impl FnOnce(Options<'_>) -> Result<Transcription, Error> + Send,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (source, sensitivity, leakage) = checked(&request)?;
        let mut raised: Option<PyErr> = None;
        let mut notices: Vec<String> = Vec::new();
        let outcome = py.detach(|| {
            let mut last_call = Instant::now();
            let options = self
                .inner
                .options()
                .sensitivity(sensitivity)
                .leakage(leakage)
                .on_notice(|notice: &Notice<'_>| notices.push(notice.to_string()))
                .on_progress(|now| {
                    if last_call.elapsed() < PROGRESS_INTERVAL {
                        return ControlFlow::Continue(());
                    }
                    last_call = Instant::now();
                    match report(progress.as_ref(), now) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(error) => {
                            raised = Some(error);
                            ControlFlow::Break(())
                        }
                    }
                });
            work(match source {
                Some(source) => options.source(source),
                None => options,
            })
        });
        match raised {
            Some(error) => Err(error),
            None => song(py, &outcome.map_err(exception)?, notices),
        }
    }
}

/// Calls the progress function, after the handlers of signals such as Ctrl-C.
fn report(progress: Option<&Py<PyAny>>, now: Progress) -> PyResult<()> {
    Python::attach(|py| {
        py.check_signals()?;
        if let Some(progress) = progress {
            progress.call1(py, (now.done_seconds, now.length_seconds))?;
        }
        Ok(())
    })
}

fn checked(request: &Request) -> PyResult<(Option<AllowedNotes>, f32, leakage::Strategy)> {
    let (source, sensitivity, leakage) = request;
    if !(0.0..=1.0).contains(sensitivity) {
        let text = format!("sensitivity {sensitivity}: must be between 0 and 1");
        return Err(PyValueError::new_err(text));
    }
    let source = source.as_deref().map(str::parse).transpose();
    let source = source.map_err(PyValueError::new_err)?;
    let leakage = leakage.parse().map_err(PyValueError::new_err)?;
    Ok((source, *sensitivity, leakage))
}

fn song<'py>(
    py: Python<'py>,
    transcription: &Transcription,
    notices: Vec<String>,
) -> PyResult<Bound<'py, PyDict>> {
    let warnings = &transcription.warnings;
    let is_incomplete = |warning: &Warning| matches!(warning, Warning::IncompleteAudio(_));
    let song = PyDict::new(py);
    let notes: Vec<_> = transcription.notes.iter().map(fields).collect();
    song.set_item("notes", notes)?;
    song.set_item("duration", transcription.duration_seconds)?;
    song.set_item("sample_rate", transcription.sample_rate_hz)?;
    song.set_item("model", &transcription.model)?;
    song.set_item("device", transcription.device.to_string())?;
    song.set_item("complete", !warnings.iter().any(is_incomplete))?;
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    song.set_item("warnings", warnings)?;
    song.set_item("notices", notices)?;
    Ok(song)
}

/// The float32 samples in `bytes`, without a copy where they are aligned, as CPython's are.
pub fn samples<'a>(bytes: &'a Bound<'_, PyBytes>) -> Cow<'a, [f32]> {
    let bytes = bytes.as_bytes();
    match bytemuck::try_cast_slice(bytes) {
        Ok(samples) => Cow::Borrowed(samples),
        Err(_) => {
            let (samples, _) = bytes.as_chunks();
            Cow::Owned(samples.iter().copied().map(f32::from_ne_bytes).collect())
        }
    }
}
