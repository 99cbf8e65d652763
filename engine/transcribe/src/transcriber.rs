//! Whole recordings, with the same sessions that live sources have.

use std::path::Path;

use crate::builtin::Engine;
use crate::session::Session;
use crate::session_config::{Parts, SessionConfig};
use hitscribe_core::audio::file::AudioFile;
use hitscribe_core::audio::{cleaned_warning, downmix};
use hitscribe_core::error::Result;
use hitscribe_core::note::Note;

/// What was heard in a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcription {
    /// Every note, by onset and pitch.
    pub notes: Vec<Note>,
    /// Sample rate of the recording.
    pub sample_rate_hz: u32,
    /// Its length.
    pub duration_seconds: f64,
    /// What was wrong with it although it could be read, one line each.
    pub warnings: Vec<String>,
}

/// Transcribes an audio file, block by block. `on_progress` is given the seconds done and, where the
/// file declares it, its whole length in seconds.
///
/// # Errors
/// What [`AudioFile`] and [`Engine::run`] report.
pub fn transcribe_file(
    engine: &Engine,
    path: &Path,
    parts: Parts,
    sensitivity: f32,
    mut on_progress: impl FnMut(f64, Option<f64>),
) -> Result<Transcription> {
    let mut file = AudioFile::open(path)?;
    let rate = f64::from(file.sample_rate_hz());
    let length = file.declared_frames().map(|frames| frames as f64 / rate);
    let channel_count = file.channel_count();
    let mut recording = Recording::new(engine, file.sample_rate_hz(), parts, sensitivity)?;
    while let Some(block) = file.next_block()? {
        recording.push(block, channel_count)?;
        on_progress(recording.session.pushed_samples() as f64 / rate, length);
    }
    recording.finish(file.warning())
}

/// Transcribes interleaved samples.
///
/// # Errors
/// [`hitscribe_core::Error::Setting`] for an impossible sample rate, and what [`Engine::run`] reports.
pub fn transcribe_samples(
    engine: &Engine,
    interleaved: &[f32],
    channel_count: usize,
    sample_rate_hz: u32,
    parts: Parts,
    sensitivity: f32,
) -> Result<Transcription> {
    let mut recording = Recording::new(engine, sample_rate_hz, parts, sensitivity)?;
    for block in interleaved.chunks(65_536 * channel_count.max(1)) {
        recording.push(block, channel_count)?;
    }
    recording.finish(None)
}

struct Recording<'a> {
    engine: &'a Engine,
    session: Session,
    mono: Vec<f32>,
}

impl<'a> Recording<'a> {
    fn new(
        engine: &'a Engine,
        sample_rate_hz: u32,
        parts: Parts,
        sensitivity: f32,
    ) -> Result<Self> {
        let config = SessionConfig {
            parts,
            sensitivity: sensitivity.into(),
            // Nobody waits for the end of a note here.
            longest_note_seconds: f64::INFINITY,
            ..SessionConfig::new(sample_rate_hz)
        };
        Ok(Self {
            engine,
            session: engine.session(&config)?,
            mono: Vec::new(),
        })
    }

    fn push(&mut self, interleaved: &[f32], channel_count: usize) -> Result<()> {
        self.mono.clear();
        downmix(interleaved, channel_count, &mut self.mono);
        self.session.push(&self.mono);
        self.run()
    }

    fn run(&mut self) -> Result<()> {
        while self.session.is_ready() {
            self.engine.run(&mut [&mut self.session])?;
        }
        Ok(())
    }

    fn finish(mut self, warning: Option<String>) -> Result<Transcription> {
        self.session.finish();
        self.run()?;
        let mut placed = Vec::new();
        self.session.take_notes(&mut placed);
        placed.sort_by_key(|note| (note.onset_samples, note.pitch));
        let rate = self.session.config().sample_rate_hz;
        let warnings = warning
            .into_iter()
            .chain(cleaned_warning(self.session.bad_samples()));
        Ok(Transcription {
            notes: placed.into_iter().map(|note| note.to_note(rate)).collect(),
            sample_rate_hz: rate,
            duration_seconds: self.session.pushed_samples() as f64 / f64::from(rate),
            warnings: warnings.collect(),
        })
    }
}
