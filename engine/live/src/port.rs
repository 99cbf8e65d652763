//! The way between one audio thread and the engine thread: samples and marks out, notes back.
//!
//! Both directions are bounded lock-free rings. The audio thread never waits for them: what does
//! not fit is counted and left out.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rtrb::{Consumer, Producer, RingBuffer};

use crate::messages::{LiveNote, LiveSettings, Mark, PortCounters, TransportState};
use hitscribe_core::audio::downmix;

/// Audio that the capture ring holds before samples are dropped, in seconds.
const CAPTURE_SECONDS: f64 = 4.0;
/// Marks that wait for the engine. One block makes at most one.
const MARK_CAPACITY: usize = 1024;
/// Notes that wait for the audio thread: many times what drummers play in a latency.
const NOTE_CAPACITY: usize = 4096;

/// The audio thread's end.
pub struct CapturePort {
    samples: Producer<f32>,
    marks: Producer<Mark>,
    notes: Consumer<LiveNote>,
    counters: Arc<PortCounters>,
    channel_count: usize,
    sample_rate_hz: f64,
    position_frames: u64,
    ring_frames: u64,
    /// Expected host position of the next block, samples and beats.
    expected_host: TransportState,
    last_listening: Option<LiveSettings>,
    mark_is_due: bool,
    passage_is_due: bool,
    /// The engine hears a passage, and has not been told of its end.
    passage_is_open: bool,
}

/// The engine thread's end.
pub(super) struct EnginePort {
    pub samples: Consumer<f32>,
    pub marks: Consumer<Mark>,
    pub notes: Producer<LiveNote>,
    pub counters: Arc<PortCounters>,
    pub channel_count: usize,
    pub ring_frames: u64,
}

/// Makes both ends for a stream of `channel_count` channels at `sample_rate_hz`.
pub(super) fn port(channel_count: usize, sample_rate_hz: f64) -> (CapturePort, EnginePort) {
    let channel_count = channel_count.max(1);
    let frames = (sample_rate_hz * CAPTURE_SECONDS) as usize + 16384;
    let (samples, samples_out) = RingBuffer::new(frames * channel_count);
    let (marks, marks_out) = RingBuffer::new(MARK_CAPACITY);
    let (notes_in, notes) = RingBuffer::new(NOTE_CAPACITY);
    let counters = Arc::new(PortCounters::default());
    let capture = CapturePort {
        samples,
        marks,
        notes,
        counters: counters.clone(),
        channel_count,
        sample_rate_hz,
        position_frames: 0,
        ring_frames: 0,
        expected_host: TransportState::default(),
        last_listening: None,
        mark_is_due: true,
        passage_is_due: true,
        passage_is_open: false,
    };
    let engine = EnginePort {
        samples: samples_out,
        marks: marks_out,
        notes: notes_in,
        counters,
        channel_count,
        ring_frames: 0,
    };
    (capture, engine)
}

impl CapturePort {
    /// Frames pushed or skipped since the port was opened: the clock of all positions.
    pub fn position_frames(&self) -> u64 {
        self.position_frames
    }

    /// The figures that both sides see.
    pub fn counters(&self) -> &Arc<PortCounters> {
        &self.counters
    }

    /// What comes next does not continue what was before. Real-time safe.
    pub fn start_passage(&mut self) {
        self.mark_is_due = true;
        self.passage_is_due = true;
    }

    /// Whether `frames` more frames fit now.
    pub fn has_room(&self, frames: usize) -> bool {
        self.samples.slots() >= frames * self.channel_count && self.marks.slots() > 0
    }

    /// Lets `frames` frames pass unheard, as bypass does. The engine is told, so that the last notes
    /// before do not wait for the sound after. Real-time safe.
    pub fn skip(&mut self, frames: usize) {
        if self.passage_is_open {
            let mark = Mark {
                ring_frames: self.ring_frames,
                position_frames: self.position_frames,
                starts_passage: false,
                ends_passage: true,
                host: TransportState::default(),
                listening: self.last_listening.unwrap_or_default(),
            };
            // Where the ring is full the next block tries again.
            self.passage_is_open = self.marks.push(mark).is_err();
        }
        self.position_frames += frames as u64;
        self.start_passage();
    }

    /// Hands a block to the engine. `channels` must be as many as the port was opened with, all
    /// of one length. Real-time safe: a block that does not fit is counted and dropped whole.
    pub fn push(&mut self, channels: &[&mut [f32]], host: TransportState, listening: LiveSettings) {
        let frames = channels.first().map_or(0, |channel| channel.len());
        if frames == 0 || channels.len() != self.channel_count {
            return;
        }
        let is_other_source =
            (self.last_listening.as_ref()).is_some_and(|last| last.source != listening.source);
        if is_other_source || self.is_discontinuous(&host) {
            self.start_passage();
        }
        let tempo_changed = host.tempo_bpm != self.expected_host.tempo_bpm
            || host.meter != self.expected_host.meter;
        if tempo_changed || self.last_listening != Some(listening) {
            self.mark_is_due = true;
        }
        self.expected_host = self.host_after(host, frames);

        let fits = self.samples.slots() >= frames * self.channel_count;
        if !fits || (self.mark_is_due && self.marks.slots() == 0) {
            self.counters
                .dropped_frames
                .fetch_add(frames as u64, Ordering::Relaxed);
            self.position_frames += frames as u64;
            self.mark_is_due = true;
            return;
        }
        if self.mark_is_due {
            let mark = Mark {
                ring_frames: self.ring_frames,
                position_frames: self.position_frames,
                starts_passage: self.passage_is_due,
                ends_passage: false,
                host,
                listening,
            };
            if self.marks.push(mark).is_ok() {
                self.mark_is_due = false;
                self.passage_is_due = false;
                self.passage_is_open = true;
                self.last_listening = Some(listening);
            }
        }
        self.write(channels, frames);
        self.ring_frames += frames as u64;
        self.position_frames += frames as u64;
    }

    fn write(&mut self, channels: &[&mut [f32]], frames: usize) {
        let Ok(chunk) = self.samples.write_chunk_uninit(frames * self.channel_count) else {
            return;
        };
        match channels {
            [mono] => {
                chunk.fill_from_iter(mono.iter().copied());
            }
            [left, right] => {
                chunk.fill_from_iter(left.iter().zip(right.iter()).flat_map(|(l, r)| [*l, *r]));
            }
            _ => {
                let frame = |index: usize| channels.iter().map(move |channel| channel[index]);
                chunk.fill_from_iter((0..frames).flat_map(frame));
            }
        }
    }

    /// The next note, in the request of their onsets, if it lies before a frame of the stream. Real-time safe.
    pub fn next_note_before(&mut self, end_frames: u64) -> Option<LiveNote> {
        let next = self.notes.peek().ok()?;
        if next.position_frames >= end_frames {
            return None;
        }
        self.notes.pop().ok()
    }

    fn is_discontinuous(&self, host: &TransportState) -> bool {
        let expected = &self.expected_host;
        if host.playing != expected.playing {
            return true;
        }
        if !host.playing {
            return false;
        }
        // Beats wobble by rounding in some hosts; no musical jump is shorter than this.
        const TOLERANCE_SECONDS: f64 = 0.002;
        match (host.position_samples, expected.position_samples) {
            (Some(position), Some(expected)) => {
                (position - expected).unsigned_abs() as f64
                    > TOLERANCE_SECONDS * self.sample_rate_hz
            }
            _ => match (
                host.position_beats,
                expected.position_beats,
                expected.tempo_bpm,
            ) {
                (Some(position), Some(expected), Some(tempo_bpm)) => {
                    (position - expected).abs() * 60.0 / tempo_bpm.max(1.0) > TOLERANCE_SECONDS
                }
                _ => false,
            },
        }
    }

    fn host_after(&self, host: TransportState, frames: usize) -> TransportState {
        if !host.playing {
            return host;
        }
        let beats = |tempo_bpm: f64| frames as f64 / self.sample_rate_hz * tempo_bpm / 60.0;
        TransportState {
            position_samples: host
                .position_samples
                .map(|position| position + frames as i64),
            position_beats: host
                .position_beats
                .map(|position| position + host.tempo_bpm.map_or(0.0, beats)),
            ..host
        }
    }
}

impl EnginePort {
    /// Whether the audio thread's end is gone.
    pub fn is_closed(&self) -> bool {
        self.samples.is_abandoned()
    }

    /// Frames that can be read before the next mark applies, and that mark if it applies now.
    ///
    /// The count of samples is read first: a mark is always written before its samples, so a mark
    /// that is not seen here belongs to samples that are not counted either.
    pub fn readable(&mut self) -> (usize, Option<Mark>) {
        let frames = self.samples.slots() / self.channel_count;
        match self.marks.peek() {
            Ok(mark) if mark.ring_frames <= self.ring_frames => {
                let mark = *mark;
                (frames, Some(mark))
            }
            Ok(mark) => (
                frames.min((mark.ring_frames - self.ring_frames) as usize),
                None,
            ),
            Err(_) => (frames, None),
        }
    }

    /// Removes the mark that [`Self::readable`] showed.
    pub fn accept_mark(&mut self) {
        let _ = self.marks.pop();
    }

    /// Takes `frames` frames out as mono.
    pub fn read_mono(&mut self, frames: usize, mono: &mut Vec<f32>) {
        mono.clear();
        let Ok(chunk) = self.samples.read_chunk(frames * self.channel_count) else {
            return;
        };
        // The ring holds whole frames, so none of them is split between its end and its start.
        let (first, second) = chunk.as_slices();
        downmix(first, self.channel_count, mono);
        downmix(second, self.channel_count, mono);
        chunk.commit_all();
        self.ring_frames += frames as u64;
        self.counters
            .taken_frames
            .store(self.ring_frames, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitscribe::source::Source;

    fn push(port: &mut CapturePort, samples: &[f32], host: TransportState) {
        let (mut left, mut right) = (samples.to_vec(), samples.to_vec());
        port.push(&[&mut left, &mut right], host, LiveSettings::default());
    }

    fn playing_at(position: i64) -> TransportState {
        TransportState {
            playing: true,
            position_samples: Some(position),
            ..TransportState::default()
        }
    }

    #[test]
    fn the_first_block_starts_a_passage_and_the_next_ones_continue_it() {
        let (mut capture, mut engine) = port(2, 48_000.0);
        push(&mut capture, &[0.5; 64], playing_at(1000));
        push(&mut capture, &[0.5; 64], playing_at(1064));
        let (frames, mark) = engine.readable();
        assert_eq!(frames, 128);
        let mark = mark.expect("a mark before the first sample");
        assert!(mark.starts_passage);
        assert_eq!(mark.host.position_samples, Some(1000));
        engine.accept_mark();
        assert_eq!(engine.readable(), (128, None));
        let mut mono = Vec::new();
        engine.read_mono(128, &mut mono);
        assert_eq!(mono, vec![0.5; 128]);
        assert_eq!(engine.readable(), (0, None));
    }

    #[test]
    fn a_jump_splits_the_samples_at_the_exact_frame() {
        let (mut capture, mut engine) = port(2, 48_000.0);
        push(&mut capture, &[0.1; 100], playing_at(0));
        push(&mut capture, &[0.2; 50], playing_at(48_000));
        engine.accept_mark();
        let (frames, mark) = engine.readable();
        assert_eq!((frames, mark), (100, None));
        let mut mono = Vec::new();
        engine.read_mono(frames, &mut mono);
        let (_, mark) = engine.readable();
        let mark = mark.expect("a mark at the jump");
        assert!(mark.starts_passage);
        assert_eq!(mark.position_frames, 100);
    }

    #[test]
    fn another_source_is_another_passage() {
        let (mut capture, mut engine) = port(1, 48_000.0);
        for (position, source) in [
            (0, Source::DrumBus),
            (64, Source::DrumBus),
            (128, Source::Bass),
        ] {
            let listening = LiveSettings {
                source,
                ..LiveSettings::default()
            };
            capture.push(&[&mut [0.1; 64]], playing_at(position), listening);
        }
        engine.accept_mark();
        assert_eq!(engine.readable(), (128, None));
        engine.read_mono(128, &mut Vec::new());
        let (_, mark) = engine.readable();
        assert!(
            mark.is_some_and(|mark| mark.starts_passage && mark.listening.source == Source::Bass)
        );
    }

    #[test]
    fn bypass_ends_the_passage_once_and_the_next_block_starts_another() {
        let (mut capture, mut engine) = port(2, 48_000.0);
        capture.skip(10);
        assert_eq!(engine.readable(), (0, None), "nothing has been heard yet");
        push(&mut capture, &[0.1; 100], playing_at(0));
        capture.skip(50);
        capture.skip(50);
        push(&mut capture, &[0.2; 100], playing_at(200));
        engine.accept_mark();
        assert_eq!(engine.readable(), (100, None));
        engine.read_mono(100, &mut Vec::new());
        let (_, mark) = engine.readable();
        let mark = mark.expect("the end");
        assert!(mark.ends_passage && !mark.starts_passage);
        assert_eq!(mark.position_frames, 110);
        engine.accept_mark();
        let (_, mark) = engine.readable();
        let mark = mark.expect("the next start");
        assert!(mark.starts_passage && !mark.ends_passage);
        assert_eq!(mark.position_frames, 210);
        engine.accept_mark();
        assert_eq!(engine.readable(), (100, None));
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_clock_goes_on() {
        let (mut capture, mut engine) = port(1, 8_000.0);
        let mut block = vec![0.0f32; 16_000];
        for _ in 0..4 {
            capture.push(
                &[&mut block],
                TransportState::default(),
                LiveSettings::default(),
            );
        }
        assert_eq!(capture.position_frames(), 64_000);
        assert_eq!(capture.counters().dropped_frames(), 16_000);
        engine.accept_mark();
        let mut mono = Vec::new();
        engine.read_mono(48_000, &mut mono);
        capture.push(
            &[&mut block],
            TransportState::default(),
            LiveSettings::default(),
        );
        let (_, mark) = engine.readable();
        let mark = mark.expect("a mark after the gap");
        assert!(!mark.starts_passage);
        assert_eq!((mark.ring_frames, mark.position_frames), (48_000, 64_000));
    }

    #[test]
    fn frames_stay_whole_around_the_end_of_the_ring() {
        let (mut capture, mut engine) = port(2, 1_000.0);
        let mut mono = Vec::new();
        let mut next = 0.0;
        for round in 0..40 {
            let mut left: Vec<f32> = (0..997).map(|i| next + i as f32).collect();
            let mut right: Vec<f32> = left.iter().map(|sample| sample + 2.0).collect();
            capture.push(
                &[&mut left, &mut right],
                TransportState::default(),
                LiveSettings::default(),
            );
            if round == 0 {
                engine.accept_mark();
            }
            engine.read_mono(997, &mut mono);
            let expected: Vec<f32> = (0..997).map(|i| next + i as f32 + 1.0).collect();
            assert_eq!(mono, expected, "round {round}");
            next += 997.0;
        }
    }
}
