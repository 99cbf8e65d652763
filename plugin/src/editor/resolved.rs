//! The notes of the shown passage as the editor shows them, computed anew only when something
//! changes.

use std::sync::Arc;

use hitscribe::Source;
use hitscribe_core::DrumClass;
use hitscribe_core::midi::ClassMap;
use hitscribe_core::note::PlacedNote;
use hitscribe_live::take::edits::NoteId;
use hitscribe_live::take::{Detection, NOTE_RESERVE, NoteStatus, Passage, TakeNote, TempoChange};

use crate::notes::mapper::{MappedNote, Shaping};
use crate::notes::midi_clip::{ClipSettings, mapped_notes};
use crate::notes::quantize::{Grid, Quantize};
use crate::notes::selection::Selection;

/// What becomes of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is sent and exported.
    Sent,
    /// The note map or the flam rule drops it.
    Dropped,
    /// The leakage filter removes it.
    Leakage,
    /// The sensitivity is too low for it.
    Candidate,
    /// The user has deleted it.
    Deleted,
}

/// A note as the editor shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoteView {
    /// Identifies it for edits.
    pub id: NoteId,
    /// The note, placed in the passage.
    pub note: PlacedNote,
    /// Seconds from the start of the passage.
    pub at_seconds: f64,
    /// Where quantization moves it in exports, if that is elsewhere.
    pub quantized_seconds: Option<f64>,
    /// Length in seconds.
    pub length_seconds: f64,
    /// The lane; none for pitched notes and for drums without a lane.
    pub class: Option<DrumClass>,
    /// Whether `key` is a percussion key.
    pub is_drum: bool,
    /// MIDI key.
    pub key: u8,
    /// MIDI velocity: as it is sent, or measured if the raw take is shown.
    pub velocity: u8,
    /// What becomes of it.
    pub fate: Fate,
    /// Whether the user has changed or added it.
    pub is_edited: bool,
}

/// Everything that the notes depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Key {
    passage: u64,
    revision: u64,
    source: Option<Source>,
    /// The number of tempo changes, and the last.
    tempo: (usize, Option<TempoChange>),
    detection: Detection,
    without_leakage: bool,
    is_raw: bool,
    classes: [ClassMap; DrumClass::ALL.len()],
    shaping: Shaping,
    quantize: Quantize,
}

/// The notes of a passage and how many become what.
#[derive(Clone, Debug, Default)]
pub struct ResolvedNotes {
    /// By onset, candidates and deleted ones included.
    pub notes: Arc<Vec<NoteView>>,
    /// Number of those that are sent.
    pub sent: usize,
    /// Number of those that the leakage filter removes.
    pub filtered: usize,
    /// Those that are sent, by drum.
    pub class_counts: [usize; DrumClass::ALL.len()],
    /// Drums that have notes or edits.
    pub used_classes: [bool; DrumClass::ALL.len()],
}

/// The notes of the passage that was shown last.
#[derive(Default)]
pub struct Resolved {
    key: Option<Key>,
    notes: ResolvedNotes,
    /// Its memory is used again by every change.
    taken: Vec<TakeNote>,
}

impl Resolved {
    /// The notes of a passage.
    pub fn notes(
        &mut self,
        passage: &Passage,
        settings: &ClipSettings<'_>,
        without_leakage: bool,
        is_raw: bool,
    ) -> &ResolvedNotes {
        let key = Key {
            passage: passage.id,
            revision: passage.revision,
            source: passage.source,
            tempo: (passage.tempo.len(), passage.tempo.last().copied()),
            detection: settings.detection,
            without_leakage,
            is_raw,
            classes: DrumClass::ALL.map(|class| settings.map.class(class)),
            shaping: settings.shaping,
            quantize: settings.quantize,
        };
        if self.key.replace(key) != Some(key) {
            // In the memory of the old notes, unless somebody still looks at them.
            let mut notes = Arc::try_unwrap(std::mem::take(&mut self.notes.notes));
            let views = notes.as_mut().map(std::mem::take).unwrap_or_default();
            passage.resolve_into(&settings.detection, &mut self.taken);
            let taken = &self.taken;
            self.notes = resolve(passage, taken, settings, without_leakage, is_raw, views);
        }
        &self.notes
    }
}

/// `views` is memory to use.
fn resolve(
    passage: &Passage,
    taken: &[TakeNote],
    settings: &ClipSettings<'_>,
    without_leakage: bool,
    is_raw: bool,
    mut views: Vec<NoteView>,
) -> ResolvedNotes {
    let all = Selection {
        without_leakage,
        class: None,
        frames: None,
    };
    let mut sent = mapped_notes(passage, taken, &all, settings)
        .into_iter()
        .peekable();
    let rate = passage.sample_rate_hz;
    let quantized = quantized_position(passage, &settings.quantize);
    let mut resolved = ResolvedNotes::default();
    views.clear();
    // In constant steps, as the take grows.
    views.reserve_exact(taken.len().next_multiple_of(NOTE_RESERVE));
    for taken in taken {
        // Those that are sent are in the same order.
        let mapped = sent.next_if(|(other, _)| other == taken);
        let mapped = mapped.map(|(_, mapped)| mapped);
        resolved.count(taken, mapped.is_some(), without_leakage);
        views.push(note_view(
            taken,
            mapped,
            rate,
            without_leakage,
            is_raw,
            &quantized,
        ));
    }
    resolved.notes = Arc::new(views);
    resolved
}

impl ResolvedNotes {
    fn count(&mut self, taken: &TakeNote, is_sent: bool, without_leakage: bool) {
        let is_played = taken.status == NoteStatus::Played;
        self.filtered += usize::from(is_played && without_leakage && taken.is_leakage);
        self.sent += usize::from(is_sent);
        let is_used = taken.status != NoteStatus::Candidate;
        if let Some(class) = taken.note.drum_class() {
            self.class_counts[class.index()] += usize::from(is_sent);
            self.used_classes[class.index()] |= is_used;
        }
        // The lane from which a hit was moved away stays.
        if let NoteId::Recorded(key) = taken.id
            && let Some(class) = DrumClass::from_gm_note(key.pitch).filter(|_| key.is_drum)
        {
            self.used_classes[class.index()] |= is_used;
        }
    }
}

/// Where a note moves in exports, in seconds, if quantization is on.
fn quantized_position<'a>(
    passage: &'a Passage,
    quantize: &'a Quantize,
) -> impl Fn(u64) -> Option<f64> + 'a {
    let bar_beats = passage.bar_at(0).start_beats;
    let is_on = quantize.grid != Grid::Off;
    move |onset_samples| {
        let beats = passage.beats_at(onset_samples) - bar_beats;
        let moved = is_on.then(|| quantize.apply(beats))?;
        let frames = passage.offset_at_beats(moved + bar_beats);
        (frames != onset_samples).then(|| frames as f64 / passage.sample_rate_hz)
    }
}

fn note_view(
    taken: &TakeNote,
    mapped: Option<MappedNote>,
    rate: f64,
    filter: bool,
    is_raw: bool,
    quantized: &impl Fn(u64) -> Option<f64>,
) -> NoteView {
    let TakeNote {
        id,
        note,
        is_leakage,
        status,
        is_edited,
    } = *taken;
    let fate = match (status, mapped) {
        (NoteStatus::Candidate, _) => Fate::Candidate,
        (NoteStatus::Deleted, _) => Fate::Deleted,
        (NoteStatus::Played, _) if filter && is_leakage => Fate::Leakage,
        (NoteStatus::Played, None) => Fate::Dropped,
        (NoteStatus::Played, Some(_)) => Fate::Sent,
    };
    let sent_velocity = mapped.map(|mapped| mapped.velocity);
    NoteView {
        id,
        note,
        at_seconds: note.onset_samples as f64 / rate,
        quantized_seconds: match fate {
            Fate::Sent if !is_raw => quantized(note.onset_samples),
            _ => None,
        },
        length_seconds: note.length_samples as f64 / rate,
        class: note.drum_class(),
        is_drum: note.is_drum,
        key: note.pitch,
        velocity: sent_velocity.filter(|_| !is_raw).unwrap_or(note.velocity),
        fate: match fate {
            Fate::Dropped if is_raw => Fate::Sent,
            fate => fate,
        },
        is_edited,
    }
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
            let resolved = resolved.notes(passage, &settings(), true, false);
            let sent = resolved.notes.iter().map(|note| note.fate == Fate::Sent);
            let sent = sent.collect::<Vec<_>>();
            assert_eq!(resolved.sent, sent.iter().filter(|is| **is).count());
            sent
        };
        assert_eq!(sent(&mut resolved, &passage), [true, true]);
        let off = ClassMap {
            on: false,
            ..map.class(DrumClass::Kick)
        };
        map.set_class(DrumClass::Kick, off);
        assert_eq!(sent(&mut resolved, &passage), [false, true]);
        let before = resolved.notes(&passage, &settings(), true, false).clone();
        let after = resolved.notes(&passage, &settings(), true, false);
        assert!(Arc::ptr_eq(&before.notes, &after.notes));
        let id = before.notes[1].id;
        passage.edit(|edits| edits.delete(id));
        assert_eq!(sent(&mut resolved, &passage), [false, false]);
    }
}
