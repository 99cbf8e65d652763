//! The user's changes to the notes of a passage. What was recorded stays as it is beneath them.

use std::collections::BTreeMap;

use hitscribe_core::note::PlacedNote;

/// Most changes and added notes in a passage.
pub const MAX_EDITS: usize = 100_000;

/// Identifies a recorded note or candidate within its passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordedKey {
    /// Recorded onset in frames from the start of the passage.
    pub onset_samples: u64,
    /// Recorded MIDI key.
    pub pitch: u8,
    /// Whether it is a drum.
    pub is_drum: bool,
}

impl RecordedKey {
    /// The key of a recorded note.
    pub fn of(note: &PlacedNote) -> Self {
        Self {
            onset_samples: note.onset_samples,
            pitch: note.pitch,
            is_drum: note.is_drum,
        }
    }
}

/// Identifies a note of a passage, for edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoteId {
    /// A recorded note or candidate.
    Recorded(RecordedKey),
    /// A note that the user has added, by its number.
    Added(u32),
}

/// A note as the user wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EditedNote {
    /// Onset in frames from the start of the passage.
    pub onset_samples: u64,
    /// Length in frames.
    pub length_samples: u64,
    /// MIDI key 0..=127.
    pub pitch: u8,
    /// MIDI velocity 1..=127.
    pub velocity: u8,
    /// Whether `pitch` is a percussion key.
    pub is_drum: bool,
    /// MIDI program of a pitched note, 0..=127.
    pub program: u8,
}

impl EditedNote {
    /// A note as it is.
    pub fn of(note: &PlacedNote) -> Self {
        Self {
            onset_samples: note.onset_samples,
            length_samples: note.length_samples,
            pitch: note.pitch,
            velocity: note.velocity,
            is_drum: note.is_drum,
            program: note.program,
        }
    }

    /// The note, with the openness of the recorded one if it is the same drum.
    pub fn placed(&self, recorded: Option<&PlacedNote>) -> PlacedNote {
        let same = recorded.filter(|recorded| recorded.pitch == self.pitch);
        PlacedNote {
            onset_samples: self.onset_samples,
            length_samples: self.length_samples.clamp(1, u32::MAX.into()),
            pitch: self.pitch & 127,
            velocity: self.velocity.clamp(1, 127),
            program: if self.is_drum { 0 } else { self.program & 127 },
            is_drum: self.is_drum,
            openness: same.and_then(|recorded| recorded.openness),
            confidence: 1.0,
        }
    }
}

/// What the user has done to a recorded note or candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is not to be played.
    Deleted,
    /// It is to be played like this.
    Set(EditedNote),
}

/// The edits of a passage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    pub(super) changed: BTreeMap<RecordedKey, Change>,
    pub(super) added: BTreeMap<u32, EditedNote>,
}

impl Edits {
    /// Number of edited notes.
    pub fn len(&self) -> usize {
        self.changed.len() + self.added.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The change to a recorded note or candidate.
    pub fn change(&self, key: &RecordedKey) -> Option<&Change> {
        self.changed.get(key)
    }

    /// The added notes.
    pub fn added(&self) -> impl Iterator<Item = (NoteId, &EditedNote)> {
        let added = self.added.iter();
        added.map(|(number, note)| (NoteId::Added(*number), note))
    }

    /// Sets a note. Accepts a candidate and brings back a deleted note. Returns false if there are
    /// too many edits.
    pub fn set(&mut self, id: NoteId, note: EditedNote) -> bool {
        match id {
            NoteId::Recorded(key) if self.has_room() || self.changed.contains_key(&key) => {
                self.changed.insert(key, Change::Set(note));
                true
            }
            NoteId::Added(number) if self.added.contains_key(&number) => {
                self.added.insert(number, note);
                true
            }
            _ => false,
        }
    }

    /// Deletes a note. Returns false if there are too many edits.
    pub fn delete(&mut self, id: NoteId) -> bool {
        match id {
            NoteId::Recorded(key) if self.has_room() || self.changed.contains_key(&key) => {
                self.changed.insert(key, Change::Deleted);
                true
            }
            NoteId::Recorded(_) => false,
            NoteId::Added(number) => self.added.remove(&number).is_some(),
        }
    }

    /// Takes the edit of a note back.
    pub fn reset(&mut self, id: NoteId) {
        match id {
            NoteId::Recorded(key) => drop(self.changed.remove(&key)),
            NoteId::Added(number) => drop(self.added.remove(&number)),
        }
    }

    /// Adds a note; none if there are too many edits.
    pub fn add(&mut self, note: EditedNote) -> Option<NoteId> {
        let last = self.added.last_key_value().map_or(0, |(number, _)| *number);
        let number = last.checked_add(1).filter(|_| self.has_room())?;
        self.added.insert(number, note);
        Some(NoteId::Added(number))
    }

    /// The edit of a note; an added note is set.
    pub fn get(&self, id: NoteId) -> Option<Change> {
        match id {
            NoteId::Recorded(key) => self.changed.get(&key).copied(),
            NoteId::Added(number) => self.added.get(&number).copied().map(Change::Set),
        }
    }

    /// Sets or takes back the edit of a note as [`Edits::get`] returned it.
    pub fn put(&mut self, id: NoteId, change: Option<Change>) {
        match (id, change) {
            (NoteId::Recorded(key), Some(change)) => drop(self.changed.insert(key, change)),
            (NoteId::Added(number), Some(Change::Set(note))) => {
                self.added.insert(number, note);
            }
            (id, _) => self.reset(id),
        }
    }

    /// The notes of which the edit differs from that in `other`, with the edit in these.
    pub fn differences(&self, other: &Self) -> Vec<(NoteId, Option<Change>)> {
        let recorded = self.changed.keys().chain(other.changed.keys());
        let added = self.added.keys().chain(other.added.keys());
        let ids: std::collections::BTreeSet<NoteId> = recorded
            .map(|key| NoteId::Recorded(*key))
            .chain(added.map(|number| NoteId::Added(*number)))
            .collect();
        ids.into_iter()
            .filter(|id| self.get(*id) != other.get(*id))
            .map(|id| (id, self.get(id)))
            .collect()
    }

    /// Adds the edits of a later part of the same passage.
    pub(super) fn append(&mut self, mut later: Self) {
        self.changed.append(&mut later.changed);
        for note in later.added.into_values() {
            self.add(note);
        }
    }

    fn has_room(&self) -> bool {
        self.len() < MAX_EDITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_of_recorded_and_added_notes_are_set_deleted_and_reset() {
        let note = EditedNote {
            onset_samples: 7,
            length_samples: 100,
            pitch: 38,
            velocity: 90,
            is_drum: true,
            program: 0,
        };
        let recorded = NoteId::Recorded(RecordedKey::of(&note.placed(None)));
        let mut edits = Edits::default();
        assert!(edits.delete(recorded));
        assert!(edits.set(
            recorded,
            EditedNote {
                velocity: 20,
                ..note
            }
        ));
        let added = edits.add(note).unwrap();
        assert_ne!(edits.add(note), Some(added));
        assert_eq!(edits.len(), 3);
        // What differs from another state leads back to it.
        let before = edits.clone();
        edits.reset(recorded);
        edits.add(note);
        for (id, change) in before.differences(&edits) {
            edits.put(id, change);
        }
        assert_eq!(edits, before);
        edits.reset(recorded);
        assert!(edits.delete(added) && !edits.delete(added));
        assert!(!edits.set(added, note), "it is gone");
        assert_eq!(edits.len(), 1);
    }
}
