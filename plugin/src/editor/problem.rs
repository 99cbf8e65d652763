//! A problem that the editor shows.

/// A problem that affects the transcription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// One sentence or two, without technical terms.
    pub text: String,
    /// The technical reason.
    pub detail: Option<String>,
}
