//! The notes of the shown passage and how they are sent, computed anew only when something changes.

use std::sync::Arc;

use hitscribe_core::DrumClass;
use hitscribe_core::midi::ClassMap;
use hitscribe_live::take::{Detection, Passage, TakeNote};

use crate::notes::mapper::{MappedNote, Shaping};
use crate::notes::midi_clip::{ClipSettings, mapped_notes};

use crate::notes::selection::Selection;

/// A note and how it is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResolvedNote {
    /// The note.
    pub taken: TakeNote,
    /// How it is sent; none if it is not.
    pub mapped: Option<MappedNote>,
}

/// Everything that the notes depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Key {
    passage: u64,
    revision: u64,
    detection: Detection,
    without_leakage: bool,
    classes: [ClassMap; DrumClass::ALL.len()],
    shaping: Shaping,
}

/// The notes of the passage that was shown last.
#[derive(Default)]
pub struct Resolved {
    key: Option<Key>,
    notes: Arc<Vec<ResolvedNote>>,
}

impl Resolved {
    /// The notes of a passage by onset, candidates and deleted ones included.
    pub fn notes(
        &mut self,
        passage: &Passage,
        settings: &ClipSettings<'_>,
        without_leakage: bool,
    ) -> Arc<Vec<ResolvedNote>> {
        let key = Key {
            passage: passage.id,
            revision: passage.revision,
            detection: settings.detection,
            without_leakage,
            classes: DrumClass::ALL.map(|class| settings.map.class(class)),
            shaping: settings.shaping,
        };
        if self.key.replace(key) != Some(key) {
            self.notes = Arc::new(resolve(passage, settings, without_leakage));
        }
        self.notes.clone()
    }
}

fn resolve(
    passage: &Passage,
    settings: &ClipSettings<'_>,
    without_leakage: bool,
) -> Vec<ResolvedNote> {
    let all = Selection {
        without_leakage,
        class: None,
        frames: None,
    };
    let taken = passage.resolve(&settings.detection);
    let mut sent = mapped_notes(passage, &taken, &all, settings)
        .into_iter()
        .peekable();
    taken
        .into_iter()
        .map(|taken| ResolvedNote {
            taken,
            // Those that are sent are in the same order.
            mapped: sent
                .next_if(|(other, _)| other == &taken)
                .map(|(_, mapped)| mapped),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::note_map::NoteMapField;
    use crate::notes::quantize::Quantize;
    use hitscribe_core::note::{Note, PlacedNote};
    use hitscribe_live::MarkedNote;

    #[test]
    fn notes_follow_the_map_the_settings_and_the_passage() {
        let mut passage = Passage::new(48_000.0);
        for (at, class) in [(0.0, DrumClass::Kick), (0.5, DrumClass::Snare)] {
            passage.insert(MarkedNote {
                note: PlacedNote::from_note(&Note::drum(class, at, 90, 0.9), 48_000),
                is_leakage: false,
            });
        }
        let map = NoteMapField::default();
        let settings = || ClipSettings {
            map: &map,
            shaping: Shaping::default(),
            quantize: Quantize::OFF,
            detection: Detection::default(),
        };
        let mut resolved = Resolved::default();
        let sent = |resolved: &mut Resolved, passage: &Passage| {
            let notes = resolved.notes(passage, &settings(), true);
            let sent = notes.iter().map(|note| note.mapped.is_some());
            sent.collect::<Vec<_>>()
        };
        assert_eq!(sent(&mut resolved, &passage), [true, true]);
        let off = ClassMap {
            on: false,
            ..map.class(DrumClass::Kick)
        };
        map.set_class(DrumClass::Kick, off);
        assert_eq!(sent(&mut resolved, &passage), [false, true]);
        let before = resolved.notes(&passage, &settings(), true);
        assert!(Arc::ptr_eq(
            &before,
            &resolved.notes(&passage, &settings(), true)
        ));
        let id = before[1].taken.id;
        passage.edit(|edits| edits.delete(id));
        assert_eq!(sent(&mut resolved, &passage), [false, false]);
    }
}
