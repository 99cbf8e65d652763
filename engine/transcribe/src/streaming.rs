//! A stream that is transcribed while it comes in.

use std::sync::Arc;

use hitscribe_core::error::Result;
use hitscribe_core::note::PlacedNote;

use crate::model::Model;
use crate::session::Session;
use hitscribe_picking::drums::candidate::Sensitivity;

/// A mono stream that is transcribed while it comes in; from [`crate::Transcriber::session`].
///
/// Push blocks of any size, run, and take the notes that are complete:
///
/// ```
/// use hitscribe::{SessionConfig, Transcriber};
///
/// # fn main() -> Result<(), hitscribe::Error> {
/// let transcriber = Transcriber::builtin()?;
/// let mut session = transcriber.session(SessionConfig::new(48_000))?;
/// for block in vec![0.0_f32; 48_000].chunks(512) {
///     session.push(block);
///     session.run()?;
///     for note in session.take_notes() {
///         println!("{:?} at sample {}", note.drum_class(), note.onset_samples);
///     }
/// }
/// session.finish();
/// session.run()?;
/// let last_notes = session.take_notes();
/// assert!(session.is_complete());
/// # Ok(())
/// # }
/// ```
///
/// `Send`. Not for an audio thread: every method may allocate, [`StreamingSession::run`] computes.
pub struct StreamingSession {
    model: Arc<Model>,
    session: Session,
}

impl StreamingSession {
    pub(crate) fn new(model: Arc<Model>, session: Session) -> Self {
        Self { model, session }
    }

    /// Takes the next samples, full scale at 1. Samples that are not finite count as silence.
    /// Ignored after [`StreamingSession::finish`].
    pub fn push(&mut self, mono: &[f32]) {
        self.session.push(mono);
    }

    /// Transcribes what has been pushed, as far as the models' look-ahead allows.
    ///
    /// # Errors
    /// [`hitscribe_core::Error::Device`] if the GPU fails. The session is of no use then: begin
    /// another one, with a transcriber on the CPU.
    pub fn run(&mut self) -> Result<()> {
        self.model.run(&mut self.session)
    }

    /// The notes that have become complete since the last call, in samples of the stream. Drum hits
    /// come within [`StreamingSession::latency_samples`] and up to 48 ms out of order, pitched
    /// notes when they end.
    pub fn take_notes(&mut self) -> Vec<PlacedNote> {
        let mut notes = Vec::new();
        self.session.take_notes(&mut notes);
        notes
    }

    /// Ends the stream. The last notes are there after one more [`StreamingSession::run`].
    pub fn finish(&mut self) {
        self.session.finish();
    }

    /// Whether the stream has ended and everything in it is transcribed.
    pub fn is_complete(&self) -> bool {
        self.session.is_complete()
    }

    /// Every note with an onset before this sample has been given out or waits in
    /// [`StreamingSession::take_notes`].
    pub fn settled_samples(&self) -> u64 {
        self.session.settled_samples()
    }

    /// Samples after an onset that must be pushed before its note is certain to be out; see
    /// [`Session::latency_samples`].
    pub fn latency_samples(&self) -> u64 {
        self.session.latency_samples()
    }

    /// Sets the sensitivity for everything that is not decided yet.
    pub fn set_sensitivity(&mut self, sensitivity: impl Into<Sensitivity>) {
        self.session.set_sensitivity(sensitivity.into());
    }
}
