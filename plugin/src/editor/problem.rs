//! A problem that the editor shows.

/// A problem that affects the transcription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// One sentence or two, without technical terms.
    pub text: String,
    /// The technical reason.
    pub detail: Option<String>,
    /// What a click repairs.
    pub repair: Option<Repair>,
}

/// What repairs a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Selects the built-in models.
    UseBuiltIn,
    /// Selects the CPU.
    UseCpu,
}

impl Repair {
    /// The name on its button.
    pub fn title(self) -> &'static str {
        match self {
            Self::UseBuiltIn => "Use the built-in model",
            Self::UseCpu => "Use the CPU",
        }
    }
}
