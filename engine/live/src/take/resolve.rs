//! The notes of a passage: from what was recorded, the settings and the edits. Lanes, drags, saved
//! files and previews all show what [`Passage::resolve`] gives.

use hitscribe::leakage::live::mark_leakage;
use hitscribe::{Sensitivity, Source};
use hitscribe_core::note::PlacedNote;
use hitscribe_picking::drums::selection::select;

use crate::messages::MarkedNote;
use crate::take::edits::{Change, NoteId, RecordedKey};
use crate::take::passage::{NOTE_RESERVE, Passage};

/// The settings by which notes are selected.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Detection {
    /// What the track contains.
    pub source: Source,
    /// How sensitive the drum model is.
    pub sensitivity: Sensitivity,
}

/// Whether a note is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteStatus {
    /// It is, unless a filter or the note map drops it.
    Played,
    /// The user has deleted it.
    Deleted,
    /// The sensitivity is too low for it.
    Candidate,
}

/// A note of a passage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TakeNote {
    /// Identifies it for edits.
    pub id: NoteId,
    /// The note, placed in the passage.
    pub note: PlacedNote,
    /// Whether the leakage filter, when it is on, removes it.
    pub is_leakage: bool,
    /// Whether it is played.
    pub status: NoteStatus,
    /// Whether the user has changed or added it.
    pub is_edited: bool,
}

impl TakeNote {
    /// Whether it is played with the leakage filter on or off.
    pub fn is_played(&self, without_leakage: bool) -> bool {
        self.status == NoteStatus::Played && !(without_leakage && self.is_leakage)
    }
}

impl Passage {
    /// The notes, deleted ones and candidates included, by onset and key. The user's decisions
    /// hold whatever the settings.
    pub fn resolve(&self, detection: &Detection) -> Vec<TakeNote> {
        let mut notes = Vec::new();
        self.resolve_into(detection, &mut notes);
        notes
    }

    /// As [`Passage::resolve`], in memory that is used again: what it held is replaced.
    pub fn resolve_into(&self, detection: &Detection, notes: &mut Vec<TakeNote>) {
        let source = detection.source;
        let admits = |note: &PlacedNote| source.admits(note.is_drum, note.pitch);
        notes.clear();
        let most = self.notes.len() + self.candidates.len();
        notes.reserve_exact(most.next_multiple_of(NOTE_RESERVE));
        for MarkedNote { note, is_leakage } in &self.notes {
            notes.extend(self.edited(*note, *is_leakage, NoteStatus::Played, admits(note)));
        }
        let decisions = select(&self.rules, &detection.sensitivity, &self.candidates);
        for (candidate, decision) in self.candidates.iter().zip(&decisions) {
            let status = match decision.is_hit {
                true => NoteStatus::Played,
                false => NoteStatus::Candidate,
            };
            if let Some(note) = candidate.possible_note(decision, self.sample_rate_hz) {
                notes.extend(self.edited(note, false, status, admits(&note)));
            }
        }
        notes.extend(self.edits.added().map(|(id, edited)| TakeNote {
            id,
            note: edited.placed(None),
            is_leakage: false,
            status: NoteStatus::Played,
            is_edited: true,
        }));
        notes.sort_by_key(|n| (n.note.onset_samples, n.note.pitch, n.id, n.status));
        // Two candidates may be the same note.
        notes.dedup_by_key(|n| (n.note.onset_samples, n.note.pitch, n.id));
        if self.source.is_some_and(|recorded| recorded != source) {
            self.judge_leakage(notes, source);
        }
    }

    /// A recorded note with its edit; none if nothing of it is left.
    fn edited(
        &self,
        note: PlacedNote,
        is_leakage: bool,
        status: NoteStatus,
        is_admitted: bool,
    ) -> Option<TakeNote> {
        let key = RecordedKey::of(&note);
        let recorded = TakeNote {
            id: NoteId::Recorded(key),
            note,
            is_leakage,
            status,
            is_edited: false,
        };
        match self.edits.change(&key) {
            None => is_admitted.then_some(recorded),
            Some(Change::Deleted) => is_admitted.then_some(TakeNote {
                status: NoteStatus::Deleted,
                is_edited: true,
                ..recorded
            }),
            Some(Change::Set(edited)) => Some(TakeNote {
                note: edited.placed(Some(&note)),
                is_leakage: false,
                status: NoteStatus::Played,
                is_edited: true,
                ..recorded
            }),
        }
    }

    /// Judges pitched notes for another source than the one that they were recorded with.
    fn judge_leakage(&self, notes: &mut [TakeNote], source: Source) {
        if notes.iter().all(|note| note.note.is_drum) {
            return;
        }
        let played: Vec<PlacedNote> = notes
            .iter()
            .filter(|note| note.status == NoteStatus::Played)
            .map(|note| note.note)
            .collect();
        let order = |note: &PlacedNote| (note.onset_samples, note.pitch, note.is_drum);
        let rate_hz = self.sample_rate_hz.round() as u32;
        let mut leakage: Vec<_> = mark_leakage(&played, rate_hz, source)
            .into_iter()
            .filter(|&(_, is_leakage)| is_leakage)
            .map(|(note, _)| order(&note))
            .collect();
        leakage.sort_unstable();
        for note in notes.iter_mut().filter(|note| !note.note.is_drum) {
            let is_leakage = leakage.binary_search(&order(&note.note)).is_ok();
            note.is_leakage = is_leakage && !note.is_edited;
        }
    }
}

#[cfg(test)]
mod tests;
