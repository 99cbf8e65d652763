//! Writes the notes of an instance into a passage of the take.

use std::sync::Arc;

use hitscribe::Source;
use hitscribe_core::note::PlacedNote;
use hitscribe_picking::drums::candidate::Candidate;
use hitscribe_picking::drums::selection::Rules;
use parking_lot::Mutex;

use crate::messages::{MarkedNote, TransportState};
use crate::take::{Overview, Passage, Take, TempoChange};

/// Writes into its own passage of the take, even if another instance has opened one since: the last
/// notes of a closed port come late.
pub struct PassageWriter {
    take: Arc<Mutex<Take>>,
    sample_rate_hz: f64,
    /// Copy of the passage without notes and overview; none between passages.
    passage: Option<Passage>,
    /// Stream position of its first frame.
    start_frames: u64,
    overview: Overview,
    /// Whether notes are left out while the transport is stopped.
    pub playing_only: bool,
}

impl PassageWriter {
    /// A writer between passages.
    pub fn new(take: Arc<Mutex<Take>>, sample_rate_hz: f64) -> Self {
        Self {
            take,
            sample_rate_hz,
            passage: None,
            start_frames: 0,
            overview: Overview::new(sample_rate_hz),
            playing_only: false,
        }
    }

    /// Starts a passage at a stream position.
    ///
    /// There is none if the transport is stopped and only playback is recorded.
    pub fn start(
        &mut self,
        position_frames: u64,
        transport: &TransportState,
        source: Source,
        rules: Option<Rules>,
    ) {
        self.start_frames = position_frames;
        self.overview = Overview::new(self.sample_rate_hz);
        if self.playing_only && !transport.playing {
            self.passage = None;
            return;
        }
        let mut passage = Passage::new(self.sample_rate_hz);
        passage.source = Some(source);
        passage.rules = rules.unwrap_or(passage.rules);
        passage.was_playing = transport.playing;
        passage.host_start_samples = transport.position_samples;
        passage.host_start_beats = transport.position_beats;
        passage.host_bar = transport.bar;
        self.take.lock().start_passage(passage.clone());
        self.passage = Some(passage);
    }

    /// The track contains something else from now on.
    pub fn set_source(&mut self, source: Source) {
        if let Some(passage) = &mut self.passage
            && passage.source != Some(source)
        {
            passage.source = Some(source);
            self.with_passage(|passage| passage.source = Some(source));
        }
    }

    /// Ends the passage.
    pub fn end(&mut self) {
        self.with_passage(|passage| passage.is_open = false);
        self.passage = None;
    }

    /// Sets tempo and meter from a stream position on.
    pub fn set_tempo(&mut self, position_frames: u64, transport: &TransportState) {
        let Some(bpm) = transport.tempo_bpm else {
            return;
        };
        let (beats_per_bar, beat_unit) = transport.meter.unwrap_or((4, 4));
        let change = TempoChange {
            offset_frames: self.offset_frames(position_frames),
            bpm,
            beats_per_bar,
            beat_unit,
        };
        if let Some(passage) = &mut self.passage {
            passage.change_tempo(change);
        }
        self.with_passage(|passage| passage.change_tempo(change));
    }

    /// Adds the next samples to length and overview.
    pub fn extend(&mut self, mono: &[f32]) {
        let frames = mono.len() as u64;
        let steps = self.overview.push(mono);
        if let Some(passage) = &mut self.passage {
            passage.extend(frames, &[]);
        }
        self.with_passage(|passage| passage.extend(frames, &steps));
    }

    /// Adds a note of the stream.
    pub fn insert(&self, marked: &MarkedNote) {
        let note = MarkedNote {
            note: self.in_passage(marked.note),
            ..*marked
        };
        if self.is_recording() {
            self.with_passage(|passage| passage.insert(note));
        }
    }

    /// Adds candidates of the stream, of which so many are hits.
    pub fn add_candidates(&self, mut candidates: Vec<Candidate>, hits: usize) {
        if !self.is_recording() || (candidates.is_empty() && hits == 0) {
            return;
        }
        for candidate in &mut candidates {
            candidate.onset_samples = self.offset_frames(candidate.onset_samples);
        }
        self.with_passage(|passage| passage.add_candidates(&candidates, hits));
    }

    /// Whether notes are kept now.
    pub fn is_recording(&self) -> bool {
        let passage = self.passage.as_ref();
        passage.is_some_and(|passage| passage.was_playing || !self.playing_only)
    }

    /// Corrects the length of a pitched note of the stream that was added before it ended.
    pub fn lengthen(&self, ended: PlacedNote) {
        let ended = self.in_passage(ended);
        self.with_passage(|passage| passage.lengthen(&ended));
    }

    fn in_passage(&self, note: PlacedNote) -> PlacedNote {
        PlacedNote {
            onset_samples: self.offset_frames(note.onset_samples),
            ..note
        }
    }

    /// Opens the passage again if a loaded project has replaced the take, unless another has been
    /// opened since.
    pub fn reopen_if_lost(&self) {
        let Some(own) = &self.passage else { return };
        let mut take = self.take.lock();
        if take.passage_mut(own.id).is_none() && take.open_passage().is_none() {
            let mut passage = own.clone();
            passage.extend(0, &vec![0; self.overview.steps()]);
            take.start_passage(passage);
        }
    }

    fn offset_frames(&self, position_frames: u64) -> u64 {
        position_frames.saturating_sub(self.start_frames)
    }

    fn with_passage(&self, change: impl FnOnce(&mut Passage)) {
        let Some(own) = &self.passage else { return };
        let mut take = self.take.lock();
        if let Some(passage) = take.passage_mut(own.id) {
            change(passage);
        }
        take.trim();
    }
}

#[cfg(test)]
mod tests {
    use hitscribe_core::DrumClass;
    use hitscribe_core::note::Note;

    use super::*;
    use crate::take::HostBar;

    fn playing() -> TransportState {
        TransportState {
            playing: true,
            position_beats: Some(8.0),
            tempo_bpm: Some(90.0),
            meter: Some((3, 4)),
            bar: Some(HostBar {
                start_beats: 7.0,
                number: None,
            }),
            ..TransportState::default()
        }
    }

    fn hit(onset_samples: u64) -> MarkedNote {
        let hit = Note::drum(DrumClass::Snare, 0.0, 100, 0.5);
        MarkedNote {
            note: PlacedNote {
                onset_samples,
                ..PlacedNote::from_note(&hit, 48_000)
            },
            is_leakage: false,
        }
    }

    #[test]
    fn late_notes_of_a_closed_port_go_into_its_own_passage() {
        let take = Arc::new(Mutex::new(Take::default()));
        let mut closed = PassageWriter::new(take.clone(), 48_000.0);
        let mut present = PassageWriter::new(take.clone(), 96_000.0);
        closed.start(1_000, &playing(), Source::DrumBus, None);
        present.start(0, &playing(), Source::DrumBus, None);
        closed.insert(&hit(1_500));
        closed.extend(&[0.0; 2_000]);
        closed.end();
        let take = take.lock();
        assert_eq!(take.passages[0].notes.len(), 1);
        assert_eq!(take.passages[0].notes[0].note.onset_samples, 500);
        assert_eq!(take.passages[0].length_frames, 2_000);
        assert_eq!(take.passages[1].length_frames, 0);
        assert!(take.passages[1].notes.is_empty() && take.passages[1].is_open);
    }

    #[test]
    fn a_lost_passage_is_opened_again_with_position_and_tempo() {
        let take = Arc::new(Mutex::new(Take::default()));
        let mut writer = PassageWriter::new(take.clone(), 48_000.0);
        writer.start(500, &playing(), Source::DrumBus, None);
        writer.set_tempo(500, &playing());
        writer.extend(&[0.5; 48_000]);
        let before = take.lock().passages.clone();
        // A project is loaded.
        *take.lock() = Take::default();
        for _ in 0..2 {
            writer.reopen_if_lost();
        }
        writer.insert(&hit(50_000));
        let mut after = take.lock().passages.clone();
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].tempo[0].bpm, 90.0);
        assert_eq!(after[0].notes.len(), 1);
        // All but what is closed.
        assert_eq!(after[0].peaks.len(), before[0].peaks.len());
        after[0].peaks.clone_from(&before[0].peaks);
        after[0].notes.clear();
        assert_eq!(after, before);
    }

    #[test]
    fn nothing_is_opened_again_between_passages_or_beside_another() {
        let take = Arc::new(Mutex::new(Take::default()));
        let mut writer = PassageWriter::new(take.clone(), 48_000.0);
        writer.start(0, &TransportState::default(), Source::DrumBus, None);
        let mut other = PassageWriter::new(take.clone(), 48_000.0);
        other.start(0, &playing(), Source::DrumBus, None);
        // The silence of the first one has been dropped.
        writer.reopen_if_lost();
        assert_eq!(take.lock().passages.len(), 1);
        other.end();
        *take.lock() = Take::default();
        other.reopen_if_lost();
        assert!(take.lock().passages.is_empty());
    }
}
