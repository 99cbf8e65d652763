//! A port: the channel between one audio thread and the engine thread.
//!
//! Samples and marks go to the engine, notes come back, each in a bounded lock-free ring. The audio
//! thread never waits: what does not fit is dropped and counted.

mod capture;
mod engine;

use std::sync::Arc;

use hitscribe_core::audio::Downmixer;
use rtrb::RingBuffer;

use crate::messages::PortCounters;

pub use capture::CapturePort;
pub use engine::EnginePort;

/// Audio that the capture ring holds before samples are dropped, in seconds.
const CAPTURE_SECONDS: f64 = 4.0;
/// Marks that wait for the engine. A block makes one at most.
const MARK_CAPACITY: usize = 1024;
/// Notes that wait for the audio thread: many times what is played within the latency.
const NOTE_CAPACITY: usize = 4096;

/// The two ends of a port for a stream of `channel_count` channels at `sample_rate_hz`.
pub fn port(channel_count: usize, sample_rate_hz: f64) -> (CapturePort, EnginePort) {
    let channel_count = channel_count.max(1);
    let frames = (sample_rate_hz * CAPTURE_SECONDS) as usize + 16384;
    let (samples, samples_out) = RingBuffer::new(frames * channel_count);
    let (marks, marks_out) = RingBuffer::new(MARK_CAPACITY);
    let (notes_in, notes) = RingBuffer::new(NOTE_CAPACITY);
    let counters = Arc::new(PortCounters::default());
    let capture = CapturePort::new(
        samples,
        marks,
        notes,
        counters.clone(),
        channel_count,
        sample_rate_hz,
    );
    let engine = EnginePort {
        samples: samples_out,
        marks: marks_out,
        notes: notes_in,
        counters,
        channel_count,
        ring_frames: 0,
        downmixer: Downmixer::new(channel_count),
    };
    (capture, engine)
}

#[cfg(test)]
mod tests;
