//! Filters against instrument leakage: drum hits that a model transcribed as pitched notes.
//!
//! A filter gives a [`Verdict`] for each raw note; the raw notes stay with the caller, so that the
//! filter can be switched at any time and removed notes can be shown. Drum notes are never changed.
//!
//! - [`filter`] judges a whole file at once. [`Strategy::Auto`] is the automatic filter of the
//!   MT3-PyTorch adapter (mt3-infer), rule for rule; like that it deletes every pitched note of
//!   many real mixes.
//! - [`RunningFilter`] judges on a running window, for live use: memory is bounded, verdicts are
//!   final after a stated delay and do not depend on how the notes arrive. A real mix keeps its
//!   pitched notes.
//!
//! Files are filtered in `transcription.rs`, by `Transcription::filter_leakage`. Live notes are
//! marked in `live/src/instance.rs`, with [`live::LiveFilter`].

mod auto;
mod evidence;
mod judge;
pub mod live;
mod report;
mod running;
mod strategy;
mod verdict;

use hitscribe_core::Note;

use judge::auto_verdict;

pub use auto::{AutoRule, InstrumentCounts, auto_rule};
pub use evidence::Evidence;
pub use report::Report;
pub use running::{Judged, RunningFilter, Window, filter_running};
pub use strategy::{Settings, Strategy};
pub use verdict::{Reason, Verdict, apply};

/// Verdicts on a whole file, one for each note.
///
/// [`Strategy::Auto`] counts all notes, as the reference does. The other strategies judge each note
/// within the default [`Window`] around it, exactly as [`RunningFilter`] does.
pub fn filter(notes: &[Note], settings: &Settings) -> Vec<Verdict> {
    if settings.strategy == Strategy::Auto {
        let rule = auto_rule(&InstrumentCounts::of(notes));
        return notes.iter().map(|note| auto_verdict(note, rule)).collect();
    }
    filter_running(notes, settings, Window::default())
}
