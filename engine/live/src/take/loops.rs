//! Passes of a loop: told apart, and merged into one passage.

use std::ops::Range;

use hitscribe::Sensitivity;
use hitscribe_core::DrumClass;
use hitscribe_picking::drums::candidate::{Candidate, Claim};
use hitscribe_picking::drums::selection::select;

use crate::messages::MarkedNote;
use crate::take::Take;
use crate::take::edits::{Change, EditedNote, Edits, NoteId, RecordedKey};
use crate::take::passage::{PEAKS_PER_SECOND, Passage};

/// Notes of two passes that are at most this far apart are the same stroke.
const SAME_SECONDS: f64 = 0.03;
/// Frames of the drum network in a second.
const FRAMES_PER_SECOND: f64 = 125.0;

impl Take {
    /// The passages, in a row, that are passes of the same loop as the one at `index`; that one
    /// alone if it is none.
    pub fn loop_passes(&self, index: usize) -> Range<usize> {
        let Some(passage) = self.passages.get(index) else {
            return index..index;
        };
        let is_pass = |other: &&Passage| other.is_pass_of(passage);
        let before = self.passages[..index].iter().rev().take_while(is_pass);
        let after = self.passages[index + 1..].iter().take_while(is_pass);
        index - before.count()..index + 1 + after.count()
    }

    /// Puts passages in the place of those with these [`Passage::id`]s, of which the first is at
    /// `index`. Returns what was there.
    pub fn replace(&mut self, index: usize, ids: &[u64], with: Vec<Passage>) -> Vec<Passage> {
        let is_replaced = |passage: &Passage| ids.contains(&passage.id) && !passage.is_open;
        let mut replaced = Vec::new();
        let passages = std::mem::take(&mut self.passages);
        for passage in passages {
            match is_replaced(&passage) {
                true => replaced.push(passage),
                false => self.passages.push(passage),
            }
        }
        let index = index.min(self.passages.len());
        self.passages.splice(index..index, with);
        self.trim();
        replaced
    }
}

impl Passage {
    /// Whether both were played from the same bar and can be merged.
    pub fn is_pass_of(&self, other: &Self) -> bool {
        let is_played = |passage: &Self| passage.was_playing && passage.name.is_none();
        let bar = other.bar_near(0);
        let beats = self.host_start_beats.zip(other.host_start_beats);
        is_played(self)
            && is_played(other)
            && self.sample_rate_hz == other.sample_rate_hz
            && self.rules == other.rules
            && self.bar_near(0).number == bar.number
            && beats.is_some_and(|(own, other)| (own - other).abs() < bar.length_beats)
    }

    /// One passage with each stroke of these passes of a loop once, from the pass that shows it
    /// best. What the user has changed in any of them stays; later passes count first. None of no
    /// passes.
    pub fn merged(passes: &[Self]) -> Option<Self> {
        let beats = |pass: &&Self| pass.host_start_beats.unwrap_or(0.0);
        let first = passes.iter().min_by(|a, b| beats(a).total_cmp(&beats(b)))?;
        let mut merged = Self {
            was_playing: first.was_playing,
            host_start_samples: first.host_start_samples,
            host_start_beats: first.host_start_beats,
            host_bar: first.host_bar,
            tempo: first.tempo.clone(),
            source: passes.last().and_then(|pass| pass.source),
            rules: first.rules,
            ..Self::new(first.sample_rate_hz)
        };
        let mut merge = Merge::new(first.sample_rate_hz);
        for pass in passes {
            let shift = pass.frames_after(first);
            merge.add_pass(pass, shift);
            merged.add_audio_of(pass, shift);
        }
        merge.finish(&mut merged);
        Some(merged)
    }

    /// Frames from the start of an earlier pass to the start of this one.
    fn frames_after(&self, first: &Self) -> u64 {
        let beats = self.host_start_beats.zip(first.host_start_beats);
        beats.map_or(0, |(own, other)| first.offset_at_beats(own - other))
    }

    /// Adds length and level overview of a pass.
    fn add_audio_of(&mut self, pass: &Self, shift_frames: u64) {
        let steps = shift_frames as f64 / self.sample_rate_hz * PEAKS_PER_SECOND as f64;
        let from = steps.round() as usize;
        let length = self.peaks.len().max(from + pass.peaks.len());
        self.peaks.resize(length, 0);
        for (own, peak) in self.peaks[from..].iter_mut().zip(&pass.peaks) {
            *own = (*own).max(*peak);
        }
        self.length_frames = self.length_frames.max(shift_frames + pass.length_frames);
    }
}

/// A candidate or note as the best pass shows it.
struct Stroke<T> {
    kept: T,
    onset_samples: u64,
    edit: Option<Change>,
    /// Whether the pass that is being added has it.
    is_found: bool,
}

/// Strokes of the passes so far, by onset.
struct Strokes<T>(Vec<Stroke<T>>);

impl<T> Strokes<T> {
    /// Adds those of a pass: what is there already is kept in its better form.
    fn add_pass(
        &mut self,
        pass: impl Iterator<Item = Stroke<T>>,
        within_samples: u64,
        is_same: impl Fn(&T, &T) -> bool,
        strength: impl Fn(&T) -> f32,
    ) {
        self.0.iter_mut().for_each(|known| known.is_found = false);
        let mut others = Vec::new();
        for new in pass {
            let onset = new.onset_samples;
            let from = onset.saturating_sub(within_samples);
            let first = self.0.partition_point(|known| known.onset_samples < from);
            let near = self.0[first..].iter_mut();
            let known = near
                .take_while(|known| known.onset_samples <= onset + within_samples)
                .filter(|known| !known.is_found && is_same(&known.kept, &new.kept))
                .min_by_key(|known| known.onset_samples.abs_diff(onset));
            let Some(known) = known else {
                others.push(new);
                continue;
            };
            known.is_found = true;
            known.edit = new.edit.or(known.edit);
            if strength(&new.kept) > strength(&known.kept) {
                known.kept = new.kept;
            }
        }
        self.0.extend(others);
        // The onsets by which they are found do not move with the better form.
        self.0.sort_by_key(|stroke| stroke.onset_samples);
    }
}

/// The passes of a loop while they are merged.
struct Merge {
    sample_rate_hz: f64,
    candidates: Strokes<Candidate>,
    notes: Strokes<MarkedNote>,
    added: Strokes<EditedNote>,
}

impl Merge {
    fn new(sample_rate_hz: f64) -> Self {
        Self {
            sample_rate_hz,
            candidates: Strokes(Vec::new()),
            notes: Strokes(Vec::new()),
            added: Strokes(Vec::new()),
        }
    }

    /// Adds a pass that starts `shift` frames after the first one.
    fn add_pass(&mut self, pass: &Passage, shift: u64) {
        let within = (SAME_SECONDS * self.sample_rate_hz) as u64;
        let edit = |key: RecordedKey| {
            let change = pass.edits.change(&key)?;
            Some(match change {
                Change::Deleted => Change::Deleted,
                Change::Set(note) => Change::Set(later(note, shift)),
            })
        };
        let first_frame = self.first_frame(pass);
        let shift_network = shift as f64 / self.sample_rate_hz * FRAMES_PER_SECOND;
        let candidates = pass.candidates.iter().map(|recorded| {
            let mut kept = *recorded;
            kept.onset_samples += shift;
            let frame = kept.peak.frame as f64 - first_frame + shift_network;
            kept.peak.frame = frame.round().max(0.0) as u64;
            Stroke {
                kept,
                onset_samples: kept.onset_samples,
                edit: candidate_key(recorded).and_then(edit),
                is_found: false,
            }
        });
        let is_same = |a: &Candidate, b: &Candidate| kind(a) == kind(b);
        self.candidates
            .add_pass(candidates, within, is_same, |c| c.peak.excess);
        let notes = pass.notes.iter().map(|recorded| {
            let mut kept = *recorded;
            kept.note.onset_samples += shift;
            Stroke {
                kept,
                onset_samples: kept.note.onset_samples,
                edit: edit(RecordedKey::of(&recorded.note)),
                is_found: false,
            }
        });
        let kind = |marked: &MarkedNote| {
            let note = &marked.note;
            (note.pitch, note.is_drum, note.program)
        };
        let is_same = |a: &MarkedNote, b: &MarkedNote| kind(a) == kind(b);
        self.notes
            .add_pass(notes, within, is_same, |marked| marked.note.confidence);
        let added = pass.edits.added().map(|(_, note)| Stroke {
            kept: later(note, shift),
            onset_samples: note.onset_samples + shift,
            edit: None,
            is_found: false,
        });
        let kind = |note: &EditedNote| (note.pitch, note.is_drum, note.program);
        let is_same = |a: &EditedNote, b: &EditedNote| kind(a) == kind(b);
        self.added.add_pass(added, within, is_same, |_| 0.0);
    }

    /// The network's frame at which a pass starts. Its frames are those of the host's timeline.
    fn first_frame(&self, pass: &Passage) -> f64 {
        let offset = |candidate: &Candidate| {
            let seconds = candidate.onset_samples as f64 / self.sample_rate_hz;
            candidate.peak.frame as f64 - seconds * FRAMES_PER_SECOND
        };
        let count = pass.candidates.len().max(1) as f64;
        let mean = pass.candidates.iter().map(offset).sum::<f64>() / count;
        mean.round()
    }

    /// Puts everything into the merged passage.
    fn finish(mut self, merged: &mut Passage) {
        // In the order in which they are selected.
        self.candidates
            .0
            .sort_by_key(|stroke| (stroke.kept.peak.frame, stroke.kept.onset_samples));
        let kept = self.candidates.0.iter().map(|stroke| stroke.kept);
        let candidates: Vec<Candidate> = kept.collect();
        let decisions = select(&merged.rules, &Sensitivity::default(), &candidates);
        let hits = decisions.iter().filter(|decision| decision.is_hit).count();
        merged.add_candidates(&candidates, hits);
        let mut edits = Edits::default();
        let mut put = |key: RecordedKey, edit: Option<Change>| {
            if edit.is_some() {
                edits.put(NoteId::Recorded(key), edit);
            }
        };
        for stroke in &self.candidates.0 {
            if let Some(key) = candidate_key(&stroke.kept) {
                put(key, stroke.edit);
            }
        }
        for stroke in self.notes.0 {
            put(RecordedKey::of(&stroke.kept.note), stroke.edit);
            merged.insert(stroke.kept);
        }
        for stroke in self.added.0 {
            edits.add(stroke.kept);
        }
        merged.edit(|own| *own = edits);
    }
}

/// What two candidates have in common if they are the same.
fn kind(candidate: &Candidate) -> (Option<DrumClass>, u8, u8) {
    let (claim, group) = match candidate.peak.claim {
        Claim::Rivals => (0, 0),
        Claim::Class { group, .. } => (1, group),
        Claim::Stroke { group } => (2, group),
    };
    (candidate.peak.class, claim, group)
}

/// The key by which the user's changes to a candidate are found; none for what is not written.
fn candidate_key(candidate: &Candidate) -> Option<RecordedKey> {
    Some(RecordedKey {
        onset_samples: candidate.onset_samples,
        pitch: candidate.peak.class?.gm_note(),
        is_drum: true,
    })
}

fn later(note: &EditedNote, shift: u64) -> EditedNote {
    EditedNote {
        onset_samples: note.onset_samples + shift,
        ..*note
    }
}

#[cfg(test)]
mod tests;
