//! The engine thread's end of a port.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hitscribe_core::audio::Downmixer;
use rtrb::{Consumer, Producer};

use crate::messages::{Mark, MarkedNote, PortCounters};

/// The engine thread's end of a port.
pub struct EnginePort {
    pub samples: Consumer<f32>,
    pub marks: Consumer<Mark>,
    pub notes: Producer<MarkedNote>,
    pub counters: Arc<PortCounters>,
    pub channel_count: usize,
    pub ring_frames: u64,
    pub downmixer: Downmixer,
}

impl EnginePort {
    /// Whether the audio thread's end has been dropped.
    pub fn is_closed(&self) -> bool {
        self.samples.is_abandoned()
    }

    /// Frames that can be read before the next mark applies, and that mark if it applies now.
    ///
    /// Samples are counted first. A mark is written before its samples, so a mark that is not
    /// visible yet belongs to samples that were not counted.
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

    /// Removes the mark that [`Self::readable`] returned.
    pub fn accept_mark(&mut self) {
        if let Ok(mark) = self.marks.pop()
            && mark.starts_passage
        {
            self.downmixer.restart();
        }
    }

    /// Reads `frames` frames, downmixed to `mono`.
    pub fn read_mono(&mut self, frames: usize, mono: &mut Vec<f32>) {
        mono.clear();
        let Ok(chunk) = self.samples.read_chunk(frames * self.channel_count) else {
            return;
        };
        // The capacity is a whole number of frames, so the wrap splits none.
        let (first, second) = chunk.as_slices();
        self.downmixer.push(first, mono);
        self.downmixer.push(second, mono);
        chunk.commit_all();
        self.ring_frames += frames as u64;
        self.counters
            .taken_frames
            .store(self.ring_frames, Ordering::Release);
    }
}
