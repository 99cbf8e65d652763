//! The audio thread's end of a port.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rtrb::{Consumer, Producer};

use crate::messages::{LiveSettings, Mark, MarkedNote, PortCounters, TransportState};

/// The audio thread's end of a port. Nothing here allocates, locks or blocks, except dropping it.
pub struct CapturePort {
    samples: Producer<f32>,
    marks: Producer<Mark>,
    notes: Consumer<MarkedNote>,
    counters: Arc<PortCounters>,
    channel_count: usize,
    sample_rate_hz: f64,
    position_frames: u64,
    ring_frames: u64,
    /// Expected transport of the next block, if it continues the last one.
    expected_transport: TransportState,
    last_settings: Option<LiveSettings>,
    mark_is_due: bool,
    passage_is_due: bool,
    /// The engine has a passage whose end was not marked yet.
    passage_is_open: bool,
}

impl CapturePort {
    pub(super) fn new(
        samples: Producer<f32>,
        marks: Producer<Mark>,
        notes: Consumer<MarkedNote>,
        counters: Arc<PortCounters>,
        channel_count: usize,
        sample_rate_hz: f64,
    ) -> Self {
        Self {
            samples,
            marks,
            notes,
            counters,
            channel_count,
            sample_rate_hz,
            position_frames: 0,
            ring_frames: 0,
            expected_transport: TransportState::default(),
            last_settings: None,
            mark_is_due: true,
            passage_is_due: true,
            passage_is_open: false,
        }
    }

    /// Frames that were pushed or skipped since the port was opened: the stream position.
    pub fn position_frames(&self) -> u64 {
        self.position_frames
    }

    /// The counters that both threads share.
    pub fn counters(&self) -> &Arc<PortCounters> {
        &self.counters
    }

    /// The next block begins a new passage. Real-time safe.
    pub fn start_passage(&mut self) {
        self.mark_is_due = true;
        self.passage_is_due = true;
    }

    /// Whether `frames` more frames fit now. Real-time safe.
    pub fn has_room(&self, frames: usize) -> bool {
        self.samples.slots() >= frames * self.channel_count && self.marks.slots() > 0
    }

    /// Skips `frames` frames, as in bypass. This ends the passage, so that its last notes do not
    /// wait for audio that comes later. Real-time safe.
    pub fn skip(&mut self, frames: usize) {
        if self.passage_is_open {
            let mark = Mark {
                ring_frames: self.ring_frames,
                position_frames: self.position_frames,
                starts_passage: false,
                ends_passage: true,
                transport: TransportState::default(),
                settings: self.last_settings.unwrap_or_default(),
            };
            // If the ring is full the next block tries again.
            self.passage_is_open = self.marks.push(mark).is_err();
        }
        self.position_frames += frames as u64;
        self.start_passage();
    }

    /// Passes a block to the engine: as many channels as the port was opened with, all of one
    /// length. A jump of the transport or another source begins a new passage. A block that does
    /// not fit is dropped and counted. Real-time safe.
    pub fn push(
        &mut self,
        channels: &[&mut [f32]],
        transport: TransportState,
        settings: LiveSettings,
    ) {
        let frames = channels.first().map_or(0, |channel| channel.len());
        if frames == 0 || channels.len() != self.channel_count {
            return;
        }
        let is_other_source =
            (self.last_settings.as_ref()).is_some_and(|last| last.source != settings.source);
        if is_other_source || self.is_discontinuous(&transport) {
            self.start_passage();
        }
        let tempo_changed = transport.tempo_bpm != self.expected_transport.tempo_bpm
            || transport.meter != self.expected_transport.meter;
        if tempo_changed || self.last_settings != Some(settings) {
            self.mark_is_due = true;
        }
        self.expected_transport = self.transport_after(transport, frames);

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
                transport,
                settings,
            };
            if self.marks.push(mark).is_ok() {
                self.mark_is_due = false;
                self.passage_is_due = false;
                self.passage_is_open = true;
                self.last_settings = Some(settings);
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

    /// Takes the next note, in order of onset, if its onset is before the stream position
    /// `end_frames`. Real-time safe.
    pub fn next_note_before(&mut self, end_frames: u64) -> Option<MarkedNote> {
        let next = self.notes.peek().ok()?;
        if next.note.onset_samples >= end_frames {
            return None;
        }
        self.notes.pop().ok()
    }

    fn is_discontinuous(&self, transport: &TransportState) -> bool {
        let expected = &self.expected_transport;
        if transport.playing != expected.playing {
            return true;
        }
        if !transport.playing {
            return false;
        }
        // Some hosts round beats; no musical jump is shorter than this.
        const TOLERANCE_SECONDS: f64 = 0.002;
        match (transport.position_samples, expected.position_samples) {
            (Some(position), Some(expected)) => {
                (position - expected).unsigned_abs() as f64
                    > TOLERANCE_SECONDS * self.sample_rate_hz
            }
            _ => match (
                transport.position_beats,
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

    fn transport_after(&self, transport: TransportState, frames: usize) -> TransportState {
        if !transport.playing {
            return transport;
        }
        let beats = |tempo_bpm: f64| frames as f64 / self.sample_rate_hz * tempo_bpm / 60.0;
        TransportState {
            position_samples: transport
                .position_samples
                .map(|position| position + frames as i64),
            position_beats: transport
                .position_beats
                .map(|position| position + transport.tempo_bpm.map_or(0.0, beats)),
            ..transport
        }
    }
}
