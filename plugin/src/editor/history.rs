//! Undo and redo of everything that the editor does to the take, and of loaded presets.

use hitscribe_live::take::edits::{Change, Edits, NoteId};
use hitscribe_live::take::{Passage, Take};

use crate::params::settings::Settings;

/// Most steps that can be undone.
const MAX_STEPS: usize = 10_000;

/// What leads back.
#[derive(Debug, PartialEq)]
enum Step {
    /// Edits of notes as they were.
    Edits {
        passage: u64,
        before: Vec<(NoteId, Option<Change>)>,
    },
    /// All takes were deleted: these.
    Deleted(Take),
    /// The deleted takes were brought back.
    Restored,
    /// A passage was removed from this index.
    Removed(usize, Box<Passage>),
    /// A removed passage was brought back.
    Returned(u64),
    /// The passages with these numbers are in the place of others, which were at this index.
    Replaced {
        index: usize,
        ids: Vec<u64>,
        before: Vec<Passage>,
    },
    /// A passage had this name.
    Renamed(u64, Option<String>),
    /// The settings were these.
    Settings(Box<Settings>),
}

/// Steps that can be undone and redone.
#[derive(Default)]
pub struct History {
    undo: Vec<Step>,
    redo: Vec<Step>,
}

impl History {
    /// Whether there is something to undo and to redo.
    pub fn can(&self) -> (bool, bool) {
        (!self.undo.is_empty(), !self.redo.is_empty())
    }

    /// Edits of a passage have changed. Returns whether they have.
    pub fn edited(&mut self, passage: u64, before: &Edits, now: &Edits) -> bool {
        let before = before.differences(now);
        if before.is_empty() {
            return false;
        }
        self.done(Step::Edits { passage, before });
        true
    }

    /// All takes were deleted.
    pub fn deleted(&mut self, take: Take) {
        self.done(Step::Deleted(take));
    }

    /// A passage was removed from this index.
    pub fn removed(&mut self, index: usize, passage: Passage) {
        self.done(Step::Removed(index, Box::new(passage)));
    }

    /// The passages `before`, from this index on, were merged into one.
    pub fn merged(&mut self, index: usize, merged: u64, before: Vec<Passage>) {
        let ids = vec![merged];
        self.done(Step::Replaced { index, ids, before });
    }

    /// A passage had the name `before`.
    pub fn renamed(&mut self, passage: u64, before: Option<String>) {
        self.done(Step::Renamed(passage, before));
    }

    /// A preset was loaded; the settings `before` were in use.
    pub fn settings_changed(&mut self, before: Settings) {
        self.done(Step::Settings(Box::new(before)));
    }

    fn done(&mut self, step: Step) {
        self.redo.clear();
        self.undo.push(step);
        if self.undo.len() > MAX_STEPS {
            self.undo.remove(0);
        }
    }

    /// Undoes the last step. `now` are the current settings. Returns those to use from now on, if the
    /// step changes settings.
    pub fn undo(&mut self, take: &mut Take, now: impl FnOnce() -> Settings) -> Option<Settings> {
        let (back, settings) = inverted(self.undo.pop()?, take, now);
        self.redo.extend(back);
        settings
    }

    /// Redoes what was undone last, as [`History::undo`].
    pub fn redo(&mut self, take: &mut Take, now: impl FnOnce() -> Settings) -> Option<Settings> {
        let (back, settings) = inverted(self.redo.pop()?, take, now);
        self.undo.extend(back);
        settings
    }
}

/// Applies a step. Returns what leads back, and the settings to use if it changes them.
fn inverted(
    step: Step,
    take: &mut Take,
    now: impl FnOnce() -> Settings,
) -> (Option<Step>, Option<Settings>) {
    match step {
        Step::Settings(before) => (Some(Step::Settings(Box::new(now()))), Some(*before)),
        step => (inverted_take(step, take), None),
    }
}

/// Applies a step of the take. Returns what leads back; none if its passage is gone.
fn inverted_take(step: Step, take: &mut Take) -> Option<Step> {
    match step {
        Step::Edits { passage, before } => {
            let now = take.passage_mut(passage)?.edit(|edits| {
                let swap = |(id, change): &(NoteId, Option<Change>)| {
                    let now = edits.get(*id);
                    edits.put(*id, *change);
                    (*id, now)
                };
                before.iter().map(swap).collect()
            });
            Some(Step::Edits {
                passage,
                before: now,
            })
        }
        Step::Deleted(deleted) => {
            take.restore(deleted);
            Some(Step::Restored)
        }
        Step::Restored => Some(Step::Deleted(take.clear())),
        Step::Removed(index, passage) => {
            let id = passage.id;
            take.put_back(index, *passage);
            Some(Step::Returned(id))
        }
        Step::Returned(id) => {
            let (index, passage) = take.remove(id)?;
            Some(Step::Removed(index, Box::new(passage)))
        }
        Step::Replaced { index, ids, before } => {
            let back = before.iter().map(|passage| passage.id).collect();
            let before = take.replace(index, &ids, before);
            Some(Step::Replaced {
                index,
                ids: back,
                before,
            })
        }
        Step::Renamed(id, name) => {
            let passage = take.passage_mut(id)?;
            let now = std::mem::replace(&mut passage.name, name);
            Some(Step::Renamed(id, now))
        }
        Step::Settings(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::HitscribeParams;
    use hitscribe_live::take::edits::EditedNote;

    fn now() -> Settings {
        Settings::of(&HitscribeParams::default())
    }

    fn edit(take: &mut Take, history: &mut History, change: impl FnOnce(&mut Edits)) {
        let passage = &mut take.passages[0];
        let before = passage.edits.clone();
        passage.edit(change);
        history.edited(passage.id, &before, &passage.edits);
    }

    #[test]
    fn a_loaded_preset_is_undone_and_redone_between_edits() {
        let with = |sensitivity| {
            let params = HitscribeParams::default();
            crate::params::own::set_for_test(&params.sensitivity, sensitivity);
            Settings::of(&params)
        };
        let mut take = Take::default();
        take.add_passage(Passage::new(48_000.0));
        let mut history = History::default();
        let id = take.passages[0].id;
        history.settings_changed(with(0.25));
        let before = take.passages[0].name.replace("Chorus".to_owned());
        history.renamed(id, before);
        assert_eq!(history.undo(&mut take, now), None);
        assert_eq!(take.passages[0].name, None);
        assert_eq!(history.undo(&mut take, || with(0.75)), Some(with(0.25)));
        assert_eq!(history.redo(&mut take, || with(0.25)), Some(with(0.75)));
        assert_eq!(history.redo(&mut take, now), None);
        assert_eq!(take.passages[0].name.as_deref(), Some("Chorus"));
    }

    #[test]
    fn a_removed_and_a_renamed_passage_come_back() {
        let mut take = Take::default();
        for _ in 0..3 {
            take.add_passage(Passage::new(48_000.0));
        }
        let recorded = take.clone();
        let mut history = History::default();
        let id = take.passages[1].id;
        let before = take.passages[1].name.replace("Chorus".to_owned());
        history.renamed(id, before);
        let (index, passage) = take.remove(id).unwrap();
        history.removed(index, passage);
        assert_eq!(take.passages.len(), 2);
        history.undo(&mut take, now);
        assert_eq!(take.passages[1].name.as_deref(), Some("Chorus"));
        history.undo(&mut take, now);
        assert_eq!(take, recorded);
        history.redo(&mut take, now);
        history.redo(&mut take, now);
        assert_eq!(take.passages.len(), 2);
        assert!(take.passages.iter().all(|passage| passage.id != id));
    }

    #[test]
    fn merged_passes_come_back_and_are_merged_again() {
        let mut take = Take::default();
        for beats in [0.0, 8.0, 8.0, 8.0] {
            let mut pass = Passage::new(48_000.0);
            pass.was_playing = true;
            pass.host_start_beats = Some(beats);
            take.add_passage(pass);
        }
        let recorded = take.clone();
        let mut history = History::default();
        let passes = take.loop_passes(2);
        let ids: Vec<u64> = take.passages[passes.clone()].iter().map(|p| p.id).collect();
        let merged = Passage::merged(&take.passages[passes]).unwrap();
        let id = merged.id;
        let before = take.replace(1, &ids, vec![merged]);
        history.merged(1, id, before);
        let done = take.clone();
        assert_eq!(take.passages.len(), 2);
        history.undo(&mut take, now);
        assert_eq!(take, recorded);
        history.redo(&mut take, now);
        assert_eq!(take, done);
        history.undo(&mut take, now);
        assert_eq!(take, recorded);
    }

    #[test]
    fn a_thousand_edits_and_a_deletion_are_undone_and_redone() {
        let mut take = Take::default();
        take.add_passage(Passage::new(48_000.0));
        let recorded = take.clone();
        let mut history = History::default();
        let note = |index: u64| EditedNote {
            onset_samples: index * 100,
            length_samples: 50,
            pitch: 38,
            velocity: 1 + (index % 127) as u8,
            is_drum: true,
            program: 0,
        };
        let mut ids = Vec::new();
        for index in 0..1_000 {
            edit(&mut take, &mut history, |edits| match index % 3 {
                2 => {
                    edits.delete(ids[ids.len() - 1]);
                }
                1 => {
                    edits.set(ids[ids.len() - 1], note(index));
                }
                _ => ids.extend(edits.add(note(index))),
            });
        }
        let edited = take.clone();
        history.deleted(take.clear());
        assert!(take.passages.is_empty());
        let began = std::time::Instant::now();
        for _ in 0..1_001 {
            assert!(history.can().0);
            history.undo(&mut take, now);
        }
        eprintln!("1,001 steps undone in {:?}", began.elapsed());
        assert_eq!(take, recorded);
        assert_eq!(history.can(), (false, true));
        for _ in 0..1_000 {
            history.redo(&mut take, now);
        }
        assert_eq!(take, edited);
        history.redo(&mut take, now);
        assert!(take.passages.is_empty());
        // A new edit ends what can be redone.
        history.undo(&mut take, now);
        edit(&mut take, &mut history, |edits| {
            edits.add(note(7));
        });
        assert!(!history.can().1);
        // Nothing changed is no step.
        let steps = history.undo.len();
        edit(&mut take, &mut history, |_| {});
        assert_eq!(history.undo.len(), steps);
    }
}
