//! Notes that cannot be on a recording.

use hitscribe_core::note::Note;
use hitscribe_models::generate::allowed::AllowedNotes;

use crate::transcription::Warning;

/// Confidence from which a pitched note is certain.
const CERTAIN_CONFIDENCE: f32 = 0.7;

/// Share of certain pitched notes from which a recording has more than drums. Measured: up to .04
/// on recordings of drums, .2 and more with other instruments.
const MIN_CERTAIN_SHARE: f64 = 0.1;

/// Removes the notes of the built-in models that cannot be on a recording of `source`. Without a
/// source, pitched notes of which hardly any is certain are removed too, with a warning: that is
/// how drums ring.
pub(crate) fn remove_implausible(
    source: Option<&AllowedNotes>,
    notes: &mut Vec<Note>,
) -> Option<Warning> {
    if let Some(source) = source {
        notes.retain(|note| !note.is_drum || source.allows_drum(note.pitch));
        return None;
    }
    let count = |test: &dyn Fn(&Note) -> bool| notes.iter().filter(|note| test(note)).count();
    let drums = count(&|note| note.is_drum);
    let pitched = notes.len() - drums;
    let certain = count(&|note| !note.is_drum && note.confidence >= CERTAIN_CONFIDENCE);
    let is_plausible =
        pitched == 0 || (certain as f64) >= MIN_CERTAIN_SHARE * (certain + drums) as f64;
    if is_plausible {
        return None;
    }
    notes.retain(|note| note.is_drum);
    Some(Warning::UncertainPitchedNotes { pitched, drums })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(drums: usize, pitched: usize, confidence: f32) -> Vec<Note> {
        let note = |is_drum: bool, confidence: f32| Note {
            onset_seconds: 0.0,
            offset_seconds: 0.1,
            pitch: 36,
            velocity: 100,
            program: 0,
            is_drum,
            openness: None,
            confidence,
        };
        let mut notes = vec![note(true, 0.9); drums];
        notes.resize(drums + pitched, note(false, confidence));
        notes
    }

    #[test]
    fn uncertain_pitched_notes_beside_drums_go_unless_a_source_was_named() {
        let count = |source: Option<&str>, mut notes: Vec<Note>| {
            let source = source.map(|text| text.parse::<AllowedNotes>().unwrap());
            let warning = remove_implausible(source.as_ref(), &mut notes);
            (notes.len(), usize::from(warning.is_some()))
        };
        assert_eq!(count(None, notes(100, 9, 0.9)), (100, 1));
        assert_eq!(count(None, notes(100, 50, 0.65)), (100, 1));
        assert_eq!(count(None, notes(100, 20, 0.9)), (120, 0));
        assert_eq!(count(None, notes(100, 0, 0.9)), (100, 0));
        assert_eq!(count(None, notes(0, 3, 0.65)), (3, 0));
        assert_eq!(count(Some("mix"), notes(100, 9, 0.65)), (109, 0));
        assert_eq!(count(Some("kick+mix"), notes(100, 9, 0.65)), (109, 0));
        assert_eq!(count(Some("drums:38"), notes(100, 0, 0.9)), (0, 0));
    }

    #[test]
    fn the_warning_counts_what_was_removed_and_what_stays() {
        let warning = remove_implausible(None, &mut notes(100, 9, 0.9));
        let (pitched, drums) = (9, 100);
        assert_eq!(
            warning,
            Some(Warning::UncertainPitchedNotes { pitched, drums })
        );
    }
}
