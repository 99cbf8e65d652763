//! Notes that overlap another note of their voice.

use crate::note::Note;

/// What makes notes exclusive: a new onset ends a sounding note of the same pitch, program and
/// kind.
pub(super) fn voice(note: &Note) -> (u8, u8, bool) {
    (note.pitch, note.program, note.is_drum)
}

/// Ends each note at the next onset of its voice and drops empty notes. The order is kept.
pub(super) fn trim_overlaps(notes: &mut Vec<Note>) {
    let mut order: Vec<usize> = (0..notes.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&notes[a], &notes[b]);
        voice(a)
            .cmp(&voice(b))
            .then_with(|| a.onset_seconds.total_cmp(&b.onset_seconds))
    });
    for pair in order.windows(2) {
        let next = notes[pair[1]];
        let note = &mut notes[pair[0]];
        if voice(note) == voice(&next) {
            note.offset_seconds = note.offset_seconds.min(next.onset_seconds);
        }
    }
    notes.retain(|note| note.onset_seconds < note.offset_seconds);
}
